//! `cortex source …`: what a source is, and its life.

use anyhow::{Context, Result};
use api::registry::{
    ActivateSourceRequest, DeleteSourceRequest, GetSourceRequest, PauseSourceRequest, ResumeSourceRequest,
    Source, SourceAttention, UndeleteSourceRequest,
};

use super::error::refused;
use super::session::{Session, all_sources};
use super::table::{Column, Table, print_fields};
use super::text::{count, dataset_word, problem, relative, source_state, time};
use super::{connection, create, dataset, days, files, schema, setup, update, watch};
use crate::args::{SourceArgs, SourceCommand};
use crate::{Answer, print};

/// `cortex source …`
pub(crate) async fn run(command: SourceCommand) -> Result<Answer> {
    match command {
        SourceCommand::Create(args) => return create::run(*args).await,
        SourceCommand::List { id, filter, deleted, client } => {
            let mut session = Session::open(&client)?;
            let account = session.account(id.as_deref())?;
            let sources = all_sources(&mut session.registry, &account, &filter, deleted).await?;
            list(&session, &sources)?;
        }
        SourceCommand::Show(args) => change(args, Change::None).await?,
        SourceCommand::Activate(args) => change(args, Change::Activate).await?,
        SourceCommand::Pause(args) => change(args, Change::Pause).await?,
        SourceCommand::Resume(args) => change(args, Change::Resume).await?,
        SourceCommand::Undelete(args) => change(args, Change::Undelete).await?,
        SourceCommand::Delete(args) => delete(args).await?,
        SourceCommand::Update(args) => update::run(*args).await?,
        SourceCommand::Test(args) => return connection::test(args).await,
        SourceCommand::Preview(args) => return connection::preview(args).await,
        SourceCommand::Setup(args) => setup::run(args).await?,
        SourceCommand::Schema(args) => schema::show(args).await?,
        SourceCommand::SetSchema { source, schema, allow_breaking, client } => {
            schema::set(&source, &schema, allow_breaking, Session::open(&client)?).await?;
        }
        SourceCommand::Files { source, filter, max, client } => {
            files::list(&source, filter, max, Session::open(&client)?).await?;
        }
        SourceCommand::Errors { source, key, generation, client } => {
            files::errors(&source, key, generation, Session::open(&client)?).await?;
        }
        SourceCommand::Sample { source, max, client } => {
            files::sample(&source, max, Session::open(&client)?).await?;
        }
        SourceCommand::Reprocess(args) => files::reprocess(args).await?,
        SourceCommand::Days { source, from, to, client } => {
            days::list(&source, from.zip(to), Session::open(&client)?).await?;
        }
        SourceCommand::Backlog(args) => days::backlog(args).await?,
        SourceCommand::Watch { source, every, client } => {
            watch::run(&source, every, Session::open(&client)?).await?;
        }
    }
    Ok(Answer::Yes)
}

/// What is done to a source before it is shown.
enum Change {
    None,
    Activate,
    Pause,
    Resume,
    Undelete,
}

async fn change(args: SourceArgs, change: Change) -> Result<()> {
    let mut session = Session::open(&args.client)?;
    let name = session.source(&args.source).await?;
    let registry = &mut session.registry;
    let source = match change {
        Change::None => registry.get_source(GetSourceRequest { name }).await.map(|it| it.into_inner().source),
        Change::Activate => {
            registry.activate_source(ActivateSourceRequest { name }).await.map(|it| it.into_inner().source)
        }
        Change::Pause => {
            registry.pause_source(PauseSourceRequest { name }).await.map(|it| it.into_inner().source)
        }
        Change::Resume => {
            registry.resume_source(ResumeSourceRequest { name }).await.map(|it| it.into_inner().source)
        }
        Change::Undelete => {
            registry.undelete_source(UndeleteSourceRequest { name }).await.map(|it| it.into_inner().source)
        }
    };
    show(&session, source.map_err(refused)?)
}

async fn delete(args: SourceArgs) -> Result<()> {
    let mut session = Session::open(&args.client)?;
    let name = session.source(&args.source).await?;
    let request = DeleteSourceRequest { name, ..Default::default() };
    let source = session.registry.delete_source(request).await.map_err(refused)?.into_inner().source;
    let Some(source) = source else { return Ok(()) };
    if session.json {
        print(&api::to_json(&source)?.to_string());
    } else if source.purge_time.is_some() {
        let until = time(source.purge_time.as_ref());
        print(&format!("{} is deleted; until {until} `cortex source undelete` brings it back", source.name));
    }
    Ok(())
}

