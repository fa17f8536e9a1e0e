//! Previews and proposals: files are read as a live source would, and nothing is published.

use std::io::Write as _;

use api::registry::{
    Column, ColumnType, PreviewSourceRequest, PreviewSourceResponse, ProposeSourceSchemaRequest,
    SetSourceSchemaRequest, Source,
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::fixture::{Fixture, source};

async fn world() -> (Fixture, Source) {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    fixture.trust(&account.external_id);
    let draft = fixture.draft(&account).await;
    (fixture, draft)
}

fn request(draft: &Source) -> PreviewSourceRequest {
    PreviewSourceRequest { name: draft.name.clone(), ..Default::default() }
}

async fn preview(fixture: &Fixture, request: PreviewSourceRequest) -> Vec<PreviewSourceResponse> {
    let mut answers = fixture.as_admin().preview_source(request).await.unwrap().into_inner();
    let mut files = Vec::new();
    while let Some(file) = answers.message().await.unwrap() {
        files.push(file);
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_files_are_shown_raw_and_typed_and_nothing_is_published() {
    let (fixture, draft) = world().await;
    fixture.put(
        "events/2026-11-24/b.csv",
        "user_id,timestamp,type,price\nu1,2026-11-24T10:00:00Z,view,9.5\nu2,soon,buy,1\n",
    );
    let files = preview(&fixture, request(&draft)).await;
    assert_eq!(files.len(), 2);
    let newest = &files[0];
    assert_eq!(newest.object_key, "events/2026-11-24/b.csv");
    assert_eq!((newest.format.as_str(), newest.compression.as_str()), ("csv", "none"));
    assert_eq!((newest.rows, newest.accepted, newest.rejected, newest.complete), (2, 1, 1, true));
    assert_eq!(newest.rejections["invalid_type"], 1);
    let shown = &newest.records[0];
    assert_eq!((shown.row_number, shown.raw.trim_end()), (Some(1), "u1,2026-11-24T10:00:00Z,view,9.5"));
    let typed: serde_json::Value = serde_json::from_str(&shown.json).unwrap();
    assert_eq!((&typed["user_id"], &typed["timestamp"]), (&"u1".into(), &"2026-11-24T10:00:00Z".into()));
    let error = &newest.errors[0];
    assert_eq!((error.row_number, error.column.as_str()), (Some(2), "timestamp"));
    assert!(error.raw.contains("soon") && !error.advice.is_empty(), "{error:?}");
    // The fixture's own file has a header and no row.
    assert_eq!(files[1].rows, 0);

    let queue = fixture.queue.clone();
    let published = tokio::task::spawn_blocking(move || {
        records::topic::ALL.map(|topic| queue.count(topic).unwrap()).iter().sum::<u64>()
    });
    assert_eq!(published.await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_read_say_why_by_the_parsers_codes() {
    let (fixture, draft) = world().await;
    let file = |name: &str| format!("events/2026-11-25/{name}");
    fixture.put(&file("columns.csv"), "user,when\nu1,2026-11-23\n");
    fixture.put(&file("empty.csv"), "");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let rows: String =
        (0..5_000).map(|row| format!("u{row},2026-11-23,v{}\n", row * 7_919 % 10_007)).collect();
    gzip.write_all(format!("user_id,timestamp,type\n{rows}").as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    fixture.put(&file("cut.csv.gz"), &whole[..whole.len() / 2]);
    fixture.put(&file("whole.csv.gz"), &whole);
    let names = ["columns.csv", "empty.csv", "cut.csv.gz", "absent.csv", "whole.csv.gz"];
    let object_keys = names.map(file).to_vec();
    let files =
        preview(&fixture, PreviewSourceRequest { object_keys, max_rows: 100_000, ..request(&draft) }).await;
    let codes: Vec<&str> =
        files.iter().map(|file| file.problem.as_ref().map_or("", |problem| &problem.code)).collect();
    assert_eq!(codes, ["missing_column", "empty_file", "truncated", "not_found", ""]);
    assert!(files[2].accepted > 0 && !files[2].complete, "rows before the damage are read");
    let whole = files.last().unwrap();
    assert_eq!((whole.accepted, whole.complete, whole.compression.as_str()), (5_000, true, "gzip"));
    assert_eq!(whole.records.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_bounded_and_stays_below_the_sources_path() {
    let (fixture, draft) = world().await;
    let rows: String = (0..500).map(|row| format!("u{row},2026-11-23,view\n")).collect();
    fixture.put("events/2026-11-23/a.csv", format!("user_id,timestamp,type\n{rows}"));
    let bounded = PreviewSourceRequest { max_rows: 50, max_records: 3, ..request(&draft) };
    let files = preview(&fixture, bounded).await;
    assert_eq!((files[0].rows, files[0].records.len(), files[0].complete), (50, 3, false));

    for key in ["payroll/2026-11-23/a.csv", "events/../payroll/a.csv", "events2/a.csv", "events/"] {
        let object_keys = vec![key.to_owned()];
        let outside = PreviewSourceRequest { object_keys, ..request(&draft) };
        let refused = fixture.as_admin().preview_source(outside).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{key}");
        let field = &refused.get_details_bad_request().unwrap().field_violations[0];
        assert_eq!(field.field, "object_keys");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_sensitive_columns_are_not_shown() {
    let (fixture, draft) = world().await;
    let mut schema = draft.schema.clone().unwrap();
    schema.columns.push(Column {
        name: "email".into(),
        r#type: ColumnType::String as i32,
        sensitive: true,
        ..Default::default()
    });
    schema.columns.iter_mut().find(|column| column.name == "timestamp").unwrap().sensitive = true;
    let set = SetSourceSchemaRequest {
        name: draft.name.clone(),
        schema: Some(schema),
        allow_breaking: true,
        ..Default::default()
    };
    fixture.as_admin().set_source_schema(set).await.unwrap();
    fixture.put(
        "events/2026-11-23/a.csv",
        "user_id,timestamp,type,email\nu1,2026-11-23,view,hush@example.com\nu2,hush,view,hush@example.com\n",
    );
    let files = preview(&fixture, request(&draft)).await;
    assert_eq!((files[0].accepted, files[0].rejected), (1, 1));
    assert!(files[0].records[0].json.contains("***") && files[0].records[0].json.contains("u1"));
    assert!(!format!("{files:?}").contains("hush"), "{files:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_row_rejects_its_file_where_the_source_says_so() {
    let (fixture, _) = world().await;
    let name = "accounts/shop".to_owned();
    let account = api::registry::Account { name, ..Default::default() };
    let whole = Source { invalid_rows: api::registry::InvalidRows::RejectFile as i32, ..source() };
    let draft = fixture.draft_of(&account, whole).await;
    fixture.put("events/2026-11-23/a.csv", "user_id,timestamp,type\nu1,2026-11-23,view\nu2,soon,view\n");
    let files = preview(&fixture, request(&draft)).await;
    assert_eq!((files[0].accepted, files[0].rejected, files[0].records.len()), (0, 1, 0));
    assert_eq!(files[0].problem.as_ref().unwrap().code, "invalid_rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_proposed_from_the_newest_files_and_takes_them() {
    let (fixture, draft) = world().await;
    let propose = |object_keys: Vec<String>| {
        let request = ProposeSourceSchemaRequest { name: draft.name.clone(), object_keys };
        let mut client = fixture.as_admin();
        async move { client.propose_source_schema(request).await }
    };
    let refused = propose(Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "the only file has no row");
    let refused = propose(vec!["payroll/a.csv".into()]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    fixture.put(
        "events/2026-11-24/b.csv",
        "userId,timestamp,type,price\nu1,2026-11-23,view,9.5\nu2,2026-11-23,view,\n",
    );
    let proposed = propose(Vec::new()).await.unwrap().into_inner();
    assert_eq!(proposed.object_keys, ["events/2026-11-24/b.csv"]);
    let schema = proposed.schema.unwrap();
    let column = |name: &str| schema.columns.iter().find(|column| column.name == name).unwrap().clone();
    assert_eq!(column("user_id").from, "userId");
    assert_eq!(column("price").r#type(), ColumnType::Number);
    let price = proposed.columns.iter().find(|seen| seen.name == "price").unwrap();
    assert_eq!((price.rows, price.empty), (2, 1));

    let set = SetSourceSchemaRequest {
        name: draft.name.clone(),
        schema: Some(schema),
        allow_breaking: true,
        ..Default::default()
    };
    fixture.as_admin().set_source_schema(set).await.unwrap();
    let files = preview(&fixture, PreviewSourceRequest { max_files: 1, ..request(&draft) }).await;
    assert_eq!((files[0].accepted, files[0].rejected), (2, 0));
}
