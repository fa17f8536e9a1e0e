//! The demo account: one source a dataset, each with its role in the sandbox, and the product's sample files in dated
//! folders.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use api::client::{Registry, connect};
use api::registry::{
    Account, ActivateSourceRequest, CreateAccountRequest, CreateAccountTokenRequest, CreateSourceRequest,
    Dataset, GetAccountRequest, GetCallerRequest, Source, SourceState,
};
use dataset::DatasetKind;
use flate2::Compression;
use flate2::write::GzEncoder;
use sandbox::{Grant, Principal, Role, Roles, Trust};
use tonic::Code;
use zip::write::SimpleFileOptions;

use super::folder::write_secret;
use crate::client::refused;

/// The demo account's id.
pub(super) const ACCOUNT: &str = "demo";
/// The demo bucket.
pub(super) const BUCKET: &str = "demo-bucket";
/// The customer's AWS account in the sandbox.
const CUSTOMER: &str = "111122223333";

/// A demo source: its dataset and the folder in the demo bucket.
const SOURCES: [(Dataset, &str); 4] = [
    (Dataset::Events, "events"),
    (Dataset::Attributes, "attributes"),
    (Dataset::Items, "items"),
    (Dataset::IdMappings, "id-mappings"),
];

/// The demo account, made at the first start. True where it is new.
pub(super) async fn account(registry: &mut Registry) -> Result<(Account, bool)> {
    let name = format!("accounts/{ACCOUNT}");
    match registry.get_account(GetAccountRequest { name }).await {
        Ok(found) => Ok((found.into_inner().account.context("the registry gave no account")?, false)),
        Err(status) if status.code() == Code::NotFound => {
            let request = CreateAccountRequest {
                account_id: ACCOUNT.to_owned(),
                display_name: "Demo".to_owned(),
                ..Default::default()
            };
            let made = registry.create_account(request).await.map_err(refused)?.into_inner();
            Ok((made.account.context("the registry gave no account")?, true))
        }
        Err(status) => Err(refused(status)),
    }
}

/// A token of the demo account's, kept in a file for its owner alone; made anew where the file's is not known any more.
pub(super) async fn token(registry: &mut Registry, url: &str, account: &str, file: &Path) -> Result<()> {
    if let Ok(kept) = std::fs::read_to_string(file)
        && let Ok(channel) = connect(url, &kept)
        && Registry::new(channel).get_caller(GetCallerRequest {}).await.is_ok()
    {
        return Ok(());
    }
    let request = CreateAccountTokenRequest {
        name: account.to_owned(),
        display_name: "cortex dev".to_owned(),
        ..Default::default()
    };
    let made = registry.create_account_token(request).await.map_err(refused)?.into_inner();
    write_secret(file, &made.token)
}

/// The roles that the demo account's External ID opens, one a source, each for its folder alone.
pub(super) fn grant_roles(roles: &Roles, account: &Account, platform_arn: &str) {
    for (_, folder) in SOURCES {
        roles.put(Role {
            arn: role_arn(folder),
            trust: Trust {
                principal: Principal::Arn(platform_arn.to_owned()),
                external_id: Some(account.external_id.clone()),
            },
            grants: vec![Grant { bucket: BUCKET.to_owned(), prefix: folder.to_owned() }],
        });
    }
}

/// One live source a dataset; those that are there stay as they are.
pub(super) async fn sources(registry: &mut Registry, account: &Account) -> Result<()> {
    for (dataset, folder) in SOURCES {
        let request = CreateSourceRequest {
            parent: account.name.clone(),
            source: Some(Source {
                display_name: format!("Demo {folder}"),
                dataset: dataset as i32,
                bucket: BUCKET.to_owned(),
                path: folder.to_owned(),
                role_arn: role_arn(folder),
                ..Source::default()
            }),
            static_keys: None,
            request_id: format!("demo-{folder}"),
        };
        let made = registry.create_source(request).await.map_err(refused)?.into_inner().source;
        let source = made.context("the registry gave no source")?;
        if source.state() == SourceState::Draft {
            let request = ActivateSourceRequest { name: source.name.clone() };
            registry.activate_source(request).await.map_err(refused)?;
        }
    }
    Ok(())
}

/// The folders that sources look into, so that files can be dropped there.
pub(super) fn make_folders(s3: &Path, date: jiff::civil::Date) -> Result<()> {
    for (_, folder) in SOURCES {
        let path = s3.join(BUCKET).join(folder).join(date.to_string());
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Puts the product's sample files into the folders of `date` and the day before: plain, as gzip and as zip.
pub(super) fn put_samples(s3: &Path, date: jiff::civil::Date) -> Result<()> {
    let day_before = date.yesterday().context("the date before the first")?;
    for (kind, (_, folder)) in DatasetKind::ALL.iter().zip(SOURCES) {
        for (position, sample) in dataset::samples(kind).iter().enumerate() {
            let day = if position % 2 == 0 { day_before } else { date };
            let path = s3.join(BUCKET).join(folder).join(day.to_string());
            std::fs::create_dir_all(&path)?;
            let (name, bytes) = match position % 3 {
                0 => (sample.name.to_owned(), sample.bytes.to_vec()),
                1 => (format!("{}.gz", sample.name), gzip(sample.bytes)?),
                _ => (format!("{}.zip", sample.name), zip(sample.name, sample.bytes)?),
            };
            put(&path, &name, &bytes)?;
        }
    }
    Ok(())
}

/// A file appears whole: written beside its place under a name that is left alone, then moved.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let partial = folder.join(format!(".{name}.partial"));
    let path = folder.join(name);
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, &path))
        .with_context(|| path.display().to_string())
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn zip(name: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file(name, SimpleFileOptions::default())?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?.into_inner())
}

fn role_arn(folder: &str) -> String {
    format!("arn:aws:iam::{CUSTOMER}:role/cortex-{folder}")
}
