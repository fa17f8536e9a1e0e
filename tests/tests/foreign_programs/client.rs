//! The five steps of connecting a bucket, walked by a gRPC client that is not ours and knows the API by reflection alone.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use end_to_end::cloud::{Cloud, ROLE};
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::until;
use end_to_end::system::System;
use end_to_end::world::PATIENCE;
use serde_json::{Value, json};
use services::Python;

const PACKAGES: [&str; 3] = ["grpcio==1.71.0", "grpcio-reflection==1.71.0", "protobuf==5.29.5"];

struct Client {
    python: Python,
    address: String,
    token: String,
}

impl Client {
    fn call(&mut self, method: &str, request: &Value) -> Result<Value> {
        let question = json!({
            "address": self.address,
            "token": self.token,
            "service": "cortex.registry.v1.RegistryService",
            "method": method,
            "request": request,
        });
        Ok(serde_json::from_str(&self.python.ask(&question.to_string())?)?)
    }

    fn responses(&mut self, method: &str, request: &Value) -> Result<Vec<Value>> {
        let answer = self.call(method, request)?;
        let responses = answer["responses"].as_array().with_context(|| format!("{method}: {answer}"))?;
        Ok(responses.clone())
    }

    fn one(&mut self, method: &str, request: &Value) -> Result<Value> {
        self.responses(method, request)?.pop().with_context(|| format!("{method} answered nothing"))
    }
}

#[test]
fn a_client_that_knows_the_api_by_reflection_alone_connects_a_bucket() -> Result<()> {
    let _alone = super::one_at_a_time();
    let kafka = services::shared::kafka()?;
    let postgres = services::shared::postgres()?;
    let account = format!("foreign{}", std::process::id());
    let cloud = Cloud::start("foreign-bucket")?;
    let mut system = System::on(kafka.bootstrap(), &postgres.database(&account)?, cloud.endpoint())?;
    cloud.give_identity(&mut system);
    system.set("CORTEX_AWS_ACCOUNT_ID", "999988887777");
    let _registry = system.registry()?;
    let _scanner = system.scanner()?;
    let _parser = system.parser("parser-1", &[])?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/grpc_client.py");
    let python = Python::with("grpc", &PACKAGES, &script)?;
    let mut client =
        Client { python, address: system.grpc_address().to_owned(), token: system.admin_token()? };

    let made = client.one("CreateAccount", &json!({ "account_id": account, "display_name": "Foreign" }))?;
    let account = made["account"]["name"].as_str().context("a name")?.to_owned();
    let external_id = made["account"]["external_id"].as_str().context("an External ID")?.to_owned();
    let made =
        client.one("CreateAccountToken", &json!({ "name": account, "scope": "TOKEN_SCOPE_READ_WRITE" }))?;
    client.token = made["token"].as_str().context("a token")?.to_owned();

    // 1 and 2: the platform's datasets with what they need, and a sample file.
    let types = client.one("ListDatasetTypes", &json!({}))?;
    let types = types["dataset_types"].as_array().context("dataset types")?.clone();
    ensure!(types.len() == 4, "{types:?}");
    let event = types.iter().find(|one| one["dataset"] == "DATASET_EVENTS").context("events")?;
    ensure!(event["columns"].as_array().is_some_and(|columns| columns.len() == 4), "{event}");
    let sample =
        client.one("GetSampleFile", &json!({ "dataset": "DATASET_EVENTS", "format": "FILE_FORMAT_TSV" }))?;
    ensure!(
        sample["file_name"] == "events.tsv"
            && sample["content"].as_str().is_some_and(|text| !text.is_empty())
    );

    // 3: what is pasted into AWS.
    let wanted = json!({ "parent": account, "bucket": "foreign-bucket", "path": "events" });
    let documents = client.one("GetSetupDocuments", &wanted)?;
    let trust: Value = serde_json::from_str(documents["trust_policy"].as_str().context("a trust policy")?)?;
    let demanded = &trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"];
    ensure!(*demanded == external_id.as_str(), "{trust}");
    cloud.trust(&external_id);

    // 4: the bucket, its path and the role.
    let source = json!({
        "display_name": "Clicks",
        "dataset": "DATASET_EVENTS",
        "bucket": "foreign-bucket",
        "path": "events",
        "role_arn": "arn:aws:iam::1:role/x",
        "endpoint_url": cloud.endpoint(),
    });
    let wrong = client.call("CreateSource", &json!({ "parent": account, "source": source }))?;
    ensure!(wrong["error"]["code"] == "INVALID_ARGUMENT", "{wrong}");
    let mut source = source;
    source["role_arn"] = ROLE.into();
    let made =
        client.one("CreateSource", &json!({ "parent": account, "source": source, "request_id": "once" }))?;
    let name = made["source"]["name"].as_str().context("a name")?.to_owned();
    let key = cloud.put("events", &events("2026-11-23/a.csv", 300, 30, Style::Csv, Packing::Gzip)?)?;
    let told = client.responses("TestSource", &json!({ "name": name }))?;
    let (result, steps) = told.split_last().context("a result")?;
    ensure!(result["result"]["passed"] == true, "{told:?}");
    let kinds: Vec<_> = steps.iter().filter_map(|step| step["step"]["kind"].as_str()).collect();
    ensure!(
        kinds.contains(&"TEST_STEP_KIND_WRONG_EXTERNAL_ID") && kinds.contains(&"TEST_STEP_KIND_ROWS"),
        "{kinds:?}"
    );
    let previewed = client.one("PreviewSource", &json!({ "name": name }))?;
    ensure!(previewed["object_key"] == key.as_str() && previewed["rejected"].is_string(), "{previewed}");

    // 5: live.
    let live = client.one("ActivateSource", &json!({ "name": name }))?;
    ensure!(live["source"]["state"] == "SOURCE_STATE_ACTIVE", "{live}");
    until("the file to be read", PATIENCE, || {
        let files = client
            .one("ListFiles", &json!({ "parent": name, "filter": "state = ACCEPTED_WITH_REJECTIONS" }))?;
        Ok(files["files"].as_array().is_some_and(|files| files.len() == 1))
    })?;
    let errors = client.one("ListFileErrors", &json!({ "parent": name, "object_key": key }))?;
    let first = &errors["errors"][0];
    ensure!(
        first["row_number"].is_string() && first["code"].is_string() && first["reason"].is_string(),
        "{errors}"
    );
    let samples = client.one("ListSamples", &json!({ "parent": name }))?;
    let sample: Value = serde_json::from_str(samples["samples"][0]["json"].as_str().context("a sample")?)?;
    ensure!(sample["user_id"].is_string(), "{sample}");
    let days = client.one("ListDays", &json!({ "parent": name }))?;
    ensure!(
        days["days"].as_array().is_some_and(|days| days.iter().any(|day| day["date"] == "2026-11-23")),
        "{days}"
    );
    Ok(())
}
