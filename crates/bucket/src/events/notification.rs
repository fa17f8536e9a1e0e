//! What a message of the queue says: S3's own notification, the same in SNS's envelope, or EventBridge's event.

use serde::Deserialize;

use crate::listing::{dated, decoded};
use crate::{ListedObject, Location};

use super::EventObject;

/// SNS puts a message into one envelope, not into many.
const ENVELOPES: usize = 2;

/// A message that is none of these.
#[derive(Debug, thiserror::Error)]
#[error("it is no event notification of S3, SNS or EventBridge")]
pub(super) struct NotUnderstood;

/// Any of the messages; which one, its fields say.
#[derive(Deserialize)]
struct Message {
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
    /// `s3:TestEvent`, sent when a notification is set up.
    #[serde(rename = "Event")]
    test: Option<String>,
    /// SNS's envelope: the message as text.
    #[serde(rename = "Message")]
    enveloped: Option<String>,
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
    source: Option<String>,
    time: Option<String>,
    detail: Option<Detail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    event_time: Option<String>,
    s3: Option<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    bucket: BucketName,
    object: Object,
}

#[derive(Deserialize)]
struct BucketName {
    name: String,
}

/// The ETag is `eTag` in S3's own notifications and `etag` in EventBridge's.
#[derive(Deserialize)]
struct Object {
    key: String,
    size: Option<u64>,
    #[serde(alias = "eTag")]
    etag: Option<String>,
    sequencer: Option<String>,
}

/// The objects of the location that the message says were created; none where it says something else.
pub(super) fn objects(body: &str, location: &Location) -> Result<Vec<EventObject>, NotUnderstood> {
    let mut message: Message = serde_json::from_str(body).map_err(|_| NotUnderstood)?;
    for _ in 1..ENVELOPES {
        let Some(inner) = message.enveloped.take() else { break };
        message = serde_json::from_str(&inner).map_err(|_| NotUnderstood)?;
    }
    if let Some(records) = message.records {
        let created = records.into_iter().filter(|record| is_created(&record.event_name));
        let found = created.map(|record| {
            let Detail { bucket, mut object } = record.s3.ok_or(NotUnderstood)?;
            object.key = decoded(&object.key);
            object_of(&bucket, object, record.event_time, location)
        });
        return found.filter_map(Result::transpose).collect();
    }
    if let (Some(kind), Some("aws.s3")) = (&message.detail_type, message.source.as_deref()) {
        if kind != "Object Created" {
            return Ok(Vec::new());
        }
        let Detail { bucket, object } = message.detail.ok_or(NotUnderstood)?;
        return Ok(object_of(&bucket, object, message.time, location)?.into_iter().collect());
    }
    match message.test.as_deref() {
        Some("s3:TestEvent") => Ok(Vec::new()),
        _ => Err(NotUnderstood),
    }
}

fn is_created(event_name: &str) -> bool {
    event_name.strip_prefix("s3:").unwrap_or(event_name).starts_with("ObjectCreated:")
}

