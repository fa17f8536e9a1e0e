//! The connection test: each way in which a source can be wrong, by making it so.

use api::registry::test_source_response::Event;
use api::registry::{
    Account, ActivateSourceRequest, AuditEntry, CreateSourceRequest, GetAccountRequest,
    ListAuditEntriesRequest, RotateExternalIdRequest, Source, SourceState, StaticKeys, TestResult,
    TestSourceRequest, TestStep, TestStepKind as Kind, TestStepStatus as Is,
};
use registry::Secret;
use sandbox::{Grant, Principal, Role, Trust};
use tonic::Code;
use tonic_types::StatusExt;

use crate::fixture::{Around, BUCKET, CUSTOMER, Fixture, PLATFORM_ACCOUNT, ROLE, owner, source, until};

const ROWS: &str = "user_id,timestamp,type\nu1,2026-11-23,view\nu2,2026-11-23,buy\n";
const SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const FILE: &str = "events/2026-11-23/a.csv";

/// All steps, in their order, and the result.
pub(crate) async fn test(fixture: &Fixture, source: &Source) -> (Vec<TestStep>, TestResult) {
    let request = TestSourceRequest { name: source.name.clone() };
    let mut answers = fixture.as_admin().test_source(request).await.unwrap().into_inner();
    let mut steps = Vec::new();
    loop {
        match answers.message().await.unwrap().unwrap().event.unwrap() {
            Event::Step(step) => steps.push(step),
            Event::Result(result) => {
                assert!(answers.message().await.unwrap().is_none(), "the result is the last");
                let kinds: Vec<i32> = steps.iter().map(|step| step.kind).collect();
                assert_eq!(kinds, (1..=9).collect::<Vec<_>>(), "every step once, in order");
                let failed = steps.iter().any(|step| step.status() == Is::Failed);
                assert_eq!(result.passed, !failed);
                return (steps, result);
            }
        }
    }
}

pub(crate) fn found(steps: &[TestStep], kind: Kind) -> (Is, &str) {
    let step = step(steps, kind);
    (step.status(), step.code.as_str())
}

pub(crate) fn step(steps: &[TestStep], kind: Kind) -> &TestStep {
    steps.iter().find(|step| step.kind() == kind).unwrap()
}

async fn world(account: &str) -> (Fixture, Source) {
    world_with(account, Around::default(), source()).await
}

async fn world_with(account: &str, around: Around, source: Source) -> (Fixture, Source) {
    let fixture = Fixture::start_around(around).await;
    fixture.put(FILE, ROWS);
    let account = fixture.account(account).await;
    fixture.trust(&account.external_id);
    let draft = fixture.draft_of(&account, source).await;
    (fixture, draft)
}

