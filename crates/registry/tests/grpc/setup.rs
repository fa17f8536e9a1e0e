//! What customers are handed to set a source up, and that it works.

use api::registry::{
    Dataset, FileFormat, GetSampleFileRequest, GetSetupDocumentsRequest, GetSetupDocumentsResponse,
    ListDatasetTypesRequest,
};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use bucket::{Bucket, BucketError, Location};
use sandbox::{Grant, Principal, Role, Trust};
use serde_json::Value;
use tonic::Code;
use tonic_types::StatusExt;

use crate::fixture::{Around, BUCKET, Fixture, PLATFORM_ACCOUNT, ROLE};

fn request(account: &str) -> GetSetupDocumentsRequest {
    GetSetupDocumentsRequest {
        parent: account.to_owned(),
        bucket: BUCKET.into(),
        path: "events".into(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_open_the_path_to_the_platform_and_nothing_else() {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    let documents =
        fixture.as_admin().get_setup_documents(request(&account.name)).await.unwrap().into_inner();
    assert_eq!(documents.external_id, account.external_id);
    assert_eq!(documents.platform_account_id, PLATFORM_ACCOUNT);
    put_role(&fixture, &documents);

    assert!(assume(&fixture, &documents, None).await.is_none(), "not without an External ID");
    assert!(assume(&fixture, &documents, Some("another")).await.is_none(), "nor with a wrong one");
    let session = assume(&fixture, &documents, Some(&account.external_id)).await.unwrap();
    let open = |bucket: &str, path: &str| {
        let location = Location {
            bucket: bucket.into(),
            path: path.into(),
            region: None,
            endpoint_url: Some(fixture.s3.clone()),
            expected_bucket_owner: None,
        };
        Bucket::open(location, SharedCredentialsProvider::new(session.clone()))
    };
    fixture.put("events-of-others/2026-11-23/a.csv", "x");
    std::fs::create_dir(fixture.root.join("other-bucket")).unwrap();
    let bucket = open(BUCKET, "events");
    bucket.probe().await.unwrap();
    bucket.region().await.unwrap();
    bucket.version("events/2026-11-23/a.csv").await.unwrap();
    let denied = |found: Result<(), BucketError>| matches!(found, Err(BucketError::AccessDenied { .. }));
    assert!(denied(open(BUCKET, "").probe().await), "the bucket's root is not listed");
    assert!(denied(open(BUCKET, "events-of-others").probe().await));
    assert!(denied(bucket.version("events-of-others/2026-11-23/a.csv").await.map(drop)));
    assert!(denied(open("other-bucket", "events").probe().await));
}

/// The role that the documents describe. What it may do is held to the very policy by the session, as the sandbox's own
/// roles are described by grants.
fn put_role(fixture: &Fixture, documents: &GetSetupDocumentsResponse) {
    let trust: Value = serde_json::from_str(&documents.trust_policy).unwrap();
    let statement = &trust["Statement"][0];
    assert_eq!((&statement["Effect"], &statement["Action"]), (&"Allow".into(), &"sts:AssumeRole".into()));
    let principal = statement["Principal"]["AWS"].as_str().unwrap();
    let account = principal.strip_prefix("arn:aws:iam::").unwrap().strip_suffix(":root").unwrap();
    let external_id = statement["Condition"]["StringEquals"]["sts:ExternalId"].as_str().unwrap();
    let everything = |bucket: &str| Grant { bucket: bucket.into(), prefix: String::new() };
    fixture.roles.put(Role {
        arn: ROLE.into(),
        trust: Trust { principal: Principal::Account(account.into()), external_id: Some(external_id.into()) },
        grants: vec![everything(BUCKET), everything("other-bucket")],
    });
}

/// A session of the platform under the policy; none where STS denies it.
async fn assume(
    fixture: &Fixture,
    documents: &GetSetupDocumentsResponse,
    external_id: Option<&str>,
) -> Option<Credentials> {
    let keys = Credentials::new("AKIAPLATFORM", "platform-secret-never-shown", None, None, "test");
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("us-east-1"))
        .endpoint_url(&fixture.s3)
        .credentials_provider(keys);
    let assumed = aws_sdk_sts::Client::from_conf(config.build())
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("test")
        .set_external_id(external_id.map(str::to_owned))
        .policy(&documents.iam_policy)
        .send()
        .await;
    let session = match assumed {
        Ok(assumed) => assumed.credentials.unwrap(),
        Err(error) => {
            let code = aws_sdk_sts::error::ProvideErrorMetadata::code(&error).map(str::to_owned);
            assert_eq!(code.as_deref(), Some("AccessDenied"));
            return None;
        }
    };
    let token = Some(session.session_token);
    Some(Credentials::new(session.access_key_id, session.secret_access_key, token, None, "test"))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_platforms_account_no_trust_policy_is_handed_out() {
    let configure = Box::new(|config: &mut registry::Config, _: &str| config.platform.account_id.clear());
    let fixture = Fixture::start_around(Around { configure, ..Around::default() }).await;
    let account = fixture.account("shop").await;
    let refused = fixture.as_admin().get_setup_documents(request(&account.name)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("aws_account_id"), "{}", refused.message());

    let wrong = GetSetupDocumentsRequest { bucket: "Not*A*Bucket".into(), ..request(&account.name) };
    let refused = fixture.as_admin().get_setup_documents(wrong).await.unwrap_err();
    assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, "bucket");
    let other = fixture.account("other").await;
    let mut foreign = fixture.as_holder_of(&fixture.token(&other).await);
    let refused = foreign.get_setup_documents(request(&account.name)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "an External ID is its account's alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_are_described_and_have_a_sample_of_each_format() {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    let mut client = fixture.as_holder_of(&fixture.token(&account).await);
    let types =
        client.list_dataset_types(ListDatasetTypesRequest {}).await.unwrap().into_inner().dataset_types;
    assert_eq!(types.len(), 4);
    for one in &types {
        assert!(!one.display_name.is_empty() && !one.description.is_empty() && !one.example.is_empty());
        assert!(one.columns.iter().any(|column| column.required));
        assert!(one.columns.iter().all(|column| !column.description.is_empty()), "{one:?}");
        for (format, extension) in [
            (FileFormat::Unspecified, "csv"),
            (FileFormat::Csv, "csv"),
            (FileFormat::Tsv, "tsv"),
            (FileFormat::Json, "json"),
        ] {
            let request = GetSampleFileRequest { dataset: one.dataset, format: format as i32 };
            let sample = client.get_sample_file(request).await.unwrap().into_inner();
            assert!(sample.file_name.ends_with(&format!(".{extension}")), "{}", sample.file_name);
            assert!(
                !sample.content.is_empty()
                    && sample.content_type.contains(extension.replace("tsv", "tab").as_str())
            );
        }
    }
    assert_eq!(types[0].dataset(), Dataset::Events);
    let none = client.get_sample_file(GetSampleFileRequest::default()).await.unwrap_err();
    assert_eq!(none.code(), Code::InvalidArgument);
    let mut nobody = fixture.as_holder_of("no token of ours");
    let refused = nobody.list_dataset_types(ListDatasetTypesRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
