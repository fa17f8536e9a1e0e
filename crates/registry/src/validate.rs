//! A source as a client sent it, made one that can be stored; every broken rule is named.

use api::registry::{Dataset, Source};
use bucket::EventQueue;
use dataset::Schema;

use crate::config::Config;
use crate::credentials::session_policy;
use crate::error::{CallError, Violation};
use crate::schema::{dataset_name, schema_from_api};
use crate::store::{InvalidRows, OverwritePolicy, SchemaVersion, SourceSettings};

/// Checks what the client sent. A draft may lack its bucket and its role.
pub(crate) fn source(
    config: &Config,
    source: &Source,
    has_keys: bool,
    is_draft: bool,
) -> Result<SourceSettings, CallError> {
    let mut broken = Vec::new();
    let path = source.path.trim_matches('/').to_owned();
    if !(is_draft && source.bucket.is_empty()) {
        check_bucket("source.bucket", &source.bucket, &mut broken);
    }
    check_path("source.path", &path, &mut broken);
    if !source.region.is_empty() && !bucket::is_region(&source.region) {
        let rule = format!("{:?} must be a region, such as eu-west-1", source.region);
        broken.push(Violation::new("source.region", rule));
    }
    check_access(config, source, has_keys, is_draft, &mut broken);
    check_event_queue(config, source, &mut broken);
    if source.display_name.trim().is_empty() || source.display_name.chars().count() > 200 {
        broken.push(Violation::new("source.display_name", "1 to 200 characters"));
    }
    if !source.time_zone.is_empty() && jiff::tz::TimeZone::get(&source.time_zone).is_err() {
        let rule = format!("{:?} must be an IANA zone, such as Europe/Paris", source.time_zone);
        broken.push(Violation::new("source.time_zone", rule));
    }
    check_threshold(source.max_rejected_percent, &mut broken);
    let schema = schema(source, &mut broken);
    match schema {
        Some(schema) if broken.is_empty() => Ok(SourceSettings {
            display_name: source.display_name.trim().to_owned(),
            dataset: dataset_name(source.dataset()).to_owned(),
            bucket: source.bucket.clone(),
            path,
            role_arn: source.role_arn.clone(),
            region: source.region.clone(),
            endpoint_url: source.endpoint_url.trim_end_matches('/').to_owned(),
            expected_bucket_owner: source.expected_bucket_owner.clone(),
            time_zone: source.time_zone.clone(),
            schema,
            invalid_rows: match source.invalid_rows() {
                api::registry::InvalidRows::RejectFile => InvalidRows::RejectFile,
                _ => InvalidRows::RejectRow,
            },
            overwrite_policy: match source.overwrite_policy() {
                api::registry::OverwritePolicy::IngestAgain => OverwritePolicy::IngestAgain,
                api::registry::OverwritePolicy::Ignore => OverwritePolicy::Ignore,
                _ => OverwritePolicy::Replace,
            },
            max_rejected: basis_points(source.max_rejected_percent),
            event_queue_url: source.event_queue_url.clone(),
        }),
        _ => Err(CallError::Invalid(broken)),
    }
}

/// The schema that the client sent, or the dataset's own.
fn schema(source: &Source, broken: &mut Vec<Violation>) -> Option<SchemaVersion> {
    if source.dataset() == Dataset::Unspecified {
        broken.push(Violation::new("source.dataset", "one of events, attributes, items, ID mappings"));
        return None;
    }
    let schema = match &source.schema {
        None => schema_from_api(&api::registry::Schema { dataset: source.dataset, ..Default::default() }),
        Some(sent) if sent.dataset() != Dataset::Unspecified && sent.dataset() != source.dataset() => {
            broken.push(Violation::new("source.schema.dataset", "must be the source's dataset"));
            return None;
        }
        Some(sent) => schema_from_api(&api::registry::Schema { dataset: source.dataset, ..sent.clone() }),
    };
    let json =
        schema.and_then(|schema: Schema| serde_json::to_string(&schema).map_err(|error| error.to_string()));
    match json {
        Ok(json) => Some(SchemaVersion { version: 1, json }),
        Err(reason) => {
            broken.push(Violation::new("source.schema", reason));
            None
        }
    }
}

fn check_threshold(percent: f64, broken: &mut Vec<Violation>) {
    if !(0.0..100.0).contains(&percent) || (percent > 0.0 && basis_points(percent) == 0) {
        let rule = "0 for no limit, or 0.01 up to less than 100";
        broken.push(Violation::new("source.max_rejected_percent", rule));
    }
}

/// Hundredths of a percent.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage was checked before")]
fn basis_points(percent: f64) -> u32 {
    (percent * 100.0).round().clamp(0.0, 10_000.0) as u32
}

