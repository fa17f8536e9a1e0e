//! What is looked after from time to time: files that were due and have not come, deleted sources whose grace is over, files
//! that the ledger need not know any longer.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use metrics::counter;
use tokio_util::sync::CancellationToken;

use crate::auth::Authenticator;
use crate::config::Config;
use crate::rhythm::{Arrivals, LOOKED_AT};
use crate::store::{Problem, Result, SourceId, Store};

/// Sources that are looked at by one query.
const SOURCES_AT_ONCE: u32 = 500;
/// Old files that go in one transaction.
const FILES_AT_ONCE: u32 = 1_000;
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
        if let Some(before) = forgotten_before(config, now)
            && let Err(error) = forget(store, before, shutdown).await
        {
            tracing::warn!(%error, "old files were not forgotten");
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

/// Until when a file must have come to rest to be forgotten; none where all are kept. A scan lists the look-back window all the
/// time, so that nothing of it may be forgotten: new files come there.
fn forgotten_before(config: &Config, now: Timestamp) -> Option<Timestamp> {
    let days = match config.ledger_retention_days {
        0 => return None,
        days => days.max(config.look_back_days.saturating_add(1)),
    };
    now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).ok()
}

async fn forget(store: &Store, before: Timestamp, shutdown: &CancellationToken) -> Result<()> {
    let mut after = String::new();
    loop {
        let sources = store.sources_behind(&after, SOURCES_AT_ONCE).await?;
        let Some(last) = sources.last() else { return Ok(()) };
        after = last.as_str().to_owned();
        for source in &sources {
            let mut forgotten = 0;
            while !shutdown.is_cancelled() {
                let files = store.forget_files(source, before, FILES_AT_ONCE).await?;
                if files == 0 {
                    break;
                }
                forgotten += files;
            }
            if forgotten > 0 {
                counter!("cortex_files_forgotten_total").increment(forgotten);
                tracing::info!(%source, forgotten, "files that came to rest long ago were forgotten");
            }
        }
        if shutdown.is_cancelled() {
            return Ok(());
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn config(ledger_retention_days: u32, look_back_days: u32) -> Config {
        let secret = || Secret::new("");
        let config = Config::new(([127, 0, 0, 1], 0).into(), secret(), secret(), secret());
        Config { ledger_retention_days, look_back_days, ..config }
    }

    #[test]
    fn nothing_is_forgotten_where_all_is_kept_nor_within_the_look_back_window() {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let days = |retention, look_back| {
            let before = forgotten_before(&config(retention, look_back), now)?;
            Some(now.duration_since(before).as_hours() / 24)
        };
        assert_eq!(days(0, 3), None);
        assert_eq!(days(400, 3), Some(400));
        assert_eq!(days(2, 3), Some(4));
        assert_eq!(days(u32::MAX, 3), None, "beyond the calendar nothing is old enough");
    }
}
