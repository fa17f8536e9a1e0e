//! `registry.v1`: accounts and sources.

use api::registry::{
    ActivateSourceRequest, CreateAccountRequest, CreateAccountTokenRequest, CreateSourceRequest,
    DeleteSourceRequest, GetAccountRequest, GetCallerRequest, GetSourceRequest, ListSourcesRequest,
    PauseSourceRequest, PreviewSourceRequest, ProposeSourceSchemaRequest, ReprocessFileRequest,
    SetSourceSchemaRequest, Source, SourceState, StaticKeys, TestSourceRequest, TokenScope,
    UpdateSourceRequest,
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::fixture::{Fixture, source};

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_activated_where_the_role_demands_the_accounts_external_id() {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    assert!(account.external_id.len() >= 32);
    let draft = fixture.draft(&account).await;
    assert_eq!((draft.state(), draft.path.as_str()), (SourceState::Draft, "events"));
    assert_eq!(draft.schema.as_ref().unwrap().columns.len(), 4, "the dataset's own columns");

    fixture.trust("another External ID");
    let activate = ActivateSourceRequest { name: draft.name.clone() };
    let refused = fixture.as_admin().activate_source(activate.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("External ID"), "{}", refused.message());
    assert_eq!(refused.get_details_error_info().unwrap().reason, "role_not_assumable");

    fixture.trust(&account.external_id);
    let live = fixture.as_admin().activate_source(activate).await.unwrap().into_inner().source.unwrap();
    assert_eq!(live.state(), SourceState::Active);

    let pause = PauseSourceRequest { name: live.name.clone() };
    let paused = fixture.as_admin().pause_source(pause).await.unwrap().into_inner().source.unwrap();
    assert_eq!(paused.state(), SourceState::Paused);
    fixture
        .as_admin()
        .delete_source(DeleteSourceRequest { name: live.name.clone(), ..Default::default() })
        .await
        .unwrap();
    let gone = fixture.as_admin().get_source(GetSourceRequest { name: live.name }).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_account_sees_nothing_of_another() {
    let fixture = Fixture::start().await;
    let (own, other) = (fixture.account("own").await, fixture.account("other").await);
    let foreign = fixture.draft(&other).await;
    let mut client = fixture.as_holder_of(&fixture.token(&own).await);

    let listed = client.list_sources(ListSourcesRequest { parent: own.name.clone(), ..Default::default() });
    assert!(listed.await.unwrap().into_inner().sources.is_empty());
    let refusals = [
        client.get_account(GetAccountRequest { name: other.name.clone() }).await.err(),
        client.get_source(GetSourceRequest { name: foreign.name.clone() }).await.err(),
        client.activate_source(ActivateSourceRequest { name: foreign.name.clone() }).await.err(),
        client
            .delete_source(DeleteSourceRequest { name: foreign.name.clone(), ..Default::default() })
            .await
            .err(),
        client.list_sources(ListSourcesRequest { parent: other.name, ..Default::default() }).await.err(),
        // Another's source under the own account's name is not found either.
        client.get_source(GetSourceRequest { name: foreign.name.replace("other", "own") }).await.err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap().code(), Code::NotFound);
    }
    let refused = client.create_account(CreateAccountRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let nobody = fixture.as_holder_of("no token of ours");
    let refused = nobody.clone().get_account(GetAccountRequest { name: own.name }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_that_is_not_valid_is_named_with_its_rule() {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    let create = |source: Source, static_keys| {
        let request = CreateSourceRequest {
            parent: account.name.clone(),
            source: Some(source),
            static_keys,
            ..Default::default()
        };
        let mut client = fixture.as_admin();
        async move { client.create_source(request).await.unwrap_err() }
    };
    let fields = |status: tonic::Status| -> Vec<String> {
        assert_eq!(status.code(), Code::InvalidArgument);
        let violations = status.get_details_bad_request().unwrap().field_violations;
        violations.into_iter().map(|one| one.field).collect()
    };
    let wrong = Source {
        bucket: "Not A Bucket".into(),
        role_arn: "arn:aws:iam::1:role/x".into(),
        region: "evil.example/".into(),
        time_zone: "Mars/Olympus".into(),
        ..source()
    };
    assert_eq!(
        fields(create(wrong, None).await),
        ["source.bucket", "source.region", "source.role_arn", "source.time_zone"]
    );

    let keys = StaticKeys { access_key_id: "id".into(), secret_access_key: "s".into() };
    let elsewhere = Source { endpoint_url: "http://internal:9000".into(), ..source() };
    let refused = fields(create(elsewhere, Some(keys)).await);
    assert!(refused.contains(&"source.endpoint_url".into()) && refused.contains(&"static_keys".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_may_lack_bucket_and_role_until_it_is_looked_into() {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    fixture.trust(&account.external_id);
    let mut client = fixture.as_admin();
    let begun = Source { bucket: String::new(), role_arn: String::new(), path: String::new(), ..source() };
    let draft = fixture.draft_of(&account, begun).await;
    let refused = |status: tonic::Status| {
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(status.message().contains("no bucket and no role_arn yet"), "{status}");
    };
    refused(client.activate_source(ActivateSourceRequest { name: draft.name.clone() }).await.unwrap_err());
    refused(client.test_source(TestSourceRequest { name: draft.name.clone() }).await.unwrap_err());
    let request = PreviewSourceRequest { name: draft.name.clone(), ..Default::default() };
    refused(client.preview_source(request).await.unwrap_err());
    let request = ProposeSourceSchemaRequest { name: draft.name.clone(), ..Default::default() };
    refused(client.propose_source_schema(request).await.unwrap_err());

    let update = |source: Source, paths: &[&str]| UpdateSourceRequest {
        source: Some(Source { name: draft.name.clone(), ..source }),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        }),
        static_keys: None,
    };
    let half = Source { bucket: "Not A Bucket".into(), ..Source::default() };
    let wrong = client.update_source(update(half, &["bucket"])).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument, "what is given must hold");
    let paths = ["bucket", "role_arn", "path"];
    client.update_source(update(source(), &paths)).await.unwrap();
    fixture.put("events/2026-11-23/a.csv", "user_id,timestamp,type\nu1,2026-11-23T10:00:00Z,view\n");
    client.activate_source(ActivateSourceRequest { name: draft.name.clone() }).await.unwrap();
    // What is live can no longer do without.
    let emptied = client.update_source(update(Source::default(), &paths)).await.unwrap_err();
    assert_eq!(emptied.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_told_whose_token_it_holds() {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    let as_admin = fixture.as_admin().get_caller(GetCallerRequest {}).await.unwrap().into_inner();
    assert_eq!((as_admin.account.as_str(), as_admin.actor.as_str()), ("", "admin"));
    for scope in [TokenScope::ReadOnly, TokenScope::ReadWrite] {
        let request = CreateAccountTokenRequest {
            name: account.name.clone(),
            scope: scope as i32,
            ..Default::default()
        };
        let made = fixture.as_admin().create_account_token(request).await.unwrap().into_inner();
        let mut holder = fixture.as_holder_of(&made.token);
        let caller = holder.get_caller(GetCallerRequest {}).await.unwrap().into_inner();
        assert_eq!((caller.account.as_str(), caller.scope()), ("accounts/shop", scope));
        let id = made.account_token.unwrap().name.rsplit('/').next().unwrap().to_owned();
        assert_eq!(caller.actor, format!("token:{id}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_is_repeated_makes_one_source() {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    let request = CreateSourceRequest {
        parent: account.name.clone(),
        source: Some(source()),
        request_id: "once".into(),
        ..Default::default()
    };
    let mut client = fixture.as_admin();
    let first = client.create_source(request.clone()).await.unwrap().into_inner().source.unwrap();
    let second = client.create_source(request).await.unwrap().into_inner().source.unwrap();
    assert_eq!(first.name, second.name);

    for _ in 0..4 {
        fixture.draft(&account).await;
    }
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListSourcesRequest {
            parent: account.name.clone(),
            page_size: 2,
            page_token,
            ..Default::default()
        };
        let page = client.list_sources(request).await.unwrap().into_inner();
        assert!(page.sources.len() <= 2);
        names.extend(page.sources.into_iter().map(|one| one.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    names.dedup();
    assert_eq!(names.len(), 5, "paging walks all, each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_would_refuse_what_is_accepted_needs_the_flag() {
    let fixture = Fixture::start().await;
    let account = fixture.account("shop").await;
    let draft = fixture.draft(&account).await;
    let mut schema = draft.schema.clone().unwrap();
    let required =
        api::registry::Column { required: true, name: "price".into(), r#type: 3, ..Default::default() };
    schema.columns.push(required);
    let request = |allow_breaking, etag: &str| SetSourceSchemaRequest {
        name: draft.name.clone(),
        schema: Some(schema.clone()),
        etag: etag.to_owned(),
        allow_breaking,
    };
    let refused = fixture.as_admin().set_source_schema(request(false, "")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "BREAKING_SCHEMA");
    assert!(refused.message().contains("price"), "{}", refused.message());
    let stale = fixture.as_admin().set_source_schema(request(true, "77")).await.unwrap_err();
    assert_eq!(stale.code(), Code::Aborted);
    let set = fixture.as_admin().set_source_schema(request(true, &draft.etag)).await.unwrap().into_inner();
    let now = set.source.unwrap().schema.unwrap();
    assert_eq!((now.version, now.columns.len()), (2, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_or_of_another_account_is_not_read_again() {
    let fixture = Fixture::start().await;
    let (own, other) = (fixture.account("own").await, fixture.account("other").await);
    let (mine, foreign) = (fixture.draft(&own).await, fixture.draft(&other).await);
    let mut client = fixture.as_holder_of(&fixture.token(&own).await);
    for parent in [mine.name, foreign.name] {
        let request = ReprocessFileRequest { parent, object_key: "events/2026-11-23/a.csv".into() };
        assert_eq!(client.reprocess_file(request).await.unwrap_err().code(), Code::NotFound);
    }
}
