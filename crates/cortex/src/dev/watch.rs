//! What is shown while files come in, and when all is at rest.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::Result;
use api::client::Registry;
use api::registry::{File, FileState, SourceState};

use crate::client::{all_files, all_sources, file_line, is_gone};

/// The state of every file of the account's sources.
pub(super) struct Watch {
    account: String,
    shown: BTreeMap<(String, u32), FileState>,
}

/// What one look at the registry found.
pub(super) struct Look {
    /// Every generation of every file, in the order of sources.
    pub files: Vec<File>,
    /// Files whose state is new since the last look, as lines.
    pub news: Vec<String>,
    /// Files that are being read, as one line; none where there are none.
    pub(crate) running: Option<String>,
    /// True where every file is finished, and every active source was scanned since the given time without a failure.
    pub at_rest: bool,
}

impl Watch {
    /// Watches the sources of `accounts/{account}`, those that are created meanwhile, too.
    pub(super) fn new(account: String) -> Self {
        Self { account, shown: BTreeMap::new() }
    }

    /// Looks once. A scan counts that ended at or after `settled`.
    pub(super) async fn look(&mut self, registry: &mut Registry, settled: SystemTime) -> Result<Look> {
        let mut look = Look { files: Vec::new(), news: Vec::new(), running: None, at_rest: true };
        for source in all_sources(registry, &self.account, "", false).await? {
            let is_active = source.state() == SourceState::Active;
            // The scan is looked at before the files: what it found is in the files seen after it.
            let scanned = !is_active
                || source.discovery.is_some_and(|discovery| {
                    let ended = discovery.last_scan_time.and_then(|time| SystemTime::try_from(time).ok());
                    discovery.error.is_none() && ended.is_some_and(|ended| ended >= settled)
                });
            let files = match all_files(registry, &source.name).await {
                Ok(files) => files,
                // Its source was deleted between the two questions.
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            look.at_rest &= scanned && files.iter().all(|file| is_finished(file.state()));
            look.files.extend(files);
        }
        for file in &look.files {
            let key = (file.file_id.clone(), file.generation);
            if is_finished(file.state()) && self.shown.insert(key, file.state()) != Some(file.state()) {
                look.news.push(file_line(file));
            }
        }
        look.running = running(&look.files);
        Ok(look)
    }
}

/// Waiting files, and how far those in hand are.
fn running(files: &[File]) -> Option<String> {
    let waiting = files
        .iter()
        .filter(|file| matches!(file.state(), FileState::Discovered | FileState::Published))
        .count();
    let in_hand: Vec<String> = files
        .iter()
        .filter(|file| file.state() == FileState::Claimed)
        .map(|file| format!("{} {} rows", file.object_key, file.rows))
        .collect();
    if waiting == 0 && in_hand.is_empty() {
        return None;
    }
    let more = in_hand.len().saturating_sub(2);
    let more = if more > 0 { format!(", {more} more") } else { String::new() };
    let shown: Vec<&str> = in_hand.iter().take(2).map(String::as_str).collect();
    Some(format!("reading {}{more}; {waiting} waiting", shown.join(", ")))
}

/// True where nothing more will happen to a generation.
fn is_finished(state: FileState) -> bool {
    match state {
        FileState::Unspecified | FileState::Discovered | FileState::Published | FileState::Claimed => false,
        FileState::Accepted
        | FileState::AcceptedWithRejections
        | FileState::Rejected
        | FileState::Incomplete
        | FileState::Superseded => true,
    }
}
