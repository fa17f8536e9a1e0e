//! The client commands: the registry's gRPC API from the command line.

use std::path::Path;

use anyhow::{Context, Result, bail};
use api::client::{Registry, connect};
use api::registry::{
    Account, ActivateSourceRequest, CreateAccountRequest, CreateAccountTokenRequest, CreateSourceRequest,
    Dataset, DeleteSourceRequest, File, FileState, GetAccountRequest, GetSourceRequest, InvalidRows,
    ListFilesRequest, ListSamplesRequest, ListSourcesRequest, PauseSourceRequest, ReprocessFileRequest,
    SetSourceSchemaRequest, Source, SourceState, StaticKeys,
};
use serde_json::{Value, json};

use crate::args::{AccountCommand, ClientArgs, SourceArgs, SourceCommand, SourceCreateArgs};
use crate::dev::Endpoints;
use crate::print;

/// `cortex account …`
pub(crate) async fn account(command: AccountCommand) -> Result<()> {
    match command {
        AccountCommand::Create { id, name, client } => {
            let request = CreateAccountRequest { account_id: id, display_name: name, ..Default::default() };
            let account =
                registry(&client)?.create_account(request).await.map_err(refused)?.into_inner().account;
            show_account(&client, &account.context("the registry gave no account")?)
        }
        AccountCommand::Show { account, client } => {
            let request = GetAccountRequest { name: account_name(&account) };
            let account =
                registry(&client)?.get_account(request).await.map_err(refused)?.into_inner().account;
            show_account(&client, &account.context("the registry gave no account")?)
        }
        AccountCommand::Token { account, client } => {
            let request = CreateAccountTokenRequest { name: account_name(&account), ..Default::default() };
            let token =
                registry(&client)?.create_account_token(request).await.map_err(refused)?.into_inner().token;
            print(&if client.json { json!({ "token": token }).to_string() } else { token });
            Ok(())
        }
    }
}

/// `cortex source …`
pub(crate) async fn source(command: SourceCommand) -> Result<()> {
    match command {
        SourceCommand::Create(args) => create(*args).await,
        SourceCommand::List { account, client } => list(&account, &client).await,
        SourceCommand::Show(SourceArgs { source, client }) => {
            let request = GetSourceRequest { name: source };
            let source = registry(&client)?.get_source(request).await.map_err(refused)?.into_inner().source;
            show_source(&client, &source.context("the registry gave no source")?)
        }
        SourceCommand::Activate(SourceArgs { source, client }) => {
            let request = ActivateSourceRequest { name: source };
            let source =
                registry(&client)?.activate_source(request).await.map_err(refused)?.into_inner().source;
            show_source(&client, &source.context("the registry gave no source")?)
        }
        SourceCommand::Pause(SourceArgs { source, client }) => {
            let request = PauseSourceRequest { name: source };
            let source = registry(&client)?.pause_source(request).await.map_err(refused)?.into_inner().source;
            show_source(&client, &source.context("the registry gave no source")?)
        }
        SourceCommand::Delete(SourceArgs { source, client }) => {
            let request = DeleteSourceRequest { name: source, ..Default::default() };
            registry(&client)?.delete_source(request).await.map_err(refused)?;
            Ok(())
        }
        SourceCommand::Files(SourceArgs { source, client }) => files(&source, &client).await,
        SourceCommand::SetSchema { source, schema, allow_breaking, client } => {
            let request = SetSourceSchemaRequest {
                name: source,
                schema: Some(read_schema(&schema)?),
                etag: String::new(),
                allow_breaking,
            };
            let source =
                registry(&client)?.set_source_schema(request).await.map_err(refused)?.into_inner().source;
            show_source(&client, &source.context("the registry gave no source")?)
        }
        SourceCommand::Reprocess { source, key, client } => {
            let request = ReprocessFileRequest { parent: source, object_key: key };
            let file = registry(&client)?.reprocess_file(request).await.map_err(refused)?.into_inner().file;
            show_file(&client, &file.context("the registry gave no file")?)
        }
        SourceCommand::Sample(SourceArgs { source, client }) => sample(&source, &client).await,
    }
}

