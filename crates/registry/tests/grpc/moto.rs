//! The setup documents and the connection test on an AWS that is not ours.

use api::registry::{GetSetupDocumentsRequest, Source, TestStepKind as Kind, TestStepStatus as Is};
use registry::Secret;
use serde_json::Value;
use services::shared::moto;

use crate::connection::{found, step, test};
use crate::fixture::{Around, Fixture, source};

const BUCKET: &str = "connection-test";
/// moto's one account.
const ACCOUNT: &str = "123456789012";

/// Runs what blocks on moto.
async fn on_moto<T: Send + 'static>(work: impl FnOnce(&'static services::Moto) -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(move || work(moto().unwrap())).await.unwrap()
}

/// The statements of the policy, but for one.
fn without(policy: &Value, sid: &str) -> Value {
    let statements = policy["Statement"].as_array().unwrap().iter();
    statements.filter(|statement| statement["Sid"] != sid).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_that_is_handed_out_is_what_each_step_needs() {
    let (platform, endpoint, queue) = on_moto(|moto| {
        moto.bucket(BUCKET, None).unwrap();
        moto.put(BUCKET, "events/2026-11-23/a.csv", "user_id,timestamp,type\nu1,2026-11-23,view\n").unwrap();
        let queue = moto.queue(BUCKET).unwrap();
        (moto.platform("connection-test").unwrap(), moto.endpoint().to_owned(), queue)
    })
    .await;
    let (keys, principal) = ((platform.access_key, Secret::new(platform.secret_key)), platform.arn);
    let at = endpoint.clone();
    let configure = Box::new(move |config: &mut registry::Config, _: &str| {
        config.platform.sts_endpoint = Some(at.clone());
        config.platform.s3_endpoint = Some(at);
        config.platform.keys = Some(keys);
    });
    let fixture = Fixture::start_around(Around { configure, ..Around::default() }).await;
    let account = fixture.account("shop").await;
    let request = GetSetupDocumentsRequest {
        parent: account.name.clone(),
        bucket: BUCKET.into(),
        path: "events".into(),
        event_queue_arn: format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{BUCKET}"),
        ..Default::default()
    };
    let documents = fixture.as_admin().get_setup_documents(request).await.unwrap().into_inner();
    let policy: Value = serde_json::from_str(&documents.iam_policy).unwrap();
    let (external_id, statements) = (account.external_id.clone(), policy["Statement"].clone());
    let role_arn =
        on_moto(move |moto| moto.role(BUCKET, &principal, &external_id, statements).unwrap()).await;
    let wanted = Source { bucket: BUCKET.into(), role_arn, event_queue_url: queue, ..source() };
    let draft = fixture.draft_of(&account, wanted).await;

    let (steps, _) = test(&fixture, &draft).await;
    for kind in [
        Kind::Credentials,
        Kind::WrongExternalId,
        Kind::Bucket,
        Kind::List,
        Kind::DatedFolders,
        Kind::Read,
        Kind::Rows,
        Kind::Events,
    ] {
        assert_eq!(found(&steps, kind), (Is::Passed, ""), "{steps:?}");
    }
    // moto gives a role to whoever gives no External ID at all, which the test is there to find.
    assert_eq!(found(&steps, Kind::NoExternalId), (Is::Failed, "external_id_not_demanded"));

    for (sid, kind, expected) in [
        ("LocateBucket", Kind::Bucket, (Is::Warning, "region_not_told")),
        ("ListPath", Kind::List, (Is::Failed, "access_denied")),
        ("ReadObjects", Kind::Read, (Is::Failed, "access_denied")),
        ("ReadEvents", Kind::Events, (Is::Warning, "event_queue_denied")),
    ] {
        let fewer = without(&policy, sid);
        on_moto(move |moto| moto.allow(BUCKET, fewer).unwrap()).await;
        let (steps, _) = test(&fixture, &draft).await;
        assert_eq!(found(&steps, kind), expected, "without {sid}: {steps:?}");
        let document: Value = serde_json::from_str(&step(&steps, kind).document).unwrap();
        let repaired = document["Statement"].clone();
        on_moto(move |moto| moto.allow(BUCKET, repaired).unwrap()).await;
        let (steps, _) = test(&fixture, &draft).await;
        assert_eq!(found(&steps, kind).0, Is::Passed, "what is to be pasted is the repair: {steps:?}");
    }
}
