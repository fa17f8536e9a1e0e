//! From the bucket to the ledger: which dated folders are listed, and how far the sweep is.

use api::worker::{ScanError, ScanFindings};
use bucket::{Bucket, BucketError};
use futures::stream::{self, BoxStream, StreamExt};
use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use crate::ScannerError;
use crate::folder::{self, End, Folder};
use crate::lease::{Completion, Lease, Scope};

/// The dated folders that a scan is to list, oldest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Folders {
    /// Of the look-back window.
    pub(crate) recent: Vec<Date>,
    /// Before it, and behind the sweep's cursor; empty where no sweep is due.
    pub(crate) older: Vec<Date>,
    /// How many a sweep leaves out, as the ledger has forgotten files of theirs.
    pub(crate) forgotten: u64,
}

impl Folders {
    fn of(scope: &Scope, dates: impl IntoIterator<Item = Date>) -> Self {
        let cursor: Option<Date> = scope.sweep_cursor.parse().ok();
        let mut folders = Self::default();
        for date in dates {
            if scope.look_back_from.is_none_or(|from| date >= from) {
                folders.recent.push(date);
            } else if scope.full_sweep && cursor.is_none_or(|behind| date > behind) {
                if scope.forgotten_until.is_some_and(|until| date <= until) {
                    folders.forgotten += 1;
                } else {
                    folders.older.push(date);
                }
            }
        }
        folders.recent.sort_unstable();
        folders.older.sort_unstable();
        folders
    }
}

/// What a scan has found so far, and how far its sweep came.
#[derive(Debug)]
pub(crate) struct Discovery {
    completion: Completion,
}

impl Discovery {
    pub(crate) fn new(scope: &Scope) -> Self {
        let sweep_cursor = scope.sweep_cursor.clone();
        Self { completion: Completion { sweep_cursor, ..Completion::default() } }
    }

    /// Keeps why the bucket could not be listed. The first reason counts: what follows is mostly its consequence.
    pub(crate) fn failed(&mut self, error: &BucketError) {
        tracing::warn!(%error, code = error.code(), "the bucket could not be listed");
        self.completion.error.get_or_insert_with(|| ScanError {
            code: error.code().to_owned(),
            reason: error.to_string(),
            advice: error.advice(),
        });
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.completion.error.is_some()
    }

    pub(crate) fn sweep_finished(&mut self) {
        self.completion.sweep_finished = true;
        self.completion.sweep_cursor.clear();
    }

    pub(crate) fn into_completion(self) -> Completion {
        self.completion
    }

    fn findings(&mut self) -> &mut ScanFindings {
        &mut self.completion.findings
    }

    fn add(&mut self, folder: &Folder) {
        let findings = self.findings();
        findings.folders += 1;
        findings.objects += folder.objects;
        findings.left_alone += folder.left_alone;
        findings.list_requests += folder.list_requests;
    }
}

/// Lists a leased source.
pub(crate) struct Lister<'a> {
    pub(crate) bucket: Bucket,
    pub(crate) lease: &'a Lease,
    /// Folders at once.
    pub(crate) concurrency: usize,
}