async fn create(args: SourceCreateArgs) -> Result<()> {
    let dataset = format!("DATASET_{}", args.dataset.to_ascii_uppercase().replace('-', "_"));
    let Some(dataset) = Dataset::from_str_name(&dataset) else {
        bail!("--dataset {}: there are events, attributes, items and id-mappings", args.dataset);
    };
    let schema = args.schema.as_deref().map(read_schema).transpose()?;
    let static_keys = match &args.secret_key_file {
        Some(path) => Some(StaticKeys {
            access_key_id: args.access_key_id.clone(),
            secret_access_key: read_secret(path)?,
        }),
        None => None,
    };
    let invalid_rows = if args.reject_file { InvalidRows::RejectFile } else { InvalidRows::RejectRow };
    let source = Source {
        display_name: args.name,
        dataset: dataset as i32,
        bucket: args.bucket,
        path: args.path,
        role_arn: args.role_arn,
        region: args.region,
        endpoint_url: args.endpoint_url,
        schema,
        time_zone: args.time_zone,
        invalid_rows: invalid_rows as i32,
        ..Source::default()
    };
    let request = CreateSourceRequest {
        parent: account_name(&args.account),
        source: Some(source),
        static_keys,
        request_id: args.request_id,
    };
    let source = registry(&args.client)?.create_source(request).await.map_err(refused)?.into_inner().source;
    show_source(&args.client, &source.context("the registry gave no source")?)
}

fn read_schema(path: &Path) -> Result<api::registry::Schema> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let schema = dataset::Schema::parse_json(&text).with_context(|| path.display().to_string())?;
    Ok(registry::schema_to_api(&schema))
}

async fn list(account: &str, client: &ClientArgs) -> Result<()> {
    for source in all_sources(&mut registry(client)?, &account_name(account)).await? {
        show_source_line(client, &source)?;
    }
    Ok(())
}

/// Every source of an account.
pub(crate) async fn all_sources(registry: &mut Registry, account: &str) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListSourcesRequest {
            parent: account.to_owned(),
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = registry.list_sources(request).await.map_err(refused)?.into_inner();
        sources.extend(page.sources);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(sources);
        }
    }
}

async fn files(source: &str, client: &ClientArgs) -> Result<()> {
    let mut registry = registry(client)?;
    if !client.json {
        print(&format!(
            "{:<24} {:>10} {:>10} {:>10} {:>4}  KEY",
            "STATE", "ROWS", "ACCEPTED", "REJECTED", "GEN"
        ));
    }
    for file in all_files(&mut registry, source).await? {
        show_file(client, &file)?;
    }
    Ok(())
}

fn show_file(client: &ClientArgs, file: &File) -> Result<()> {
    if client.json {
        print(&api::to_json(file)?.to_string());
    } else {
        print(&file_line(file));
    }
    Ok(())
}

/// Every file of a source, newest date first.
pub(crate) async fn all_files(registry: &mut Registry, source: &str) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListFilesRequest {
            parent: source.to_owned(),
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = registry.list_files(request).await.map_err(refused)?.into_inner();
        files.extend(page.files);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(files);
        }
    }
}

async fn sample(source: &str, client: &ClientArgs) -> Result<()> {
    let request = ListSamplesRequest { parent: source.to_owned(), page_size: 20 };
    let samples = registry(client)?.list_samples(request).await.map_err(refused)?.into_inner().samples;
    for sample in samples {
        print(&records::to_json(&sample.message, &sample.record)?.to_string());
    }
    Ok(())
}

/// A file as a line for people.
pub(crate) fn file_line(file: &File) -> String {
    let error =
        file.error.as_ref().map_or(String::new(), |error| format!("  [{}] {}", error.code, error.reason));
    let stuck = file
        .stuck
        .as_ref()
        .map_or(String::new(), |stuck| format!("  STUCK: {}; {}", stuck.reason, stuck.advice));
    let warnings: Vec<String> = file.warnings.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let warned = if warnings.is_empty() { String::new() } else { format!("  ({})", warnings.join(", ")) };
    format!(
        "{:<24} {:>10} {:>10} {:>10} {:>4}  {}{}{error}{warned}{stuck}",
        state_name(file.state()),
        file.rows,
        file.accepted,
        file.rejected,
        file.generation,
        file.object_key,
        moving(file),
    )
}

