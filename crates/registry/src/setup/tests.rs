//! What is handed out is read back by parsers and a shell that are not ours.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use super::*;

const PLATFORM: &str = "357420518195";
const EXTERNAL_ID: &str = "0f8c2d3e-external-id";

fn request() -> GetSetupDocumentsRequest {
    GetSetupDocumentsRequest {
        parent: "accounts/shop".into(),
        bucket: "shop-exports".into(),
        path: "/cortex/events/".into(),
        kms_key_arn: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".into(),
        event_queue_arn: "arn:aws:sqs:eu-west-1:111122223333:shop-exports".into(),
        ..Default::default()
    }
}

fn documents(request: GetSetupDocumentsRequest) -> GetSetupDocumentsResponse {
    Setup::from_request(request).unwrap().documents(PLATFORM, EXTERNAL_ID)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What no validation takes out, and each notation could take for its own.
const NASTY: &str = "it's \"q\" \\ `id` %{x} # : - é \u{1f600}";

#[test]
fn the_documents_are_as_people_are_shown_them() {
    let documents = documents(request());
    insta::assert_snapshot!("iam_policy", documents.iam_policy);
    insta::assert_snapshot!("trust_policy", documents.trust_policy);
    insta::assert_snapshot!("cloudformation", documents.cloudformation);
    insta::assert_snapshot!("terraform", documents.terraform);
    insta::assert_snapshot!("aws_cli", documents.aws_cli);
}

/// What the customers' guide shows is what is handed out.
#[test]
fn the_guide_shows_these_documents() {
    let guide =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connect-s3.md")).unwrap();
    let request = GetSetupDocumentsRequest {
        parent: "accounts/shop".into(),
        bucket: "my-bucket".into(),
        path: "exports/clicks".into(),
        ..Default::default()
    };
    let documents = Setup::from_request(request).unwrap().documents("CORTEX-ACCOUNT-ID", "YOUR-EXTERNAL-ID");
    for document in [documents.iam_policy, documents.trust_policy] {
        assert!(guide.contains(document.trim()), "docs/connect-s3.md lacks\n{document}");
    }
}

#[test]
fn every_notation_says_the_same_whatever_the_path_is() {
    for path in ["", "cortex/events", NASTY] {
        let documents = documents(GetSetupDocumentsRequest { path: path.into(), ..request() });
        let (policy, trust) = (json(&documents.iam_policy), json(&documents.trust_policy));
        let resource = policy["Statement"][0]["Resource"].as_str().unwrap();
        let tail = if path.is_empty() { "*".to_owned() } else { format!("{path}/*") };
        assert_eq!(resource, format!("arn:aws:s3:::shop-exports/{tail}"));

        let template: Value = serde_yaml_ng::from_str(&documents.cloudformation).unwrap();
        let role = &template["Resources"]["CortexRole"]["Properties"];
        assert_eq!(role["AssumeRolePolicyDocument"], trust);
        assert_eq!(role["Policies"][0]["PolicyDocument"], policy);

        let body = hcl::parse(&documents.terraform).unwrap();
        let given = |kind: &str, attribute: &str| {
            let block =
                body.blocks().find(|block| block.labels.first().is_some_and(|one| one.as_str() == kind));
            let value = block.unwrap().body.attributes().find(|one| one.key.as_str() == attribute).unwrap();
            match value.expr() {
                hcl::Expression::FuncCall(call) if call.name.name.as_str() == "jsonencode" => {
                    let argument = call.args.first().unwrap().clone();
                    let text = format!("it = {}\n", hcl::format::to_string(&argument).unwrap());
                    hcl::from_str::<Value>(&text).unwrap()["it"].clone()
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(given("aws_iam_role", "assume_role_policy"), trust);
        assert_eq!(given("aws_iam_role_policy", "policy"), policy);

        let calls = run(&documents.aws_cli);
        assert!(calls.contains(&trust) && calls.contains(&policy), "{calls:?}");
    }
}

/// Runs the script with an `aws` that writes down what it was given; every argument that is JSON comes back.
fn run(script: &str) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let aws = dir.path().join("aws");
    let log = dir.path().join("log");
    let body = "#!/bin/sh\n[ \"$2\" = get-role ] && [ ! -e \"$0.made\" ] && exit 254\n\
                [ \"$2\" = create-role ] && : > \"$0.made\"\nprintf '%s\\0' \"$@\" >> \"${0%/aws}/log\"\n";
    std::fs::write(&aws, body).unwrap();
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let done =
        Command::new("sh").arg("-c").arg(script).env("PATH", path).current_dir(dir.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let calls = std::fs::read_to_string(log).unwrap();
    calls.split('\0').filter_map(|argument| serde_json::from_str(argument).ok()).collect()
}

#[test]
fn what_could_break_out_or_widen_is_refused_by_its_name() {
    let broken = |change: fn(&mut GetSetupDocumentsRequest)| {
        let mut request = request();
        change(&mut request);
        match Setup::from_request(request).unwrap_err() {
            CallError::Invalid(broken) => broken.into_iter().map(|one| one.field).collect::<Vec<_>>(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(broken(|one| one.bucket = "a*".into()), ["bucket"]);
    assert_eq!(broken(|one| one.path = "a/*".into()), ["path"]);
    assert_eq!(broken(|one| one.path = "a\nb".into()), ["path"]);
    assert_eq!(broken(|one| one.path = "{{resolve:ssm:secret}}".into()), ["path"]);
    assert_eq!(broken(|one| one.role_name = "a b".into()), ["role_name"]);
    assert_eq!(broken(|one| one.role_name = "team/cortex".into()), ["role_name"]);
    assert_eq!(broken(|one| one.kms_key_arn = "*".into()), ["kms_key_arn"]);
    let alias = |one: &mut GetSetupDocumentsRequest| {
        one.kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:alias/mine".into();
    };
    assert_eq!(broken(alias), ["kms_key_arn"]);
    let elsewhere = |one: &mut GetSetupDocumentsRequest| one.partition = "aws-cn".into();
    assert_eq!(broken(elsewhere), ["kms_key_arn", "event_queue_arn"], "of another partition");
    let wide =
        |one: &mut GetSetupDocumentsRequest| one.event_queue_arn = "arn:aws:sqs:*:111122223333:q".into();
    assert_eq!(broken(wide), ["event_queue_arn"]);
    assert_eq!(broken(|one| one.partition = "aws-else".into()).first().unwrap(), "partition");
}
