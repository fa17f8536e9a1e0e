//! One dated folder: listed from its start or from behind its mark, every page into the ledger; and what of it the next
//! scan is to know.

use std::collections::VecDeque;

use api::worker::{FolderMark, ListedFolder, ListedObject};
use bucket::{Bucket, BucketError, FolderPages};
use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use crate::ScannerError;
use crate::lease::Lease;

/// Objects at the end of a folder that every scan lists again: half a page, so that they and as many new ones cost one
/// request. They take in what uploads that run side by side put a little out of order.
const TAIL: usize = 500;

/// What became of one folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// Up to the mark, where it was listed from there, and listed.
    pub(crate) objects: u64,
    pub(crate) left_alone: u64,
    pub(crate) list_requests: u64,
    /// For the registry, where it is of the look-back window and was listed to its end.
    pub(crate) listed: Option<ListedFolder>,
    pub(crate) end: End,
}

#[derive(Debug, Default)]
pub(crate) enum End {
    /// Listed and recorded to its last object.
    #[default]
    Complete,
    /// Shutdown came first.
    Stopped,
    Failed(BucketError),
}

/// Lists and records a folder of the look-back window: from behind its mark, unless it is due to be listed in full.
pub(crate) async fn recent(
    bucket: &Bucket,
    lease: &Lease,
    date: Date,
    stop: &CancellationToken,
) -> Result<Folder, ScannerError> {
    let mark = lease.scope.marks.get(&date).filter(|mark| !mark.after.is_empty());
    let start = mark.filter(|mark| !mark.list_in_full).map_or("", |mark| &mark.after);
    let mut walk = Walk::new(bucket.list_folder_after(date, start), lease, date);
    walk.mark = mark;
    let end = walk.record(stop).await?;
    let listed = matches!(end, End::Complete).then(|| walk.listed());
    Ok(Folder { listed, ..walk.folder(end) })
}

/// Lists and records a folder before the window, in full.
pub(crate) async fn older(
    bucket: &Bucket,
    lease: &Lease,
    date: Date,
    stop: &CancellationToken,
) -> Result<Folder, ScannerError> {
    let mut walk = Walk::new(bucket.list_folder(date), lease, date);
    let end = walk.record(stop).await?;
    Ok(walk.folder(end))
}

/// A listing under way.
struct Walk<'a> {
    lease: &'a Lease,
    date: Date,
    pages: FolderPages,
    mark: Option<&'a FolderMark>,
    extent: Extent,
    out_of_order: u64,
    /// Objects that the registry left alone.
    left_alone: u64,
}

impl<'a> Walk<'a> {
    fn new(pages: FolderPages, lease: &'a Lease, date: Date) -> Self {
        Self { lease, date, pages, mark: None, extent: Extent::default(), out_of_order: 0, left_alone: 0 }
    }

    /// Page by page, each into the ledger before the next is asked for.
    async fn record(&mut self, stop: &CancellationToken) -> Result<End, ScannerError> {
        while !stop.is_cancelled() {
            let mut page = match self.pages.next_page().await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(End::Complete),
                Err(error) => return Ok(End::Failed(error)),
            };
            page.iter().for_each(|object| self.extent.add(&object.key));
            // What a scan from the mark would not have seen is told apart; behind the mark there is none of it.
            let behind = match self.mark {
                Some(mark) if !self.pages.is_behind_a_key() => {
                    page.partition_point(|one| one.key <= mark.after)
                }
                _ => 0,
            };
            let rest = page.split_off(behind);
            self.out_of_order += self.enter(page).await?;
            self.enter(rest).await?;
        }
        Ok(End::Stopped)
    }

    /// Gives how many generations it opened.
    async fn enter(&mut self, objects: Vec<bucket::ListedObject>) -> Result<u64, ScannerError> {
        if objects.is_empty() {
            return Ok(0);
        }
        let count = objects.len() as u64;
        let listed = objects.into_iter().map(|object| entry(self.date, object)).collect();
        let recorded = self.lease.record(listed).await?;
        let opened = u64::from(recorded.opened);
        self.left_alone += u64::from(recorded.left_alone);
        metrics::counter!("cortex_scanner_objects_listed_total").increment(count);
        metrics::counter!("cortex_scanner_generations_opened_total").increment(opened);
        Ok(opened)
    }

    fn folder(&self, end: End) -> Folder {
        let list_requests = self.pages.list_requests();
        metrics::counter!("cortex_scanner_list_requests_total").increment(list_requests);
        Folder {
            objects: self.before() + self.extent.objects,
            left_alone: self.pages.left_alone() + self.left_alone,
            list_requests,
            listed: None,
            end,
        }
    }

    /// Objects before the first that was listed.
    fn before(&self) -> u64 {
        self.mark.filter(|_| self.pages.is_behind_a_key()).map_or(0, |mark| mark.objects)
    }

    /// A folder of one page needs no mark, as it costs one request either way; nor may a listing without order have one.
    fn listed(&self) -> ListedFolder {
        let in_full = !self.pages.is_behind_a_key();
        let one_page = in_full && self.pages.list_requests() <= 1;
        let from_mark = self.mark.filter(|_| !in_full).map(|mark| (mark.after.as_str(), mark.objects));
        let turn = self.extent.tail_begins_behind().map(|(key, objects)| (key, self.before() + objects));
        let (after, objects) =
            turn.or(from_mark).filter(|_| self.pages.is_ascending() && !one_page).unwrap_or_default();
        ListedFolder {
            date: self.date.to_string(),
            in_full,
            after: after.to_owned(),
            objects,
            out_of_order: self.out_of_order,
        }
    }
}

/// The end of what was listed so far, in bounded memory.
#[derive(Debug, Default)]
struct Extent {
    objects: u64,
    last: VecDeque<String>,
}

impl Extent {
    fn add(&mut self, key: &str) {
        self.objects += 1;
        if self.last.len() > TAIL {
            self.last.pop_front();
        }
        self.last.push_back(key.to_owned());
    }

    /// The key before the last [`TAIL`] objects, and how many there are up to it; none where there are fewer.
    fn tail_begins_behind(&self) -> Option<(&str, u64)> {
        let key = self.last.front().filter(|_| self.last.len() > TAIL)?;
        Some((key, self.objects - TAIL as u64))
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

    #[test]
    fn the_tail_is_the_last_objects_and_no_more_are_held() {
        let mut extent = Extent::default();
        for n in 0..TAIL {
            extent.add(&format!("{n:05}"));
        }
        assert_eq!(extent.tail_begins_behind(), None);
        for n in TAIL..3 * TAIL {
            extent.add(&format!("{n:05}"));
            assert!(extent.last.len() <= TAIL + 1);
        }
        assert_eq!(extent.tail_begins_behind(), Some(("00999", 1000)));
    }
}
