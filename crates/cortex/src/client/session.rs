//! A client command's way to the registry, and what it means by an account or a source.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use api::client::{Registry, connect_with};
use api::registry::{ListSourcesRequest, Source};

use super::error::{ClientError, refused};
use super::profile::{Profile, Profiles};
use crate::args::ClientArgs;
use crate::dev::Endpoints;
use crate::settings::Secret;
use crate::{UsageError, tls};

/// Bytes of the largest answer that is read: a page of a thousand files, each with its warnings.
const MAX_ANSWER: usize = 64 << 20;
/// The data folder of `cortex dev` where nothing else is given.
const DEV_DIR: &str = ".cortex";

impl ClientArgs {
    /// The data folder of the `cortex dev` that is meant.
    pub(crate) fn dev_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| DEV_DIR.into())
    }
}

/// A registry to ask, and what was said along with it.
pub(crate) struct Session {
    /// The registry.
    pub(crate) registry: Registry,
    /// Answers are printed as JSON.
    pub(crate) json: bool,
    account: Option<String>,
}

/// Where the registry is, what opens it, and the account that is meant.
struct Way {
    url: String,
    token: Secret,
    tls: api::client::ClientTls,
    account: Option<String>,
}

impl Session {
    /// As flags and environment say; else as the profile; else as a `cortex dev` wrote it down.
    pub(crate) fn open(args: &ClientArgs) -> Result<Self> {
        let way = way(args)?;
        let channel = connect_with(&way.url, way.token.reveal(), &way.tls)?;
        let registry = Registry::new(channel).max_decoding_message_size(MAX_ANSWER);
        Ok(Self { registry, json: args.json, account: way.account })
    }

    /// The name of an account: the one that is given, or else the session's.
    pub(crate) fn account(&self, given: Option<&str>) -> Result<String> {
        let account = given.map(str::to_owned).or_else(|| self.account.clone()).ok_or_else(|| {
            UsageError(
                "no account is named; give --account ID, CORTEX_ACCOUNT, or set one in the profile".into(),
            )
        })?;
        Ok(if account.starts_with("accounts/") { account } else { format!("accounts/{account}") })
    }

    /// The name of a source that is given by its name, its id, or its display name within the account.
    pub(crate) async fn source(&mut self, given: &str) -> Result<String> {
        if given.starts_with("accounts/") {
            return Ok(given.to_owned());
        }
        let account = self.account(None)?;
        let sources = all_sources(&mut self.registry, &account, "", true).await?;
        named(given, &account, &sources).map_err(Into::into)
    }
}

/// Which of an account's sources is meant.
fn named(given: &str, account: &str, sources: &[Source]) -> Result<String, ClientError> {
    let by_id = sources.iter().find(|source| source.name.rsplit('/').next() == Some(given));
    if let Some(source) = by_id {
        return Ok(source.name.clone());
    }
    let mut by_name = sources.iter().filter(|source| source.display_name == given);
    match (by_name.next(), by_name.count()) {
        (Some(source), 0) => Ok(source.name.clone()),
        (Some(_), others) => Err(ClientError::Ambiguous(format!(
            "{} sources of {account} are called {given:?}; give the id, which `cortex source list` shows",
            others + 1
        ))),
        (None, _) => Err(ClientError::Unknown(format!(
            "no source of {account} has the id or the name {given:?}; `cortex source list` shows all"
        ))),
    }
}

fn way(args: &ClientArgs) -> Result<Way> {
    let is_dev = args.data_dir.is_some() && args.profile.is_none();
    let profile = if is_dev { None } else { Profiles::read()?.chosen(args.profile.as_deref())? };
    let profile = profile.unwrap_or_default();
    // A token and a certificate are for the registry that the profile names, and not shown to another.
    let is_elsewhere = args.registry_url.is_some() && args.registry_url != profile.registry_url;
    let credentials = if is_elsewhere { Profile::default() } else { profile.clone() };
    let account = args.account.clone().or_else(|| profile.account.clone());
    let url = args.registry_url.clone().or_else(|| profile.registry_url.clone());
    let token = match &args.token_file {
        Some(file) => Some(read_secret(file)?),
        None => credentials.token()?,
    };
    let tls = || {
        let file =
            |given: &Option<PathBuf>, of_profile: &Option<PathBuf>| given.clone().or(of_profile.clone());
        let ca = file(&args.registry_ca_file, &credentials.registry_ca_file);
        let cert = file(&args.registry_client_cert_file, &credentials.registry_client_cert_file);
        let key = file(&args.registry_client_key_file, &credentials.registry_client_key_file);
        tls::client(ca.as_deref(), cert.as_deref(), key.as_deref())
    };
    match (url, token) {
        (Some(url), Some(token)) => Ok(Way { url, token, tls: tls()?, account }),
        (url, token) => {
            let dev = Endpoints::read(&args.dev_dir()).with_context(|| {
                UsageError(
                    "no registry is named; give --registry-url and --token-file, a profile (`cortex profile set`), \
                     or the --data-dir of a `cortex dev`"
                        .into(),
                )
            })?;
            let tls = if url.is_some() { tls()? } else { api::client::ClientTls::default() };
            Ok(Way {
                url: url.unwrap_or(dev.registry),
                token: token.map_or_else(|| read_secret(&dev.admin_token_file), Ok)?,
                tls,
                account: account.or(dev.account),
            })
        }
    }
}

/// A secret that a file holds.
pub(crate) fn read_secret(path: &Path) -> Result<Secret> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(Secret::new(text.trim()))
}

/// Every source of an account that fits the filter.
pub(crate) async fn all_sources(
    registry: &mut Registry,
    account: &str,
    filter: &str,
    show_deleted: bool,
) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListSourcesRequest {
            parent: account.to_owned(),
            page_size: 1_000,
            page_token,
            filter: filter.to_owned(),
            show_deleted,
        };
        let page = registry.list_sources(request).await.map_err(refused)?.into_inner();
        sources.extend(page.sources);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(sources);
        }
    }
}
