//! An update of a source: the fields that the mask names, out of what was sent, over what stands.

use api::registry::Source;

use crate::error::CallError;

/// The fields that a mask may name, but for `static_keys`, which do not stand in the source.
const FIELDS: [&str; 12] = [
    "display_name",
    "bucket",
    "path",
    "role_arn",
    "region",
    "endpoint_url",
    "time_zone",
    "expected_bucket_owner",
    "invalid_rows",
    "overwrite_policy",
    "max_rejected_percent",
    "event_queue_url",
];

/// `before` with the fields of `sent` that `paths` names.
///
/// # Errors
/// Where `paths` is empty, or names what cannot be changed.
pub(crate) fn update(before: Source, sent: Source, paths: &[String]) -> Result<Source, CallError> {
    let mut merged = before;
    if paths.is_empty() {
        return Err(CallError::invalid(
            "update_mask",
            format!("names what to change: {}", FIELDS.join(", ")),
        ));
    }
    for path in paths {
        match path.as_str() {
            "display_name" => merged.display_name.clone_from(&sent.display_name),
            "bucket" => merged.bucket.clone_from(&sent.bucket),
            "path" => merged.path.clone_from(&sent.path),
            "role_arn" => merged.role_arn.clone_from(&sent.role_arn),
            "region" => merged.region.clone_from(&sent.region),
            "endpoint_url" => merged.endpoint_url.clone_from(&sent.endpoint_url),
            "time_zone" => merged.time_zone.clone_from(&sent.time_zone),
            "expected_bucket_owner" => merged.expected_bucket_owner.clone_from(&sent.expected_bucket_owner),
            "invalid_rows" => merged.invalid_rows = sent.invalid_rows,
            "overwrite_policy" => merged.overwrite_policy = sent.overwrite_policy,
            "max_rejected_percent" => merged.max_rejected_percent = sent.max_rejected_percent,
            "event_queue_url" => merged.event_queue_url.clone_from(&sent.event_queue_url),
            "static_keys" => {}
            "schema" => {
                let rule = "the schema is changed by SetSourceSchema, which tells what would break";
                return Err(CallError::invalid("update_mask", rule));
            }
            other => {
                let rule = format!("`{other}` cannot be changed; these can: {}", FIELDS.join(", "));
                return Err(CallError::invalid("update_mask", rule));
            }
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_mask_is_taken_over_and_no_other() {
        let before = Source { display_name: "a".into(), bucket: "before".into(), ..Source::default() };
        let sent = Source {
            display_name: "b".into(),
            bucket: "sent".into(),
            path: "p".into(),
            role_arn: "r".into(),
            region: "g".into(),
            endpoint_url: "e".into(),
            time_zone: "t".into(),
            expected_bucket_owner: "o".into(),
            invalid_rows: 2,
            overwrite_policy: 3,
            max_rejected_percent: 4.0,
            event_queue_url: "q".into(),
            ..Source::default()
        };
        let all: Vec<String> = FIELDS.iter().map(|&field| field.to_owned()).collect();
        assert_eq!(update(before.clone(), sent.clone(), &all).unwrap(), sent);
        let one = update(before.clone(), sent, &["display_name".to_owned()]).unwrap();
        assert_eq!(one, Source { display_name: "b".into(), ..before.clone() });
        for wrong in ["name", "schema", "state", "static_key", "*"] {
            assert!(update(before.clone(), Source::default(), &[wrong.to_owned()]).is_err(), "{wrong}");
        }
        assert!(update(before, Source::default(), &[]).is_err());
    }
}
