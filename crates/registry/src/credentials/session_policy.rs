//! The session policy: what is left of the role's rights for one source.

use bucket::EventQueue;

use crate::config::PlatformIdentity;
use crate::policy::{self, Key, Node, Reach};
use crate::store::SourceSettings;

/// What STS takes, in characters.
#[cfg(test)]
const LONGEST: usize = 2048;

/// The partition of a role's ARN: `aws`, `aws-cn`, `aws-us-gov`.
pub(crate) fn partition(role_arn: &str) -> &str {
    role_arn.split(':').nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws")
}

/// Reading the objects under the source's path, listing that path, asking where the bucket is, and reading the event queue
/// where it has one; nothing else, whatever the role allows. Keys are left to the role: a session that may not decrypt reads
/// nothing that is encrypted by KMS.
pub(crate) fn document(settings: &SourceSettings, platform: &PlatformIdentity) -> Node {
    let event_queue = event_queue(settings, platform).map(|queue| queue.arn());
    policy::permissions(&Reach {
        partition: partition(&settings.role_arn),
        bucket: &settings.bucket,
        path: &settings.path,
        key: Key::Any,
        event_queue: event_queue.as_deref(),
    })
}

/// Allows nothing: for sessions that should not come about.
pub(crate) fn nothing() -> Node {
    policy::nothing()
}

/// The source's event queue; none where it has none, or what stands there is none, which would mean more in a policy.
pub(crate) fn event_queue(settings: &SourceSettings, platform: &PlatformIdentity) -> Option<EventQueue> {
    EventQueue::parse(&settings.event_queue_url, endpoint(&settings.endpoint_url, platform)).ok()
}

/// Where S3 and SQS are for a source: at its own endpoint, at the platform's, or at Amazon.
pub(crate) fn endpoint<'a>(own: &'a str, platform: &'a PlatformIdentity) -> Option<&'a str> {
    if own.is_empty() { platform.s3_endpoint.as_deref() } else { Some(own) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{InvalidRows, OverwritePolicy, SchemaVersion};

    fn amazon() -> PlatformIdentity {
        PlatformIdentity {
            account_id: String::new(),
            region: "us-east-1".into(),
            sts_endpoint: None,
            s3_endpoint: None,
            keys: None,
        }
    }

    fn settings() -> SourceSettings {
        SourceSettings {
            display_name: "x".into(),
            dataset: "EVENTS".into(),
            bucket: String::new(),
            path: String::new(),
            role_arn: String::new(),
            region: String::new(),
            endpoint_url: String::new(),
            expected_bucket_owner: String::new(),
            time_zone: String::new(),
            schema: SchemaVersion { version: 1, json: "{}".into() },
            invalid_rows: InvalidRows::RejectRow,
            overwrite_policy: OverwritePolicy::Replace,
            max_rejected: 0,
            event_queue_url: String::new(),
        }
    }

    #[test]
    fn a_session_is_narrowed_to_what_the_source_needs() {
        let settings = SourceSettings {
            bucket: "b".into(),
            path: "exports/clicks".into(),
            role_arn: "arn:aws-us-gov:iam::111122223333:role/x".into(),
            event_queue_url: "https://sqs.us-gov-west-1.amazonaws.com/111122223333/events".into(),
            ..settings()
        };
        let policy = serde_json::to_value(document(&settings, &amazon())).unwrap();
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws-us-gov:s3:::b/exports/clicks/*");
        assert_eq!(policy["Statement"][3]["Action"], "kms:Decrypt");
        assert_eq!(
            policy["Statement"][4]["Resource"],
            "arn:aws-us-gov:sqs:us-gov-west-1:111122223333:events"
        );
        let without = SourceSettings { event_queue_url: String::new(), ..settings };
        let policy = serde_json::to_value(document(&without, &amazon())).unwrap();
        assert_eq!(policy["Statement"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn a_queue_that_would_mean_more_in_a_policy_gets_no_rights() {
        for url in [
            "https://sqs.*.amazonaws.com/111122223333/events",
            "https://sqs.eu-west-1.amazonaws.com/*/events",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/*",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/a/b",
            "https://sqs.eu-west-1.example.com/111122223333/events",
        ] {
            let settings = SourceSettings { event_queue_url: url.into(), ..settings() };
            assert_eq!(event_queue(&settings, &amazon()), None, "{url}");
        }
    }

    #[test]
    fn the_longest_path_leaves_it_within_what_sts_takes() {
        let settings = SourceSettings {
            bucket: "b".repeat(63),
            path: "p".repeat(crate::validate::LONGEST_PATH),
            role_arn: "arn:aws-us-gov:iam::111122223333:role/x".into(),
            event_queue_url: format!(
                "https://sqs.us-gov-west-1.amazonaws.com/111122223333/{}",
                "q".repeat(80)
            ),
            ..settings()
        };
        let length = document(&settings, &amazon()).to_compact_json().chars().count();
        assert!(length <= LONGEST, "{length}");
    }
}