/// Amazon's rules for general purpose buckets.
pub(crate) fn check_bucket(field: &str, bucket: &str, broken: &mut Vec<Violation>) {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let well_formed = (3..=63).contains(&bucket.len())
        && bucket.chars().all(allowed)
        && bucket.starts_with(edge)
        && bucket.ends_with(edge)
        && !bucket.contains("..")
        && bucket.parse::<std::net::Ipv4Addr>().is_err();
    if !well_formed {
        let rule = format!(
            "{bucket:?}: a bucket's name has 3 to 63 of a-z, 0-9, '-' and '.', begins and ends with a letter or digit"
        );
        broken.push(Violation::new(field, rule));
    }
}

/// In bytes. It stands twice in the session policy, of which STS takes 2,048 characters.
pub(crate) const LONGEST_PATH: usize = 500;

pub(crate) fn check_path(field: &str, path: &str, broken: &mut Vec<Violation>) {
    let wrong_part =
        path.split('/').any(|part| part == "." || part == ".." || (part.is_empty() && !path.is_empty()));
    if path.len() > LONGEST_PATH || wrong_part || path.chars().any(char::is_control) {
        let rule =
            "a folder path of at most 500 bytes, without empty, '.' or '..' parts and control characters";
        broken.push(Violation::new(field, rule));
    }
    // A wildcard would widen the session policy that the path is written into.
    if path.contains(['*', '?', '$']) {
        broken.push(Violation::new(field, "must not hold '*', '?' or '$', which mean more in an IAM policy"));
    }
}

/// The queue is the source's own to name, and its session goes there: nowhere but to Amazon or the endpoint it is for.
fn check_event_queue(config: &Config, source: &Source, broken: &mut Vec<Violation>) {
    let endpoint = session_policy::endpoint(&source.endpoint_url, &config.platform);
    if !source.event_queue_url.is_empty()
        && let Err(error) = EventQueue::parse(&source.event_queue_url, endpoint)
    {
        broken.push(Violation::new("source.event_queue_url", error.to_string()));
    }
}

/// Either a role, or static keys at an endpoint that the operator allows.
fn check_access(
    config: &Config,
    source: &Source,
    has_keys: bool,
    is_draft: bool,
    broken: &mut Vec<Violation>,
) {
    let endpoint = source.endpoint_url.trim_end_matches('/');
    let allowed = config.allowed_endpoints.iter().any(|one| one.trim_end_matches('/') == endpoint);
    if !endpoint.is_empty() && !allowed {
        let rule = format!("{endpoint:?} is not among the endpoints that the operator allows");
        broken.push(Violation::new("source.endpoint_url", rule));
    }
    if has_keys && endpoint.is_empty() {
        broken.push(Violation::new("static_keys", "only with an endpoint_url that the operator allows"));
    }
    if has_keys && config.sealing_key.is_none() {
        broken.push(Violation::new(
            "static_keys",
            "the operator has set no sealing_key, so keys cannot be kept",
        ));
    }
    let is_to_come = is_draft && source.role_arn.is_empty();
    if !has_keys && !is_to_come && !is_role_arn(&source.role_arn) {
        let rule = format!(
            "{:?} must be arn:aws:iam::ACCOUNT:role/NAME, with 12 digits for ACCOUNT",
            source.role_arn
        );
        broken.push(Violation::new("source.role_arn", rule));
    }
    let owner = &source.expected_bucket_owner;
    if !owner.is_empty() && !is_aws_account(owner) {
        broken.push(Violation::new("source.expected_bucket_owner", "12 digits"));
    }
}

fn is_role_arn(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let partition = |part: &str| part == "aws" || part.starts_with("aws-");
    parts.next() == Some("arn")
        && parts.next().is_some_and(partition)
        && parts.next() == Some("iam")
        && parts.next() == Some("")
        && parts.next().is_some_and(is_aws_account)
        && parts.next().and_then(|role| role.strip_prefix("role/")).is_some_and(is_role_name)
}

pub(crate) fn is_role_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_/".contains(c);
    !name.is_empty() && name.len() <= 512 && name.chars().all(allowed)
}

/// A name that means nothing more in an ARN.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

pub(crate) fn is_aws_account(id: &str) -> bool {
    id.len() == 12 && id.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arns_are_taken_only_in_their_form() {
        assert!(is_role_arn("arn:aws:iam::123456789012:role/cortex"));
        assert!(is_role_arn("arn:aws-cn:iam::123456789012:role/team/cortex"));
        for wrong in [
            "",
            "arn:aws:iam::12345678901:role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:s3:::bucket",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
        ] {
            assert!(!is_role_arn(wrong), "{wrong}");
        }
    }

    #[test]
    fn bucket_names_and_paths_are_held_to_the_rules() {
        let broken = |bucket: &str| {
            let mut broken = Vec::new();
            check_bucket("bucket", bucket, &mut broken);
            !broken.is_empty()
        };
        assert!(!broken("my-bucket.eu"));
        assert!(["ab", "My", "a..b", "-ab", "192.168.1.1", "a_b"].into_iter().all(broken));
        let mut found = Vec::new();
        check_path("path", "a/*", &mut found);
        check_path("path", "a/../b", &mut found);
        assert_eq!(found.len(), 2);
    }
}
