//! What is looked after from time to time: files that were due and have not come, deleted sources whose grace is over.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use metrics::counter;
use tokio_util::sync::CancellationToken;

use crate::auth::Authenticator;
use crate::config::Config;
use crate::rhythm::{Arrivals, LOOKED_AT};
use crate::store::{Problem, Result, SourceId, Store};

/// Sources that are looked at by one query.
const SOURCES_AT_ONCE: u32 = 500;
/// A day that is missing longer than so many days was missed before the source was looked at.
const RECENT_DAYS: i64 = 2;

/// Looks after the store until `shutdown`. Several registries may do so side by side.
pub(crate) async fn run(config: &Config, store: &Store, auth: &Authenticator, shutdown: &CancellationToken) {
    loop {
        let now = Timestamp::now();
        auth.forget_idle();
        if let Err(error) = miss_data(store, now).await {
            tracing::warn!(%error, "whether files that were due have come was not seen");
        }
        let before = now.checked_sub(config.delete_grace).unwrap_or(Timestamp::MIN);
        if let Err(error) = purge(store, before, shutdown).await {
            tracing::warn!(%error, "deleted sources were not purged");
        }
        tokio::select! {
            () = tokio::time::sleep(config.upkeep_interval) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Notes on active sources that what was due by their own rhythm has not come.
pub(crate) async fn miss_data(store: &Store, now: Timestamp) -> Result<()> {
    let mut after = String::new();
    loop {
        let sources = store.sources_in_order(&after, SOURCES_AT_ONCE).await?;
        let Some((last, _)) = sources.last() else { return Ok(()) };
        after = last.as_str().to_owned();
        for (source, _) in &sources {
            if let Some(problem) = missed(store, source, now).await?
                && store.miss_data(source, problem, now).await?
            {
                counter!("cortex_sources_missing_data_total").increment(1);
                tracing::warn!(%source, "files that were due have not come");
            }
        }
    }
}

/// What a source misses.
async fn missed(store: &Store, source: &SourceId, now: Timestamp) -> Result<Option<Problem>> {
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    let first = today.saturating_sub((LOOKED_AT + RECENT_DAYS).days());
    let arrivals = store.arrivals(source, first).await?;
    let newest = arrivals.last().map(|(date, _)| *date);
    let missing = Arrivals::new(arrivals).missing(today.saturating_sub(RECENT_DAYS.days()), today, now);
    // What came for a later day says that the source is alive.
    let missing = missing.into_iter().rfind(|(date, _)| newest.is_none_or(|newest| *date > newest));
    Ok(missing.map(|(date, due)| Problem {
        code: "data_missing".to_owned(),
        reason: format!("no file has come for {date}; by the source's own rhythm the first was due by {due}"),
        advice:
            "see whether the export ran, and whether it writes into a folder that is named after the date"
                .to_owned(),
        position: 0,
    }))
}

async fn purge(store: &Store, before: Timestamp, shutdown: &CancellationToken) -> Result<()> {
    loop {
        let due = store.due_for_purge(before, SOURCES_AT_ONCE).await?;
        if due.is_empty() {
            return Ok(());
        }
        for source in due {
            if shutdown.is_cancelled() {
                return Ok(());
            }
            if store.purge_source(&source, before).await? {
                tracing::info!(%source, "a deleted source was purged");
            }
        }
    }
}