/// Activation makes the same test, and says what failed.
async fn activation_refused(fixture: &Fixture, source: &Source, code: &str) {
    let request = ActivateSourceRequest { name: source.name.clone() };
    let refused = fixture.as_admin().activate_source(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.get_details_error_info().unwrap().reason, code, "{}", refused.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_set_up_well_passes_every_step() {
    let (fixture, draft) = world("shop").await;
    let (steps, result) = test(&fixture, &draft).await;
    for step in &steps {
        let expected = if step.kind() == Kind::Events { Is::Skipped } else { Is::Passed };
        assert_eq!(step.status(), expected, "{step:?}");
        assert!(!step.summary.is_empty() && step.elapsed.is_some(), "{step:?}");
    }
    assert!(result.passed && result.region.is_empty(), "{result:?}");
    assert!(step(&steps, Kind::Rows).summary.contains("2 rows"), "{steps:?}");
    assert!(step(&steps, Kind::DatedFolders).summary.contains("2026-11-23"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_demands_another_external_id_fails_with_the_trust_policy_to_paste() {
    let (fixture, draft) = world("shop").await;
    fixture.trust("another-external-id");
    let (steps, _) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Credentials), (Is::Failed, "role_not_assumable"));
    for kind in [Kind::NoExternalId, Kind::WrongExternalId, Kind::Bucket, Kind::Read, Kind::Rows] {
        assert_eq!(found(&steps, kind).0, Is::Skipped);
    }
    let trust: serde_json::Value = serde_json::from_str(&step(&steps, Kind::Credentials).document).unwrap();
    let principal = format!("arn:aws:iam::{PLATFORM_ACCOUNT}:root");
    assert_eq!(trust["Statement"][0]["Principal"]["AWS"], principal);
    let demanded = trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"].as_str().unwrap();
    fixture.trust(demanded);
    assert!(test(&fixture, &draft).await.1.passed, "what is to be pasted is the repair");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_lets_anyone_at_the_platform_in_fails() {
    let (fixture, draft) = world("shop").await;
    fixture.roles.put(Role {
        arn: ROLE.into(),
        trust: Trust { principal: Principal::Account(PLATFORM_ACCOUNT.into()), external_id: None },
        grants: vec![Grant { bucket: BUCKET.into(), prefix: String::new() }],
    });
    let (steps, _) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Credentials).0, Is::Passed);
    assert_eq!(found(&steps, Kind::NoExternalId), (Is::Failed, "external_id_not_demanded"));
    assert_eq!(found(&steps, Kind::WrongExternalId), (Is::Failed, "any_external_id_accepted"));
    assert!(step(&steps, Kind::NoExternalId).document.contains("sts:ExternalId"));
    assert_eq!(found(&steps, Kind::Rows).0, Is::Passed, "what does not depend on it is told all the same");
    activation_refused(&fixture, &draft, "external_id_not_demanded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_fails() {
    let absent = Source { bucket: "absent-bucket".into(), ..source() };
    let (fixture, draft) = world_with("shop", Around::default(), absent).await;
    grant(&fixture, "absent-bucket", "").await;
    let (steps, _) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Bucket), (Is::Failed, "no_such_bucket"));
    assert_eq!(found(&steps, Kind::List).0, Is::Skipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_in_another_region_is_found_and_used() {
    let around = || Around { region: Some("eu-west-1"), ..Around::default() };
    let elsewhere = Source { region: "us-west-2".into(), ..source() };
    let (fixture, draft) = world_with("shop", around(), elsewhere).await;
    let (steps, result) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Bucket), (Is::Warning, "other_region"));
    assert_eq!(found(&steps, Kind::Rows).0, Is::Passed, "{steps:?}");
    assert_eq!((result.passed, result.region.as_str()), (true, "eu-west-1"));
    let request = ActivateSourceRequest { name: draft.name.clone() };
    let live = fixture.as_admin().activate_source(request).await.unwrap().into_inner().source.unwrap();
    assert_eq!((live.state(), live.region.as_str()), (SourceState::Active, "eu-west-1"));
    assert_eq!(found(&test(&fixture, &live).await.0, Kind::Bucket).0, Is::Passed);

    // A source that names no region has nothing to be warned of.
    let (fixture, draft) = world_with("shop", around(), source()).await;
    let (steps, result) = test(&fixture, &draft).await;
    assert_eq!((found(&steps, Kind::Bucket).0, result.region.as_str()), (Is::Passed, "eu-west-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_another_accounts_fails() {
    let strangers = Around { owner: "666677778888", ..Around::default() };
    let (fixture, draft) = world_with("shop", strangers, source()).await;
    let (steps, _) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Bucket), (Is::Failed, "owner_mismatch"));
    assert!(step(&steps, Kind::Bucket).summary.contains(CUSTOMER), "{steps:?}");
    activation_refused(&fixture, &draft, "owner_mismatch").await;

    // One that says whose it is may be another's than the role's.
    let named = Source { expected_bucket_owner: "666677778888".into(), ..source() };
    let strangers = Around { owner: "666677778888", ..Around::default() };
    let (fixture, draft) = world_with("shop", strangers, named).await;
    assert!(test(&fixture, &draft).await.1.passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_the_role_may_not_list_fails_with_the_policy_to_paste() {
    let (fixture, draft) = world("shop").await;
    grant(&fixture, BUCKET, "payroll").await;
    let (steps, _) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::List), (Is::Failed, "access_denied"));
    let list = step(&steps, Kind::List);
    assert!(list.advice.contains("s3:ListBucket"), "{list:?}");
    let policy: serde_json::Value = serde_json::from_str(&list.document).unwrap();
    assert_eq!(policy["Statement"][1]["Condition"]["StringLike"]["s3:prefix"], "events/*");
    for kind in [Kind::DatedFolders, Kind::Read, Kind::Rows] {
        assert_eq!(found(&steps, kind).0, Is::Skipped);
    }
}

async fn shop(fixture: &Fixture) -> Account {
    let request = GetAccountRequest { name: "accounts/shop".into() };
    fixture.as_admin().get_account(request).await.unwrap().into_inner().account.unwrap()
}

async fn grant(fixture: &Fixture, bucket: &str, prefix: &str) {
    let external_id = shop(fixture).await.external_id;
    fixture.roles.put(Role {
        arn: ROLE.into(),
        trust: Trust {
            principal: Principal::Account(PLATFORM_ACCOUNT.into()),
            external_id: Some(external_id),
        },
        grants: vec![Grant { bucket: bucket.into(), prefix: prefix.into() }],
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outside_dated_folders_fail_and_an_empty_path_only_warns() {
    let apart = |path: &str| Source { path: path.into(), ..source() };
    let (fixture, draft) = world_with("shop", Around::default(), apart("exports")).await;
    let (steps, result) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::DatedFolders), (Is::Warning, "empty_path"));
    assert_eq!((found(&steps, Kind::Read).0, result.passed), (Is::Skipped, true));

    fixture.put("exports/2026/11/23/a.csv", ROWS);
    fixture.put("exports/latest.csv", ROWS);
    let (steps, _) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::DatedFolders), (Is::Failed, "no_dated_folders"));
    let folders = step(&steps, Kind::DatedFolders);
    assert!(folders.summary.contains("exports/2026/") && folders.summary.contains("exports/latest.csv"));
    assert!(folders.advice.contains("exports/2026-01-31/"), "{folders:?}");
    activation_refused(&fixture, &draft, "no_dated_folders").await;

    // A live source begins with nothing.
    let request = ActivateSourceRequest { name: fixture_draft(&fixture, apart("new")).await.name };
    let live = fixture.as_admin().activate_source(request).await.unwrap().into_inner().source.unwrap();
    assert_eq!(live.state(), SourceState::Active);
}

