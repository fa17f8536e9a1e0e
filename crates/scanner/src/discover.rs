//! From the bucket to the ledger: dated folders are listed, and every page of objects is recorded.

use api::worker::{ListedObject, ScanError, ScanFindings};
use bucket::{Bucket, BucketError, FolderPages};
use futures::stream::{self, BoxStream, StreamExt};
use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use crate::ScannerError;
use crate::lease::{Completion, Lease, Scope};

/// The dated folders that a scan is to list, oldest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Folders {
    /// Of the look-back window.
    pub(crate) recent: Vec<Date>,
    /// Before it, and behind the sweep's cursor; empty where no sweep is due.
    pub(crate) older: Vec<Date>,
}

impl Folders {
    fn of(scope: &Scope, dates: impl IntoIterator<Item = Date>) -> Self {
        let cursor: Option<Date> = scope.sweep_cursor.parse().ok();
        let mut folders = Self::default();
        for date in dates {
            if scope.look_back_from.is_none_or(|from| date >= from) {
                folders.recent.push(date);
            } else if scope.full_sweep && cursor.is_none_or(|behind| date > behind) {
                folders.older.push(date);
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

/// What became of one folder.
#[derive(Debug, Default)]
struct Folder {
    objects: u64,
    left_alone: u64,
    list_requests: u64,
    end: End,
}

#[derive(Debug, Default)]
enum End {
    /// Listed and recorded to its last object.
    #[default]
    Complete,
    /// Shutdown came first.
    Stopped,
    Failed(BucketError),
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
                Some(Folders::of(scope, listed.dates))
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
        let mut listed = self.each(folders, stop);
        while let Some(folder) = listed.next().await {
            let (_, folder) = folder?;
            discovery.add(&folder);
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
        let mut listed = self.each(folders, stop);
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
        }
        Ok(true)
    }

    fn each<'a>(
        &'a self,
        folders: &'a [Date],
        stop: &'a CancellationToken,
    ) -> BoxStream<'a, Result<(Date, Folder), ScannerError>> {
        stream::iter(folders.iter().copied())
            .map(move |date| async move { Ok((date, self.folder(date, stop).await?)) })
            .buffered(self.concurrency)
            .boxed()
    }

    /// Lists one folder.
    async fn folder(&self, date: Date, stop: &CancellationToken) -> Result<Folder, ScannerError> {
        let mut pages = self.bucket.list_folder(date);
        let mut objects = 0;
        let end = self.record_pages(date, &mut pages, &mut objects, stop).await?;
        metrics::counter!("cortex_scanner_list_requests_total").increment(pages.list_requests());
        Ok(Folder { objects, left_alone: pages.left_alone(), list_requests: pages.list_requests(), end })
    }

    /// Page by page, each into the ledger before the next is asked for.
    async fn record_pages(
        &self,
        date: Date,
        pages: &mut FolderPages,
        objects: &mut u64,
        stop: &CancellationToken,
    ) -> Result<End, ScannerError> {
        while !stop.is_cancelled() {
            let page = match pages.next_page().await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(End::Complete),
                Err(error) => return Ok(End::Failed(error)),
            };
            if page.is_empty() {
                continue;
            }
            let count = page.len() as u64;
            let listed = page.into_iter().map(|object| entry(date, object)).collect();
            let recorded = self.lease.record(listed).await?;
            *objects += count;
            metrics::counter!("cortex_scanner_objects_listed_total").increment(count);
            metrics::counter!("cortex_scanner_generations_opened_total").increment(recorded.opened.into());
        }
        Ok(End::Stopped)
    }
}

pub(crate) fn entry(date: Date, object: bucket::ListedObject) -> ListedObject {
    ListedObject {
        object_key: object.key,
        etag: object.etag,
        size: object.size,
        last_modified: Some(prost_types::Timestamp {
            seconds: object.last_modified.as_second(),
            nanos: object.last_modified.subsec_nanosecond(),
        }),
        date: date.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn scope(look_back_from: Option<Date>, full_sweep: bool, sweep_cursor: &str) -> Scope {
        Scope { look_back_from, full_sweep, sweep_cursor: sweep_cursor.to_owned() }
    }

    #[test]
    fn a_sweep_goes_on_behind_its_cursor_and_leaves_the_look_back_window_to_its_own_pass() {
        let days = [date(2026, 11, 3), date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 4)];
        let from = Some(date(2026, 11, 3));
        let recent = vec![date(2026, 11, 3), date(2026, 11, 4)];

        let folders = Folders::of(&scope(from, false, ""), days);
        assert_eq!(folders, Folders { recent: recent.clone(), older: vec![] });
        let folders = Folders::of(&scope(from, true, ""), days);
        assert_eq!(folders.older, [date(2026, 11, 1), date(2026, 11, 2)]);
        let folders = Folders::of(&scope(from, true, "2026-11-01"), days);
        assert_eq!(folders, Folders { recent, older: vec![date(2026, 11, 2)] });
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