/// A source as the registry has it.
pub(crate) async fn get(session: &mut Session, name: &str) -> Result<Source> {
    let request = GetSourceRequest { name: name.to_owned() };
    let source = session.registry.get_source(request).await.map_err(refused)?.into_inner().source;
    source.context("the registry gave no source")
}

fn list(session: &Session, sources: &[Source]) -> Result<()> {
    if session.json {
        for source in sources {
            print(&api::to_json(source)?.to_string());
        }
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::State("STATE"),
        Column::Text("DATASET"),
        Column::Long("NAME"),
        Column::Long("BUCKET"),
        Column::Text("LAST SCAN"),
        Column::Text("SOURCE"),
    ]);
    for source in sources {
        let scanned = source.discovery.as_ref().and_then(|discovery| discovery.last_scan_time.as_ref());
        table.row([
            source_state(source).to_owned(),
            dataset_word(source.dataset()),
            source.display_name.clone(),
            place(source),
            relative(scanned),
            source.name.clone(),
        ]);
    }
    table.print("no sources; `cortex source create` makes one, step by step");
    Ok(())
}

/// Prints a source: as JSON, or for people.
pub(crate) fn show(session: &Session, source: Option<Source>) -> Result<()> {
    let source = source.context("the registry gave no source")?;
    if session.json {
        print(&api::to_json(&source)?.to_string());
        return Ok(());
    }
    let zone = if source.time_zone.is_empty() { "UTC" } else { &source.time_zone };
    let most = source.max_rejected_percent;
    print_fields([
        ("source", source.name.clone()),
        ("name", source.display_name.clone()),
        ("state", source_state(&source).to_owned()),
        ("attention", source.attention.as_ref().map_or_else(String::new, attention)),
        ("dataset", dataset_word(source.dataset())),
        ("bucket", place(&source)),
        ("region", source.region.clone()),
        ("endpoint", source.endpoint_url.clone()),
        ("role", source.role_arn.clone()),
        ("owner", source.expected_bucket_owner.clone()),
        ("event queue", source.event_queue_url.clone()),
        ("time zone", zone.to_owned()),
        ("invalid rows", word(source.invalid_rows().as_str_name(), "INVALID_ROWS_")),
        ("overwrites", word(source.overwrite_policy().as_str_name(), "OVERWRITE_POLICY_")),
        ("rejects file", if most > 0.0 { format!("above {most} % of invalid rows") } else { String::new() }),
        ("deleted", time(source.delete_time.as_ref())),
        ("gone for good", time(source.purge_time.as_ref())),
        ("etag", source.etag.clone()),
    ]);
    if let Some(schema) = &source.schema {
        print("");
        dataset::columns(&schema.columns).print("");
    }
    scan(&source);
    Ok(())
}

fn scan(source: &Source) {
    let Some(discovery) = &source.discovery else { return };
    print("");
    let outside = match discovery.outside {
        0 => String::new(),
        outside => format!("{outside}, such as {}", discovery.outside_examples.join(", ")),
    };
    let formats: Vec<String> = discovery
        .formats
        .iter()
        .map(|seen| match seen.compression.as_str() {
            "" | "none" => format!("{} {}", count(seen.files), seen.format),
            compression => format!("{} {} in {compression}", count(seen.files), seen.format),
        })
        .collect();
    print_fields([
        ("last scan", relative(discovery.last_scan_time.as_ref())),
        ("next scan", relative(discovery.next_scan_time.as_ref())),
        ("found", format!("{} folders, {} objects", count(discovery.folders), count(discovery.objects))),
        ("outside YYYY-MM-DD", outside),
        ("formats", formats.join(", ")),
        ("failed", discovery.error.as_ref().map_or_else(String::new, problem)),
    ]);
}

/// Why a source needs attention, since when, and when it is tried again.
pub(crate) fn attention(attention: &SourceAttention) -> String {
    let problem = attention.problem.as_ref().map_or_else(String::new, problem);
    let since = relative(attention.since.as_ref());
    let next = match attention.next_retry_time.as_ref() {
        Some(next) => format!(", tried {} times, next {}", attention.retries, relative(Some(next))),
        None => String::new(),
    };
    format!("{} ({}): {problem}", attention.kind, format!("since {since}{next}").trim_start())
}

/// `s3://BUCKET/PATH`
pub(crate) fn place(source: &Source) -> String {
    format!("s3://{}/{}", source.bucket, source.path)
}

/// A constant of the contract as a word; empty where unspecified.
fn word(constant: &str, prefix: &str) -> String {
    match constant.trim_start_matches(prefix) {
        "UNSPECIFIED" => String::new(),
        word => word.to_ascii_lowercase().replace('_', " "),
    }
}