async fn fixture_draft(fixture: &Fixture, source: Source) -> Source {
    let request =
        CreateSourceRequest { parent: "accounts/shop".into(), source: Some(source), ..Default::default() };
    fixture.as_admin().create_source(request).await.unwrap().into_inner().source.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_read_fails_by_its_cause() {
    let (fixture, draft) = world("shop").await;
    fixture.objects.archive(BUCKET, FILE);
    let (steps, _) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Read), (Is::Failed, "object_archived"));
    assert_eq!(found(&steps, Kind::Rows).0, Is::Skipped);

    fixture.objects.deny_key(BUCKET, FILE);
    let (steps, _) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Read), (Is::Failed, "kms_denied"));
    let read = step(&steps, Kind::Read);
    assert!(read.document.contains("kms:Decrypt") && read.advice.contains("kms:Decrypt"), "{read:?}");

    fixture.objects.restore(BUCKET, FILE);
    assert!(test(&fixture, &draft).await.1.passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_fail_warn_and_rows_that_all_fail_fail() {
    let (fixture, draft) = world("shop").await;
    let rows = async |content: &str| {
        fixture.put(FILE, content);
        let (steps, _) = test(&fixture, &draft).await;
        step(&steps, Kind::Rows).clone()
    };
    let some = rows("user_id,timestamp,type\nu1,soon,view\nu2,2026-11-23,buy\n").await;
    assert_eq!((some.status(), some.code.as_str()), (Is::Warning, "rows_rejected"));
    assert!(some.summary.contains("1 of the first 2 rows") && some.summary.contains("row 1"), "{some:?}");
    assert!(some.summary.contains("timestamp") && !some.advice.is_empty(), "{some:?}");

    let all = rows("user_id,timestamp,type\nu1,soon,view\n").await;
    assert_eq!((all.status(), all.code.as_str()), (Is::Failed, "no_valid_rows"));
    let columns = rows("user,when,what\nu1,2026-11-23,view\n").await;
    assert_eq!((columns.status(), columns.code.as_str()), (Is::Failed, "missing_column"));
    let header = rows("user_id,timestamp,type\n").await;
    assert_eq!((header.status(), header.code.as_str()), (Is::Warning, "no_rows"));

    // A newer file that holds says more than an older one that does not.
    fixture.put(FILE, "user,when,what\nu1,2026-11-23,view\n");
    fixture.put("events/2026-11-24/b.csv", ROWS);
    let (steps, result) = test(&fixture, &draft).await;
    assert_eq!((found(&steps, Kind::Rows), result.passed), ((Is::Warning, "missing_column"), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn static_keys_have_no_external_id() {
    let around = Around {
        configure: Box::new(|config, s3| {
            config.allowed_endpoints = vec![s3.to_owned()];
            config.sealing_key = Some(Secret::new(SEALING_KEY));
        }),
        ..Around::default()
    };
    let fixture = Fixture::start_around(around).await;
    fixture.put(FILE, ROWS);
    let account = fixture.account("shop").await;
    let keys = |secret: &str| {
        let source = Source { role_arn: String::new(), endpoint_url: fixture.s3.clone(), ..source() };
        let access_key_id = owner(CUSTOMER).access_key_id;
        let request = CreateSourceRequest {
            parent: account.name.clone(),
            source: Some(source),
            static_keys: Some(StaticKeys { access_key_id, secret_access_key: secret.into() }),
            ..Default::default()
        };
        let mut client = fixture.as_admin();
        async move { client.create_source(request).await.unwrap().into_inner().source.unwrap() }
    };
    let draft = keys(&owner(CUSTOMER).secret_access_key).await;
    let (steps, result) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::NoExternalId).0, Is::Skipped);
    assert_eq!(found(&steps, Kind::WrongExternalId).0, Is::Skipped);
    assert!(result.passed, "{steps:?}");

    let (steps, _) = test(&fixture, &keys("a wrong secret").await).await;
    assert_eq!(found(&steps, Kind::Bucket), (Is::Failed, "credentials_refused"));
    assert!(!format!("{steps:?}").contains("a wrong secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_queue_that_cannot_be_read_warns_and_one_elsewhere_is_refused_at_once() {
    let fixture = Fixture::start().await;
    fixture.put(FILE, ROWS);
    let account = fixture.account("shop").await;
    fixture.trust(&account.external_id);
    // The endpoint has S3 and STS, and no queues.
    let event_queue_url = format!("{}/{CUSTOMER}/exports", fixture.s3);
    let draft = fixture.draft_of(&account, Source { event_queue_url, ..source() }).await;
    let (steps, result) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Events).0, Is::Warning, "{steps:?}");
    assert!(result.passed, "files are found by scans all the same");

    let elsewhere = Source { event_queue_url: "https://internal/111122223333/q".into(), ..source() };
    let request =
        CreateSourceRequest { parent: account.name.clone(), source: Some(elsewhere), ..Default::default() };
    let refused = fixture.as_admin().create_source(request).await.unwrap_err();
    let field = &refused.get_details_bad_request().unwrap().field_violations[0];
    assert_eq!(field.field, "source.event_queue_url");
}

async fn rotated(fixture: &Fixture, seconds: i64) -> Account {
    let overlap = Some(prost_types::Duration { seconds, nanos: 0 });
    let request = RotateExternalIdRequest { name: "accounts/shop".into(), overlap };
    fixture.as_admin().rotate_external_id(request).await.unwrap().into_inner().account.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_external_id_holds_beside_the_one_before_until_the_overlap_ends() {
    let (fixture, draft) = world("shop").await;
    let account = rotated(&fixture, 3_600).await;
    let (steps, result) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Credentials), (Is::Warning, "previous_external_id"));
    assert!(result.passed, "{steps:?}");
    let credentials = step(&steps, Kind::Credentials);
    assert!(credentials.document.contains(&account.external_id), "{credentials:?}");
    assert!(!credentials.document.contains(&account.previous_external_id));
    let request = ActivateSourceRequest { name: draft.name.clone() };
    fixture.as_admin().activate_source(request).await.unwrap();

    fixture.trust(&account.external_id);
    assert_eq!(found(&test(&fixture, &draft).await.0, Kind::Credentials).0, Is::Passed);

    // Without an overlap the one before holds no longer.
    rotated(&fixture, 0).await;
    let (steps, _) = test(&fixture, &draft).await;
    assert_eq!(found(&steps, Kind::Credentials), (Is::Failed, "role_not_assumable"));
}

async fn audited(fixture: &Fixture, action: &str) -> Vec<AuditEntry> {
    let request = ListAuditEntriesRequest { parent: "accounts/shop".into(), ..Default::default() };
    let entries = fixture.as_admin().list_audit_entries(request).await.unwrap().into_inner().audit_entries;
    entries.into_iter().filter(|entry| entry.action == action).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_test_is_in_the_audit_log_with_what_it_found() {
    let (fixture, draft) = world("shop").await;
    test(&fixture, &draft).await;
    fixture.trust("another");
    test(&fixture, &draft).await;
    let entries = audited(&fixture, "source.test").await;
    let details: Vec<&str> = entries.iter().map(|entry| entry.detail.as_str()).collect();
    assert_eq!(
        details,
        [r#"{"found":["role_not_assumable"],"passed":false}"#, r#"{"found":[],"passed":true}"#],
        "newest first"
    );
    assert!(entries.iter().all(|entry| entry.subject == draft.name && entry.actor == "admin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_no_one_waits_for_ends() {
    // It takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let allowed = endpoint.clone();
    let around = Around {
        configure: Box::new(|config, _| {
            config.allowed_endpoints = vec![allowed];
            config.sealing_key = Some(Secret::new(SEALING_KEY));
        }),
        ..Around::default()
    };
    let fixture = Fixture::start_around(around).await;
    let account = fixture.account("shop").await;
    let source = Source { role_arn: String::new(), endpoint_url: endpoint, ..source() };
    let request = CreateSourceRequest {
        parent: account.name.clone(),
        source: Some(source),
        static_keys: Some(StaticKeys { access_key_id: "id".into(), secret_access_key: "s".into() }),
        ..Default::default()
    };
    let draft = fixture.as_admin().create_source(request).await.unwrap().into_inner().source.unwrap();
    let request = || TestSourceRequest { name: draft.name.clone() };
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut answers = fixture.as_admin().test_source(request()).await.unwrap().into_inner();
        answers.message().await.unwrap().unwrap();
        waiting.push(answers);
    }
    let refused = fixture.as_admin().test_source(request()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    drop(waiting);
    until("the abandoned tests to end", || async {
        audited(&fixture, "source.test").await.iter().filter(|one| one.detail.contains("abandoned")).count()
            == 4
    })
    .await;
    fixture.as_admin().test_source(request()).await.unwrap();
}
