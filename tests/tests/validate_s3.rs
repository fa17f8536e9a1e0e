//! `cortex validate` on objects of an S3 server that nobody here wrote.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Output;

use end_to_end::process::cortex;
use end_to_end::s3::Store;
use serde_json::{Value, json};
use services::ForeignS3;

fn validate(s3: &ForeignS3, secret_key: &str, arguments: &[&str]) -> (Output, Vec<Value>) {
    let output = cortex()
        .unwrap()
        .args(["validate", "--dataset=events", "--json"])
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", s3.access_key())
        .env("AWS_SECRET_ACCESS_KEY", secret_key)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL_S3", s3.endpoint())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let reports = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output, reports)
}

#[test]
fn objects_are_read_with_the_environments_identity() {
    let s3 = services::shared::s3().unwrap();
    let store = Store::new(s3.endpoint(), s3.access_key(), s3.secret_key(), "validate-bucket").unwrap();
    let mut text = String::from("user_id,timestamp,type\n");
    for row in 0..50_000 {
        text.push_str(&format!("user-{row},2026-11-23T10:00:00Z,view\n"));
    }
    text.push_str("user,soon,view\n");
    store.put("events/2026-11-23/a b.csv", text.as_bytes()).unwrap();
    let address = "s3://validate-bucket/events/2026-11-23/a b.csv";
    let absent = "s3://validate-bucket/events/2026-11-23/absent.csv";
    let no_bucket = "s3://no-such-bucket-here/a.csv";

    let (output, found) =
        validate(s3, s3.secret_key(), &[address, absent, no_bucket, "s3://validate-bucket/"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        (&found[0]["file"], &found[0]["outcome"]),
        (&json!(address), &json!("ACCEPTED_WITH_REJECTIONS"))
    );
    assert_eq!((&found[0]["accepted"], &found[0]["rejected"]), (&json!(50_000), &json!(1)));
    for (index, report) in found.iter().enumerate().skip(1) {
        assert_eq!(report["outcome"], "REJECTED", "{index}: {report}");
        assert!(report["error"]["code"].is_string(), "{report}");
    }
    assert_eq!(found[1]["error"]["code"], "not_found");

    let (_, found) = validate(s3, s3.secret_key(), &["--reject-file", address]);
    assert_eq!(found[0]["error"]["code"], "invalid_rows", "read twice: {}", found[0]);

    let (output, found) = validate(s3, "not-the-secret", &[address]);
    assert_eq!(found[0]["outcome"], "REJECTED");
    assert_eq!(found[0]["error"]["code"], "credentials_refused", "{}", found[0]);
    let said = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains("not-the-secret"));
}
