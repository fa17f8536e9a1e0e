//! `cortex source watch`: a source as it lives, until Ctrl-C.

use std::time::Duration;

use anyhow::Result;
use api::registry::{File, GetBacklogRequest, GetBacklogResponse, Source};
use serde_json::{Value, json};
use terminal::Term;

use super::error::{ClientError, refused};
use super::session::Session;
use super::table::coloured;
use super::text::{bytes, count, relative, source_state, span};
use super::{days, files, source};
use crate::{print, shutdown_signal};

/// Files that are shown.
const NEWEST: usize = 10;

/// What one look found.
struct Look {
    source: Source,
    backlog: GetBacklogResponse,
    files: Vec<File>,
}

/// Looks every so many seconds. With --json an object is printed where something has changed.
pub(crate) async fn run(given: &str, every: u64, mut session: Session) -> Result<()> {
    let shutdown = shutdown_signal()?;
    let name = session.source(given).await?;
    let terminal = Term::stdout();
    let mut last = Value::Null;
    loop {
        match look(&mut session, &name).await {
            Ok(look) => {
                let json = as_json(&look)?;
                if session.json {
                    if json != last {
                        print(&json.to_string());
                    }
                } else if terminal.is_term() {
                    // Written over what stood there, from the top.
                    terminal.clear_screen()?;
                    show(&look);
                } else if json != last {
                    show(&look);
                    print("");
                }
                last = json;
            }
            // A registry that restarts is waited for, once it has answered.
            Err(error) if !last.is_null() && is_passing(&error) => {
                eprintln!("cortex: {error:#}; trying again")
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(every)) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}

fn is_passing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some_and(|error| error.exit_status() == 6)
}

async fn look(session: &mut Session, name: &str) -> Result<Look> {
    let source = source::get(session, name).await?;
    let request = GetBacklogRequest { name: name.to_owned() };
    let backlog = session.registry.get_backlog(request).await.map_err(refused)?.into_inner();
    let files = files::some_files(&mut session.registry, name, String::new(), NEWEST).await?;
    Ok(Look { source, backlog, files })
}

/// What is told, without what changes by itself (the times of scans).
fn as_json(look: &Look) -> Result<Value> {
    let discovery = look.source.discovery.as_ref();
    Ok(json!({
        "name": look.source.name,
        "state": source_state(&look.source),
        "attention": look.source.attention.as_ref().map(api::to_json).transpose()?,
        "folders": discovery.map(|discovery| discovery.folders),
        "objects": discovery.map(|discovery| discovery.objects),
        "scan_error": discovery.and_then(|discovery| discovery.error.as_ref()).map(api::to_json).transpose()?,
        "backlog": api::to_json(&look.backlog)?,
        "files": look.files.iter().map(files::file_json).collect::<Vec<_>>(),
    }))
}

fn show(look: &Look) {
    let source = &look.source;
    let state = coloured(source_state(source));
    print(&format!("{}  {state}  {}  {}", source.display_name, source::place(source), source.name));
    if let Some(attention) = &source.attention {
        print(&format!("needs attention: {}", source::attention(attention)));
    }
    if let Some(discovery) = &source.discovery {
        print(&format!(
            "last scan {}, next {}; {} folders, {} objects",
            or_never(relative(discovery.last_scan_time.as_ref())),
            or_never(relative(discovery.next_scan_time.as_ref())),
            count(discovery.folders),
            count(discovery.objects)
        ));
    }
    let backlog = &look.backlog;
    let parts = [
        format!("backlog {} files, {}", count(backlog.files), bytes(backlog.bytes)),
        days::rate(backlog),
        backlog.time_left.as_ref().map_or_else(String::new, |left| format!("{} left", span(left))),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    print(&parts.join("; "));
    if !look.files.is_empty() {
        print("");
        files::table(&look.files).print("");
    }
}

fn or_never(text: String) -> String {
    if text.is_empty() { "never".to_owned() } else { text }
}
