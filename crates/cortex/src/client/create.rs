//! `cortex source create`, all at once.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, Result};
use api::registry::{CreateSourceRequest, InvalidRows, OverwritePolicy, Source, StaticKeys};

use super::error::refused;
use super::session::{Session, read_secret};
use super::text::constant;
use super::{dataset, schema, source, wizard};
use crate::args::{SourceCreateArgs, SourceFields};
use crate::{Answer, UsageError};

/// With what is given; or step by step, where nothing is and someone is there to be asked.
pub(crate) async fn run(args: SourceCreateArgs) -> Result<Answer> {
    let given = [
        ("--name", args.fields.name.is_some()),
        ("--dataset", args.dataset.is_some()),
        ("--bucket", args.fields.bucket.is_some()),
    ];
    let nothing = given.iter().all(|(_, is_given)| !is_given);
    if args.interactive || (nothing && std::io::stdin().is_terminal()) {
        return wizard::run(Session::open(&args.client)?).await;
    }
    let lacking: Vec<&str> = given.iter().filter(|(_, is_given)| !is_given).map(|(flag, _)| *flag).collect();
    if !lacking.is_empty() {
        let lacking = lacking.join(", ");
        return Err(UsageError(format!("{lacking} must be given; --interactive asks step by step")).into());
    }
    let mut session = Session::open(&args.client)?;
    let parent = session.account(None)?;
    let request = CreateSourceRequest {
        parent,
        static_keys: static_keys(&args.fields)?,
        request_id: args.request_id.clone(),
        source: Some(from_args(args)?),
    };
    let made = session.registry.create_source(request).await.map_err(refused)?.into_inner();
    source::show(&session, made.source)?;
    Ok(Answer::Yes)
}

fn from_args(args: SourceCreateArgs) -> Result<Source> {
    let dataset = dataset::wanted(args.dataset.as_deref().unwrap_or_default())?;
    let invalid_rows = if args.reject_file { InvalidRows::RejectFile } else { InvalidRows::RejectRow };
    let fields = args.fields;
    Ok(Source {
        display_name: fields.name.unwrap_or_default(),
        dataset: dataset as i32,
        bucket: fields.bucket.unwrap_or_default(),
        path: fields.path.unwrap_or_default(),
        role_arn: fields.role_arn.unwrap_or_default(),
        region: fields.region.unwrap_or_default(),
        endpoint_url: fields.endpoint_url.unwrap_or_default(),
        schema: args.schema.as_deref().map(schema::read).transpose()?,
        time_zone: fields.time_zone.unwrap_or_default(),
        expected_bucket_owner: fields.bucket_owner.unwrap_or_default(),
        invalid_rows: invalid_rows as i32,
        overwrite_policy: overwrite_policy(fields.overwrite_policy.as_deref()),
        max_rejected_percent: fields.max_rejected_percent.unwrap_or_default(),
        event_queue_url: fields.event_queue_url.unwrap_or_default(),
        ..Source::default()
    })
}

/// The policy that a word names.
pub(crate) fn overwrite_policy(word: Option<&str>) -> i32 {
    let name = format!("OVERWRITE_POLICY_{}", constant(word.unwrap_or("unspecified")));
    OverwritePolicy::from_str_name(&name).unwrap_or_default() as i32
}

/// Static keys, where both their parts are given.
pub(crate) fn static_keys(fields: &SourceFields) -> Result<Option<StaticKeys>> {
    match (&fields.access_key_id, &fields.secret_key_file) {
        (Some(id), Some(file)) => keys(id, file).map(Some),
        _ => Ok(None),
    }
}

/// Keys whose secret part a file holds.
pub(crate) fn keys(id: &str, file: &Path) -> Result<StaticKeys> {
    let secret = read_secret(file).context("the secret access key")?;
    Ok(StaticKeys { access_key_id: id.to_owned(), secret_access_key: secret.reveal().to_owned() })
}