impl Lister<'_> {
    /// The folders to list; none where the bucket says why not, which is kept in `discovery`.
    pub(crate) async fn folders(&self, discovery: &mut Discovery) -> Option<Folders> {
        let scope = &self.lease.scope;
        // A sweep sees the whole root, behind its cursor or not: it costs a request a thousand folders, and what lies
        // outside is counted in full.
        let from = if scope.full_sweep { None } else { scope.look_back_from };
        match self.bucket.date_folders(from, None).await {
            Ok(listed) => {
                let findings = discovery.findings();
                findings.outside = listed.outside;
                findings.outside_examples = listed.outside_examples;
                findings.left_alone += listed.left_alone;
                findings.list_requests += listed.list_requests;
                metrics::counter!("cortex_scanner_list_requests_total").increment(listed.list_requests);
                let folders = Folders::of(scope, listed.dates);
                discovery.findings().left_alone += folders.forgotten;
                Some(folders)
            }
            Err(error) => {
                discovery.failed(&error);
                None
            }
        }
    }

    /// Lists and records `folders`, several at once; one that cannot be listed leaves the others alone.
    pub(crate) async fn list(
        &self,
        folders: &[Date],
        discovery: &mut Discovery,
        stop: &CancellationToken,
    ) -> Result<(), ScannerError> {
        let one = move |date| folder::recent(&self.bucket, self.lease, date, stop);
        let mut listed = self.each(folders, one);
        while let Some(folder) = listed.next().await {
            let (_, folder) = folder?;
            discovery.add(&folder);
            discovery.completion.listed.extend(folder.listed);
            if let End::Failed(error) = folder.end {
                discovery.failed(&error);
            }
        }
        Ok(())
    }

    /// As [`Self::list`], moving the sweep's cursor behind each folder; false where the sweep must go on from there in
    /// a later scan.
    pub(crate) async fn sweep(
        &self,
        folders: &[Date],
        discovery: &mut Discovery,
        stop: &CancellationToken,
    ) -> Result<bool, ScannerError> {
        // In date order, whatever finishes first: behind the cursor nothing is left out.
        let one = move |date| folder::older(&self.bucket, self.lease, date, stop);
        let mut listed = self.each(folders, one);
        while let Some(folder) = listed.next().await {
            let (date, folder) = folder?;
            discovery.add(&folder);
            match folder.end {
                End::Complete => {}
                End::Stopped => return Ok(false),
                End::Failed(error) => {
                    discovery.failed(&error);
                    // A folder that stays closed must not hold up the sweep for ever; the next one tries it again.
                    if error.is_passing() {
                        return Ok(false);
                    }
                }
            }
            discovery.completion.sweep_cursor = date.to_string();
            self.lease.swept(&discovery.completion.sweep_cursor);
        }
        Ok(true)
    }

    fn each<'a, F>(
        &self,
        folders: &'a [Date],
        one: impl Fn(Date) -> F + Copy + Send + 'a,
    ) -> BoxStream<'a, Result<(Date, Folder), ScannerError>>
    where
        F: Future<Output = Result<Folder, ScannerError>> + Send + 'a,
    {
        stream::iter(folders.iter().copied())
            .map(move |date| async move { Ok((date, one(date).await?)) })
            .buffered(self.concurrency)
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use jiff::civil::date;

    fn scope(look_back_from: Option<Date>, full_sweep: bool, sweep_cursor: &str) -> Scope {
        Scope {
            look_back_from,
            full_sweep,
            sweep_cursor: sweep_cursor.to_owned(),
            marks: BTreeMap::new(),
            forgotten_until: None,
        }
    }

    #[test]
    fn a_sweep_goes_on_behind_its_cursor_and_leaves_the_look_back_window_to_its_own_pass() {
        let days = [date(2026, 11, 3), date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 4)];
        let from = Some(date(2026, 11, 3));
        let recent = vec![date(2026, 11, 3), date(2026, 11, 4)];

        let folders = Folders::of(&scope(from, false, ""), days);
        assert_eq!(folders, Folders { recent: recent.clone(), ..Folders::default() });
        let folders = Folders::of(&scope(from, true, ""), days);
        assert_eq!(folders.older, [date(2026, 11, 1), date(2026, 11, 2)]);
        let folders = Folders::of(&scope(from, true, "2026-11-01"), days);
        assert_eq!(folders, Folders { recent, older: vec![date(2026, 11, 2)], forgotten: 0 });
    }

    #[test]
    fn a_sweep_leaves_out_the_folders_that_the_ledger_has_forgotten() {
        let days = [date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3), date(2026, 11, 4)];
        let scope =
            Scope { forgotten_until: Some(date(2026, 11, 2)), ..scope(Some(date(2026, 11, 4)), true, "") };
        let left = Folders { recent: vec![days[3]], older: vec![days[2]], forgotten: 2 };
        assert_eq!(Folders::of(&scope, days), left);
    }

    #[test]
    fn without_a_look_back_bound_every_folder_is_listed() {
        let days = [date(2026, 11, 1), date(1999, 1, 1)];
        assert_eq!(Folders::of(&scope(None, false, ""), days).recent, [days[1], days[0]]);
    }

    #[test]
    fn an_interrupted_scan_keeps_the_cursor_it_was_given() {
        let completion = Discovery::new(&scope(None, true, "2026-11-01")).into_completion();
        assert_eq!(completion.sweep_cursor, "2026-11-01");
        assert!(!completion.sweep_finished);
    }
}