/// None where listing the location would not find it.
fn object_of(
    bucket: &BucketName,
    object: Object,
    at: Option<String>,
    location: &Location,
) -> Result<Option<EventObject>, NotUnderstood> {
    if bucket.name != location.bucket {
        return Ok(None);
    }
    let Some(date) = dated(&object.key, &location.prefix()) else { return Ok(None) };
    let (Some(etag), Some(size), Some(last_modified)) =
        (object.etag, object.size, at.and_then(|at| at.parse().ok()))
    else {
        return Err(NotUnderstood);
    };
    let etag = etag.trim_matches('"').to_owned();
    Ok(Some(EventObject {
        date,
        object: ListedObject { key: object.key, etag, size, last_modified },
        sequencer: object.sequencer.unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::{Value, json};

    use super::*;

    fn location() -> Location {
        Location {
            bucket: "b".into(),
            path: "data/events".into(),
            region: None,
            endpoint_url: None,
            expected_bucket_owner: None,
        }
    }

    fn record(name: &str, bucket: &str, key: &str) -> Value {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": name,
            "eventTime": "2026-11-24T10:11:12.345Z",
            "s3": {
                "bucket": { "name": bucket, "arn": "arn:aws:s3:::b" },
                "object": { "key": key, "size": 7, "eTag": "abc", "sequencer": "0A" }
            }
        })
    }

    fn found(message: &Value) -> Vec<EventObject> {
        objects(&message.to_string(), &location()).unwrap()
    }

    fn keys(records: Value) -> Vec<String> {
        found(&json!({ "Records": records })).into_iter().map(|found| found.object.key).collect()
    }

    fn expected(key: &str) -> EventObject {
        EventObject {
            date: date(2026, 11, 23),
            object: ListedObject {
                key: key.into(),
                etag: "abc".into(),
                size: 7,
                last_modified: "2026-11-24T10:11:12.345Z".parse().unwrap(),
            },
            sequencer: "0A".into(),
        }
    }

    #[test]
    fn s3_s_own_message_names_objects_in_url_form() {
        let key = "data/events/2026-11-23/a+b%2Bc%C3%A9.csv";
        let message = json!({ "Records": [record("ObjectCreated:Put", "b", key)] });
        assert_eq!(found(&message), [expected("data/events/2026-11-23/a b+cé.csv")]);
    }

    #[test]
    fn sns_s_envelope_is_opened() {
        let key = "data/events/2026-11-23/a.csv";
        let inner = json!({ "Records": [record("ObjectCreated:CompleteMultipartUpload", "b", key)] });
        let message = json!({ "Type": "Notification", "Subject": "Amazon S3", "Message": inner.to_string() });
        assert_eq!(found(&message), [expected(key)]);
        let test = json!({ "Type": "Notification", "Message": "{\"Event\": \"s3:TestEvent\"}" });
        assert_eq!(found(&test), []);
    }

    #[test]
    fn event_bridge_s_event_names_an_object_as_it_is() {
        let event = |kind: &str| {
            json!({
                "version": "0", "detail-type": kind, "source": "aws.s3", "time": "2026-11-24T10:11:12.345Z",
                "detail": {
                    "bucket": { "name": "b" }, "reason": "PutObject",
                    "object": { "key": "data/events/2026-11-23/a+b%20.csv", "size": 7, "etag": "abc", "sequencer": "0A" }
                }
            })
        };
        assert_eq!(found(&event("Object Created")), [expected("data/events/2026-11-23/a+b%20.csv")]);
        assert_eq!(found(&event("Object Deleted")), []);
    }

    #[test]
    fn the_test_event_says_nothing() {
        let message = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" });
        assert_eq!(found(&message), []);
    }

    #[test]
    fn what_listing_would_not_find_is_left_out() {
        let named = |key: &str| record("ObjectCreated:Put", "b", key);
        let kept = "data/events/2026-11-23/hour%3D7/a.csv";
        let records = json!([
            record("ObjectCreated:Put", "another", "data/events/2026-11-23/a.csv"),
            record("ObjectRemoved:Delete", "b", "data/events/2026-11-23/a.csv"),
            named("data/items/2026-11-23/a.csv"),
            named("data/events2/2026-11-23/a.csv"),
            named("2026-11-23/a.csv"),
            named("data/events/a.csv"),
            named("data/events/2026-11-23"),
            named("data/events/23-11-2026/a.csv"),
            named("data/events/2026-02-30/a.csv"),
            named("data/events/2026-11-23/"),
            named("data/events/2026-11-23/hour%3D7/"),
            named("data/events/2026-11-23/_SUCCESS"),
            named("data/events/2026-11-23/_temporary/0/a.csv"),
            named("data/events/2026-11-23/.part"),
            named(kept),
        ]);
        assert_eq!(keys(records), ["data/events/2026-11-23/hour=7/a.csv"]);
    }

    #[test]
    fn what_is_no_event_is_not_understood() {
        let mut lacking = record("ObjectCreated:Put", "b", "data/events/2026-11-23/a.csv");
        lacking["s3"]["object"].as_object_mut().unwrap().remove("eTag");
        for body in [
            "",
            "hello",
            "[]",
            "{}",
            r#"{"Records": [{}]}"#,
            r#"{"Event": "another"}"#,
            r#"{"Message": "hello"}"#,
            r#"{"detail-type": "Object Created", "source": "aws.s3"}"#,
            &json!({ "Records": [lacking] }).to_string(),
        ] {
            assert!(objects(body, &location()).is_err(), "{body}");
        }
    }
}
