//! What a proxy was told and what it saw.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::asked::Asked;
use super::rule::Rules;
use super::{Match, S3Fault, Seen};

/// Pages whose objects are kept for [`S3Fault::RepeatPage`].
const PAGES: usize = 256;

#[derive(Debug, Default)]
pub(super) struct State {
    inner: Mutex<Inner>,
    bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    rules: Rules,
    seen: Vec<Seen>,
    injected: BTreeMap<&'static str, u64>,
    pages: VecDeque<Page>,
}

/// The objects of a page, under what asks for the next one.
#[derive(Debug)]
struct Page {
    path: String,
    next: String,
    contents: String,
}

/// A request's place among those that were seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(usize);

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, matcher: Match, times: u32, fault: S3Fault) {
        self.lock().rules.add(matcher, times, fault);
    }

    pub(super) fn clear(&self) {
        self.lock().rules.clear();
    }

    /// Notes a request, and takes the fault for its answer.
    pub(super) fn ask(&self, seen: Seen, asked: &Asked) -> (Place, Option<S3Fault>) {
        let mut inner = self.lock();
        inner.seen.push(seen);
        (Place(inner.seen.len() - 1), inner.rules.take(asked))
    }

    pub(super) fn answered(&self, place: Place, status: u16) {
        if let Some(seen) = self.lock().seen.get_mut(place.0) {
            seen.status = Some(status);
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    pub(super) fn injected(&self, fault: &'static str) {
        *self.lock().injected.entry(fault).or_default() += 1;
    }

    pub(super) fn all_injected(&self) -> BTreeMap<&'static str, u64> {
        self.lock().injected.clone()
    }

    pub(super) fn served(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Keeps a page's objects until the next page is asked for, and a while longer.
    pub(super) fn keep_page(&self, path: &str, next: String, contents: String) {
        let pages = &mut self.lock().pages;
        pages.retain(|page| page.path != path || page.next != next);
        if pages.len() == PAGES {
            pages.pop_front();
        }
        pages.push_back(Page { path: path.to_owned(), next, contents });
    }

    /// The objects of the page before the one that this token asks for.
    pub(super) fn page_before(&self, path: &str, token: &str) -> Option<String> {
        let inner = self.lock();
        let page = inner.pages.iter().find(|page| page.path == path && page.next == token)?;
        Some(page.contents.clone())
    }
}
