//! `cortex validate` on objects of an S3 server that nobody here wrote.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Cursor, Write};
use std::process::Output;

use end_to_end::process::cortex;
use end_to_end::s3::Store;
use serde_json::{Value, json};
use services::{ForeignS3, S3Proxy};
use zip::write::SimpleFileOptions;

fn validate(s3: &ForeignS3, secret_key: &str, arguments: &[&str]) -> (Output, Vec<Value>) {
    validate_at(s3.endpoint(), s3, secret_key, arguments)
}

fn validate_at(endpoint: &str, s3: &ForeignS3, secret_key: &str, arguments: &[&str]) -> (Output, Vec<Value>) {
    let output = cortex()
        .unwrap()
        .args(["validate", "--dataset=events", "--json"])
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", s3.access_key())
        .env("AWS_SECRET_ACCESS_KEY", secret_key)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL_S3", endpoint)
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

#[test]
fn a_zip_is_read_by_ranges() {
    let s3 = services::shared::s3().unwrap();
    let store = Store::new(s3.endpoint(), s3.access_key(), s3.secret_key(), "validate-zip-bucket").unwrap();
    let packed = SimpleFileOptions::default();
    let stored = packed.compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, options: SimpleFileOptions, bytes: &[u8]| {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    };
    let rows = |user: &str, count: usize| {
        let row = |row| format!("{user}-{row},2025-11-23T10:00:00Z,view\n");
        format!("user_id,timestamp,type\n{}", (0..count).map(row).collect::<String>())
    };
    // What is left alone is most of the object, and stands between what is read.
    const LEFT_ALONE: usize = 96 << 20;
    put("a.csv", packed, rows("a", 20_000).as_bytes());
    put("__MACOSX/._a.csv", stored, &vec![b'x'; LEFT_ALONE / 2]);
    put("deep/b.json", stored, b"{\"user_id\":\"b\",\"timestamp\":1,\"type\":\"t\"}\n{\"user_id\":\"b\"}\n");
    put(".cache/blob", stored, &vec![b'y'; LEFT_ALONE / 2]);
    put("c.tsv", packed, rows("c", 20_000).replace(',', "\t").as_bytes());
    let object = zip.finish().unwrap().into_inner();
    store.put("events/2025-11-23/all.zip", &object).unwrap();
    let address = "s3://validate-zip-bucket/events/2025-11-23/all.zip";

    let proxy = S3Proxy::start(s3.endpoint()).unwrap();
    let (output, found) = validate_at(&proxy.endpoint(), s3, s3.secret_key(), &[address]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report = &found[0];
    assert_eq!(
        (&report["compression"], &report["outcome"]),
        (&json!("zip"), &json!("ACCEPTED_WITH_REJECTIONS"))
    );
    assert_eq!((&report["accepted"], &report["rejected"]), (&json!(40_001), &json!(1)), "{report}");
    assert_eq!(report["rejections"], json!({ "missing_value": 1 }), "{report}");
    let ranges = proxy.requests().iter().filter(|seen| seen.range.is_some()).count();
    assert!(ranges > 1, "{:?}", proxy.requests());
    let served = proxy.bytes_served();
    assert!(served < object.len() as u64 / 2, "{served} of {} bytes, by {ranges} ranges", object.len());
}
