//! `cortex source update`: what is given is changed, and nothing else.

use anyhow::Result;
use api::registry::{InvalidRows, Source, UpdateSourceRequest};

use super::create::{overwrite_policy, static_keys};
use super::error::refused;
use super::session::Session;
use super::source;
use crate::UsageError;
use crate::args::SourceUpdateArgs;

/// `cortex source update`
pub(crate) async fn run(args: SourceUpdateArgs) -> Result<()> {
    let static_keys = static_keys(&args.fields)?;
    let (mut source, mut paths) = changed(&args);
    if static_keys.is_some() {
        paths.push("static_keys".to_owned());
    }
    if paths.is_empty() {
        return Err(UsageError(
            "nothing is to be changed; `cortex source update --help` lists what can be".into(),
        )
        .into());
    }
    let mut session = Session::open(&args.client)?;
    source.name = session.source(&args.source).await?;
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = UpdateSourceRequest { source: Some(source), update_mask, static_keys };
    let updated = session.registry.update_source(request).await.map_err(refused)?.into_inner();
    source::show(&session, updated.source)
}

/// The fields that are given, and their names in the contract.
fn changed(args: &SourceUpdateArgs) -> (Source, Vec<String>) {
    let mut source = Source { etag: args.etag.clone(), ..Source::default() };
    let mut paths = Vec::new();
    let fields = &args.fields;
    let texts = [
        ("display_name", &fields.name, &mut source.display_name),
        ("bucket", &fields.bucket, &mut source.bucket),
        ("path", &fields.path, &mut source.path),
        ("role_arn", &fields.role_arn, &mut source.role_arn),
        ("region", &fields.region, &mut source.region),
        ("endpoint_url", &fields.endpoint_url, &mut source.endpoint_url),
        ("time_zone", &fields.time_zone, &mut source.time_zone),
        ("expected_bucket_owner", &fields.bucket_owner, &mut source.expected_bucket_owner),
        ("event_queue_url", &fields.event_queue_url, &mut source.event_queue_url),
    ];
    for (path, given, field) in texts {
        if let Some(given) = given {
            field.clone_from(given);
            paths.push(path.to_owned());
        }
    }
    if let Some(word) = &args.reject {
        let invalid_rows = if word == "file" { InvalidRows::RejectFile } else { InvalidRows::RejectRow };
        source.invalid_rows = invalid_rows as i32;
        paths.push("invalid_rows".to_owned());
    }
    if let Some(word) = &fields.overwrite_policy {
        source.overwrite_policy = overwrite_policy(Some(word));
        paths.push("overwrite_policy".to_owned());
    }
    if let Some(percent) = fields.max_rejected_percent {
        source.max_rejected_percent = percent;
        paths.push("max_rejected_percent".to_owned());
    }
    (source, paths)
}
