//! What parsers commit on the progress topic is what the ledger and the samples show.

use api::registry::{
    FileState, ListFileErrorsRequest, ListFilesRequest, ListSamplesRequest, SetSourceSchemaRequest,
};
use api::worker::{LeaseScanRequest, ListUnpublishedRequest, ListedObject, RecordObjectsRequest};
use prost::{Message, Name};
use queue::Outgoing;
use records::queue::{Counters, FileProgress, Outcome, RefusedRow, SampleRow};
use records::topic::FILE_PROGRESS;
use records::v1::Event;

use crate::fixture::{Fixture, source_id, until};

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_applied_once_though_it_is_published_twice() {
    let fixture = Fixture::start().await;
    let (account, source) = fixture.live("shop").await;
    let mut worker = fixture.worker();
    let lease = LeaseScanRequest { worker_id: "scanner".into(), ttl_seconds: 30 };
    let token = worker.lease_scan(lease).await.unwrap().into_inner().lease.unwrap().token;
    let object = ListedObject {
        object_key: "events/2026-11-23/a.csv".into(),
        etag: "e".into(),
        date: "2026-11-23".into(),
        ..Default::default()
    };
    let record = RecordObjectsRequest { token: token.clone(), objects: vec![object] };
    worker.record_objects(record).await.unwrap();
    let unpublished = ListUnpublishedRequest { token, limit: 1 };
    let file = worker.list_unpublished(unpublished).await.unwrap().into_inner().files.remove(0);

    let progress = |chunk: u32, outcome: Outcome| FileProgress {
        account_id: account.name.trim_start_matches("accounts/").into(),
        source_id: source_id(&source),
        file_id: file.file_id.clone(),
        generation: 1,
        object_key: file.object_key.clone(),
        chunk,
        totals: Some(Counters {
            rows: u64::from(chunk) * 10,
            accepted: u64::from(chunk) * 9,
            rejected: u64::from(chunk),
            rejections: [("invalid_type".to_owned(), u64::from(chunk))].into(),
            ..Default::default()
        }),
        outcome: outcome as i32,
        samples: vec![SampleRow {
            message: Event::full_name(),
            record: Event { user_id: format!("u{chunk}"), ..Default::default() }.encode_to_vec(),
        }],
        refusals: vec![RefusedRow {
            row_number: Some(u64::from(chunk)),
            position: u64::from(chunk) * 100,
            code: "invalid_type".into(),
            column: "timestamp".into(),
            reason: "\"soon\" is not a timestamp".into(),
            raw: b"u1,soon,view".to_vec(),
            ..Default::default()
        }],
        committed_at: Some(std::time::SystemTime::now().into()),
        ..Default::default()
    };
    let first = progress(1, Outcome::Unspecified).encode_to_vec();
    let last = progress(2, Outcome::AcceptedWithRejections).encode_to_vec();
    let values = [first.clone(), first, b"\xff\xff no progress".to_vec(), last.clone(), last];
    let queue = fixture.queue.clone();
    tokio::task::spawn_blocking(move || {
        let messages =
            values.each_ref().map(|value| Outgoing { topic: FILE_PROGRESS, key: b"k", value, headers: &[] });
        queue.publisher().unwrap().publish(&messages).unwrap();
    })
    .await
    .unwrap();

    let files = || async {
        let request = ListFilesRequest { parent: source.name.clone(), ..Default::default() };
        fixture.as_admin().list_files(request).await.unwrap().into_inner().files
    };
    until("the outcome", || async { files().await[0].state() == FileState::AcceptedWithRejections }).await;
    let file = files().await.remove(0);
    assert_eq!((file.rows, file.accepted, file.rejected), (20, 18, 2));
    assert_eq!(file.rejections["invalid_type"], 2);
    assert!(file.finish_time.is_some());

    let request = ListSamplesRequest { parent: source.name.clone(), page_size: 10 };
    let samples = fixture.as_admin().list_samples(request).await.unwrap().into_inner().samples;
    let users: Vec<String> =
        samples.iter().map(|sample| Event::decode(sample.record.as_slice()).unwrap().user_id).collect();
    assert_eq!(users, ["u2", "u1"], "newest first, each once");

    let errors = async || {
        let request = ListFileErrorsRequest {
            parent: source.name.clone(),
            object_key: file.object_key.clone(),
            generation: 0,
        };
        fixture.as_admin().list_file_errors(request).await.unwrap().into_inner().errors
    };
    let told = errors().await;
    assert_eq!(told.iter().map(|error| error.row_number).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert!(told[0].reason.contains("soon") && told[0].raw == "u1,soon,view");

    // Columns that are marked as sensitive from now on are masked in what came before, too.
    let mut schema = source.schema.clone().unwrap();
    for column in
        schema.columns.iter_mut().filter(|one| ["user_id", "timestamp"].contains(&one.name.as_str()))
    {
        column.sensitive = true;
    }
    let change =
        SetSourceSchemaRequest { name: source.name.clone(), schema: Some(schema), ..Default::default() };
    fixture.as_admin().set_source_schema(change).await.unwrap();
    for error in errors().await {
        assert!(
            !error.reason.contains("soon") && !error.reason.is_empty() && error.raw.is_empty(),
            "{error:?}"
        );
    }
    let request = ListSamplesRequest { parent: source.name.clone(), page_size: 10 };
    for sample in fixture.as_admin().list_samples(request).await.unwrap().into_inner().samples {
        assert_eq!(Event::decode(sample.record.as_slice()).unwrap().user_id, "***");
        assert!(!sample.json.contains("u1") && !sample.json.contains("u2"), "{}", sample.json);
    }
}