/// How far a file is that is not at rest, and since when.
fn moving(file: &File) -> String {
    let is_moving = matches!(file.state(), FileState::Discovered | FileState::Published | FileState::Claimed);
    let Some(at) = file.update_time.as_ref().filter(|_| is_moving) else { return String::new() };
    let now = jiff::Timestamp::now().as_second();
    let age = u64::try_from(now.saturating_sub(at.seconds)).unwrap_or_default();
    let attempt = if file.attempts > 1 { format!(", attempt {}", file.attempts) } else { String::new() };
    format!("  (byte {}, moved {age} s ago{attempt})", file.position)
}

/// A file's state as people read it: `ACCEPTED`, `REJECTED`, …
pub(crate) fn state_name(state: FileState) -> &'static str {
    state.as_str_name().trim_start_matches("FILE_STATE_")
}

fn show_account(client: &ClientArgs, account: &Account) -> Result<()> {
    if client.json {
        print(&api::to_json(account)?.to_string());
    } else {
        print(&format!("{}  External ID {}", account.name, account.external_id));
    }
    Ok(())
}

fn show_source(client: &ClientArgs, source: &Source) -> Result<()> {
    if client.json {
        print(&api::to_json(source)?.to_string());
        return Ok(());
    }
    show_source_line(client, source)?;
    for column in source.schema.iter().flat_map(|schema| &schema.columns) {
        let needed = if column.required { "required" } else { "" };
        let kind = column.r#type().as_str_name().trim_start_matches("COLUMN_TYPE_").to_ascii_lowercase();
        print(&format!("  {:<24} {kind:<12} {needed}", column.name));
    }
    if let Some(discovery) = &source.discovery {
        print(&format!("  {} folders, {} objects at the last scan", discovery.folders, discovery.objects));
        if discovery.outside > 0 {
            let examples = discovery.outside_examples.join(", ");
            print(&format!("  {} outside YYYY-MM-DD folders, such as {examples}", discovery.outside));
        }
        if let Some(error) = &discovery.error {
            print(&format!("  last scan failed [{}]: {}; {}", error.code, error.reason, error.advice));
        }
    }
    Ok(())
}

fn show_source_line(client: &ClientArgs, source: &Source) -> Result<()> {
    if client.json {
        print(&api::to_json(source)?.to_string());
        return Ok(());
    }
    let state = SourceState::try_from(source.state).unwrap_or_default();
    print(&format!(
        "{}  {}  {}  s3://{}/{}  {}",
        source.name,
        state.as_str_name().trim_start_matches("SOURCE_STATE_"),
        source.dataset().as_str_name().trim_start_matches("DATASET_"),
        source.bucket,
        source.path,
        source.display_name,
    ));
    Ok(())
}

fn account_name(account: &str) -> String {
    if account.starts_with("accounts/") { account.to_owned() } else { format!("accounts/{account}") }
}

/// The registry, as the arguments say or as `cortex dev` wrote it down.
pub(crate) fn registry(args: &ClientArgs) -> Result<Registry> {
    let dev = Endpoints::read(&args.data_dir);
    let (url, token_file) = match (&args.registry_url, &args.token_file, dev) {
        (Some(url), Some(file), _) => (url.clone(), file.clone()),
        (url, file, Ok(dev)) => {
            (url.clone().unwrap_or(dev.registry), file.clone().unwrap_or(dev.admin_token_file))
        }
        (_, _, Err(error)) => {
            return Err(
                error.context("give --registry-url and --token-file, or the --data-dir of a `cortex dev`")
            );
        }
    };
    Ok(Registry::new(connect(&url, &read_secret(&token_file)?)?))
}

fn read_secret(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text.trim().to_owned())
}

/// A refusal in words: what the registry said, and each field that it objects to.
pub(crate) fn refused(status: tonic::Status) -> anyhow::Error {
    use tonic_types::StatusExt;
    let mut text = status.message().to_owned();
    if let Some(bad) = status.get_details_bad_request() {
        for violation in bad.field_violations {
            text.push_str(&format!("\n  {}: {}", violation.field, violation.description));
        }
    }
    anyhow::anyhow!("{:?}: {text}", status.code())
}

/// A file as `cortex dev --json` reports it.
pub(crate) fn file_json(file: &File) -> Value {
    json!({
        "key": file.object_key,
        "generation": file.generation,
        "outcome": state_name(file.state()),
        "rows": file.rows,
        "accepted": file.accepted,
        "rejected": file.rejected,
        "warnings": file.warnings,
        "error": file.error.as_ref().map(|error| json!({ "code": error.code, "reason": error.reason })),
    })
}
