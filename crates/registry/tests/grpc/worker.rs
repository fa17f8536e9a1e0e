//! `worker.v1`: leases, claims and credentials.

use api::registry::ListAuditEntriesRequest;
use api::worker::{
    Claim, ClaimDecision, ClaimFilesRequest, CompleteScanRequest, FileGeneration, IssueCredentialsRequest,
    IssueCredentialsResponse, LeaseScanRequest, ListUnpublishedRequest, ListedObject, MarkPublishedRequest,
    RecordObjectsRequest,
};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bucket::{Bucket, BucketError, Location};
use tonic::Code;

use crate::fixture::{ADMIN, BUCKET, Fixture, source_id};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_worker_token_opens_the_worker_api() {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    for token in [ADMIN.to_owned(), fixture.token(&account).await] {
        let channel = api::client::connect(&fixture.address, &token).unwrap();
        let refused =
            api::client::Worker::new(channel).lease_scan(LeaseScanRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_is_leased_once_and_its_files_are_claimed_once() {
    let fixture = Fixture::start().await;
    let (_, source) = fixture.live("shop").await;
    let mut worker = fixture.worker();
    let lease = LeaseScanRequest { worker_id: "scanner".into(), ttl_seconds: 30 };
    let leased = worker.lease_scan(lease.clone()).await.unwrap().into_inner().lease.unwrap();
    assert!(leased.full_sweep, "the first scan takes what was there before");
    assert!(worker.lease_scan(lease).await.unwrap().into_inner().lease.is_none());

    let token = leased.token.clone();
    let object = |etag: &str| ListedObject {
        object_key: "events/2026-11-23/a.csv".into(),
        etag: etag.into(),
        size: 5,
        date: "2026-11-23".into(),
        ..Default::default()
    };
    let mut record = async |etag: &str| {
        let request = RecordObjectsRequest { token: token.clone(), objects: vec![object(etag)] };
        let recorded = worker.record_objects(request).await.unwrap().into_inner();
        (recorded.opened, recorded.known)
    };
    assert_eq!(record("one").await, (1, 0));
    assert_eq!(record("one").await, (0, 1));
    assert_eq!(record("two").await, (1, 0));

    let unpublished = ListUnpublishedRequest { token: token.clone(), limit: 10 };
    let files = worker.list_unpublished(unpublished.clone()).await.unwrap().into_inner().files;
    assert_eq!(files.iter().map(|file| file.generation).collect::<Vec<_>>(), [1, 2]);
    let published = files
        .iter()
        .map(|file| FileGeneration { file_id: file.file_id.clone(), generation: file.generation })
        .collect();
    worker.mark_published(MarkPublishedRequest { token: token.clone(), files: published }).await.unwrap();
    assert!(worker.list_unpublished(unpublished).await.unwrap().into_inner().files.is_empty());

    let claim = async |offset| {
        let claim = Claim {
            source_id: source_id(&source),
            file_id: files[0].file_id.clone(),
            generation: 1,
            topic: "t".into(),
            partition: 0,
            offset,
            ..Claim::default()
        };
        let request = ClaimFilesRequest { worker_id: "parser".into(), claims: vec![claim] };
        let response = fixture.worker().claim_files(request).await.unwrap().into_inner();
        (response.results[0].decision(), response.sources.len())
    };
    assert_eq!(claim(7).await, (ClaimDecision::Granted, 1));
    assert_eq!(claim(7).await, (ClaimDecision::GrantedAgain, 1));
    assert_eq!(claim(8).await, (ClaimDecision::OwnedByOther, 0));

    let complete = CompleteScanRequest { token, sweep_finished: true, ..Default::default() };
    worker.complete_scan(complete.clone()).await.unwrap();
    let late = worker.complete_scan(complete).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition, "a lease that ended is refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_cached_and_narrowed_to_the_sources_path() {
    let fixture = Fixture::start().await;
    let (_, source) = fixture.live("shop").await;
    let issue = || async {
        let request = IssueCredentialsRequest {
            source_id: source_id(&source),
            worker_id: "parser".into(),
            ..Default::default()
        };
        fixture.worker().issue_credentials(request).await.unwrap().into_inner()
    };
    let session = issue().await;
    assert_eq!(issue().await.access_key_id, session.access_key_id);
    assert!(session.expires_at.is_some() && !session.session_token.is_empty());
    assert!(!format!("{session:?}").contains(&session.secret_access_key));

    let probe = |path: &str| {
        let location = Location {
            bucket: BUCKET.into(),
            path: path.into(),
            region: None,
            endpoint_url: Some(fixture.s3.clone()),
            expected_bucket_owner: None,
        };
        let bucket = Bucket::open(location, SharedCredentialsProvider::new(credentials(&session)));
        async move { bucket.probe().await }
    };
    probe("events").await.unwrap();
    // The role may read the whole bucket; the session may not.
    let denied = probe("payroll").await.unwrap_err();
    assert!(matches!(denied, BucketError::AccessDenied { .. }), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_that_is_handed_out_is_in_the_accounts_audit_log() {
    let fixture = Fixture::start().await;
    let (account, source) = fixture.live("shop").await;
    let mut keys = Vec::new();
    for worker in ["parser-1", "a-thief"] {
        let request = IssueCredentialsRequest {
            source_id: source_id(&source),
            worker_id: worker.into(),
            ..Default::default()
        };
        let session = fixture.worker().issue_credentials(request).await.unwrap().into_inner();
        keys.push((format!("worker:{worker}"), session));
    }
    let request = ListAuditEntriesRequest { parent: account.name, ..Default::default() };
    let entries = fixture.as_admin().list_audit_entries(request).await.unwrap().into_inner().audit_entries;
    let mut issues: Vec<_> = entries.iter().filter(|entry| entry.action == "credentials.issue").collect();
    issues.reverse();
    assert_eq!(issues.len(), keys.len());
    for (entry, (actor, session)) in issues.into_iter().zip(keys) {
        assert_eq!((&entry.actor, &entry.subject), (&actor, &source.name));
        assert!(entry.detail.contains(&session.access_key_id), "{entry:?}");
        assert!(!format!("{entry:?}").contains(&session.secret_access_key));
    }
}

fn credentials(session: &IssueCredentialsResponse) -> Credentials {
    Credentials::new(
        &session.access_key_id,
        &session.secret_access_key,
        Some(session.session_token.clone()),
        None,
        "test",
    )
}
