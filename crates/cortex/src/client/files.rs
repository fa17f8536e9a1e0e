//! A source's files: outcomes, errors, samples, and reading them again.

use anyhow::{Context, Result};
use api::client::Registry;
use api::registry::{
    File, FileState, ListFileErrorsRequest, ListFilesRequest, ListSamplesRequest, ReprocessFileRequest,
    ReprocessFilesRequest,
};
use serde_json::{Value, json};

use super::error::refused;
use super::session::Session;
use super::table::{Column, Table};
use super::text::{constant, count, problem, state_name};
use crate::args::ReprocessArgs;
use crate::{UsageError, print};

/// `cortex source files`
pub(crate) async fn list(
    given: &str,
    filter: String,
    max: Option<usize>,
    mut session: Session,
) -> Result<()> {
    let source = session.source(given).await?;
    let files = some_files(&mut session.registry, &source, filter, max.unwrap_or(usize::MAX)).await?;
    show_all(&session, &files)
}

/// Files as a table, or as JSON.
fn show_all(session: &Session, files: &[File]) -> Result<()> {
    if session.json {
        for file in files {
            print(&api::to_json(file)?.to_string());
        }
        return Ok(());
    }
    table(files).print("no files yet");
    Ok(())
}

/// Files as people read them.
pub(crate) fn table(files: &[File]) -> Table {
    let mut table = Table::new(&[
        Column::State("STATE"),
        Column::Number("ROWS"),
        Column::Number("ACCEPTED"),
        Column::Number("REJECTED"),
        Column::Number("GEN"),
        Column::Text("KEY"),
    ]);
    for file in files {
        table.row([
            state_name(file.state()).to_owned(),
            count(file.rows),
            count(file.accepted),
            count(file.rejected),
            file.generation.to_string(),
            key_and_notes(file),
        ]);
    }
    table
}

/// Every file of a source, newest date first.
pub(crate) async fn all_files(registry: &mut Registry, source: &str) -> Result<Vec<File>> {
    some_files(registry, source, String::new(), usize::MAX).await
}

/// So many of them that fit the filter.
pub(crate) async fn some_files(
    registry: &mut Registry,
    source: &str,
    filter: String,
    max: usize,
) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut page_token = String::new();
    while files.len() < max {
        let request = ListFilesRequest {
            parent: source.to_owned(),
            page_size: i32::try_from((max - files.len()).min(1_000)).unwrap_or(1_000),
            page_token,
            filter: filter.clone(),
        };
        let page = registry.list_files(request).await.map_err(refused)?.into_inner();
        files.extend(page.files);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    files.truncate(max);
    Ok(files)
}

/// `cortex source errors`
pub(crate) async fn errors(given: &str, key: String, generation: u32, mut session: Session) -> Result<()> {
    let parent = session.source(given).await?;
    let request = ListFileErrorsRequest { parent, object_key: key, generation };
    let answer = session.registry.list_file_errors(request).await.map_err(refused)?.into_inner();
    if session.json {
        for error in &answer.errors {
            print(&api::to_json(error)?.to_string());
        }
        return Ok(());
    }
    if let Some(file) = &answer.file {
        table(std::slice::from_ref(file)).print("");
        let mut codes: Vec<_> = file.rejections.iter().collect();
        codes.sort();
        for (code, rows) in codes {
            print(&format!("  {:>10}  {code}", count(*rows)));
        }
        print("");
    }
    row_errors(&answer.errors).print("no row of it was refused");
    Ok(())
}

/// Refused rows as people read them.
pub(crate) fn row_errors(errors: &[api::registry::RowError]) -> Table {
    let mut table = Table::new(&[
        Column::Number("ROW"),
        Column::Number("BYTE"),
        Column::Text("COLUMN"),
        Column::Text("CODE"),
        Column::Long("REASON"),
        Column::Long("RAW"),
    ]);
    for error in errors {
        let row = error.row_number.map_or_else(String::new, count);
        let advice = if error.advice.is_empty() { String::new() } else { format!("; {}", error.advice) };
        table.row([
            row,
            count(error.position),
            error.column.clone(),
            error.code.clone(),
            format!("{}{advice}", error.reason),
            error.raw.clone(),
        ]);
    }
    table
}

/// `cortex source sample`
pub(crate) async fn sample(given: &str, max: i32, mut session: Session) -> Result<()> {
    let parent = session.source(given).await?;
    let request = ListSamplesRequest { parent, page_size: max };
    let samples = session.registry.list_samples(request).await.map_err(refused)?.into_inner().samples;
    for sample in samples {
        // The registry's own rendering where it gives one: it knows the newest records.
        if sample.json.is_empty() {
            print(&records::to_json(&sample.message, &sample.record)?.to_string());
        } else {
            print(&sample.json);
        }
    }
    Ok(())
}

/// `cortex source reprocess`
pub(crate) async fn reprocess(args: ReprocessArgs) -> Result<()> {
    let states: Vec<i32> = args.state.iter().map(|word| state_of(word)).collect::<Result<_, _>>()?;
    let mut session = Session::open(&args.client)?;
    let parent = session.source(&args.source).await?;
    if let Some(object_key) = args.key {
        let request = ReprocessFileRequest { parent, object_key };
        let opened = session.registry.reprocess_file(request).await.map_err(refused)?.into_inner().file;
        return show_all(&session, &[opened.context("the registry gave no file")?]);
    }
    let (Some(from), Some(to)) = (args.from, args.to) else {
        return Err(UsageError("give a key, or --from and --to".into()).into());
    };
    let request =
        ReprocessFilesRequest { parent, start_date: from.to_string(), end_date: to.to_string(), states };
    let answer = session.registry.reprocess_files(request).await.map_err(refused)?.into_inner();
    if session.json {
        print(&api::to_json(&answer)?.to_string());
    } else {
        print(&format!(
            "{} files are read again; {} are still to be read and were left alone",
            count(answer.opened),
            count(answer.left_alone)
        ));
    }
    Ok(())
}

fn state_of(word: &str) -> Result<i32, UsageError> {
    let state = FileState::from_str_name(&format!("FILE_STATE_{}", constant(word)));
    state.filter(|state| *state != FileState::Unspecified).map(|state| state as i32).ok_or_else(|| {
        UsageError(format!(
            "--state {word}: there are accepted, accepted-with-rejections, rejected, incomplete and superseded"
        ))
    })
}

/// A file as a line for people.
pub(crate) fn file_line(file: &File) -> String {
    format!(
        "{:<24} {:>10} {:>10} {:>10} {:>4}  {}",
        state_name(file.state()),
        file.rows,
        file.accepted,
        file.rejected,
        file.generation,
        key_and_notes(file),
    )
}

/// Its key, and what there is to know about it.
fn key_and_notes(file: &File) -> String {
    let error =
        file.error.as_ref().map_or(String::new(), |error| format!("  [{}] {}", error.code, error.reason));
    let stuck = file.stuck.as_ref().map_or(String::new(), |stuck| format!("  STUCK: {}", problem(stuck)));
    let warnings: Vec<String> = file.warnings.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let warned = if warnings.is_empty() { String::new() } else { format!("  ({})", warnings.join(", ")) };
    let replaces = match file.replaces_generation {
        0 => String::new(),
        before => format!("  (replaces generation {before})"),
    };
    format!("{}{}{error}{warned}{replaces}{stuck}", file.object_key, moving(file))
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
