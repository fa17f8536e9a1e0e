//! Large objects that are read in ranges.

use std::time::Duration;

use anyhow::Result;
use ledger::claim::{Decision, QueuePosition};
use records::queue::{FileError, FileProgress, ObjectRange, Outcome};
use registry::store::{AccountId, Applied, Claim, FileState, ListedObject, ProgressBatch, SourceId, Store};

use crate::fixture::{MOST_ATTEMPTS, OBJECTS, PROGRESS, at, attempt, chunk, claim, days, files, reading};

/// Of the generation that [`reading`] claims as a whole at offset 0.
fn range_claim(source: &SourceId, object: &ListedObject, range: u32, offset: i64) -> Claim {
    let at = QueuePosition { topic: OBJECTS.to_owned(), partition: 1, offset };
    Claim { range, at, ..claim(source, object, 1, 0) }
}

async fn decisions(store: &Store, worker: &str, claims: &[Claim]) -> Result<Vec<Decision>> {
    Ok(store.claim(worker, claims, MOST_ATTEMPTS, at(3)).await?.decisions)
}

async fn apply(store: &Store, before: i64, messages: &[FileProgress]) -> Result<(u32, u32)> {
    let batch = ProgressBatch {
        topic: PROGRESS,
        partition: 3,
        next_offset_before: before,
        next_offset_after: before + i64::try_from(messages.len())?,
        messages,
    };
    match store.apply_progress(&batch, at(1000)).await? {
        Applied::Applied { chunks, ignored } => Ok((chunks, ignored)),
        conflict => anyhow::bail!("{conflict:?}"),
    }
}

struct Split<'a> {
    account: &'a AccountId,
    source: &'a SourceId,
    object: &'a ListedObject,
}

impl Split<'_> {
    fn plan(&self, ranges: u32) -> FileProgress {
        let nothing = chunk(self.account, self.source, self.object, 1, (0, 0), Outcome::Unspecified);
        FileProgress { ranges, samples: Vec::new(), ..nothing }
    }

    /// A chunk of a range of 1,000 bytes, which so many rows of it come to.
    fn chunk(&self, range: u32, number: u32, totals: (u64, u64), outcome: Outcome) -> FileProgress {
        let begins = u64::from(range - 1) * 1000;
        let range = ObjectRange { number: range, begins, ends: begins + 1000, rows_before: 0 };
        let of_it = chunk(self.account, self.source, self.object, number, totals, outcome);
        FileProgress { range: Some(range), position: begins + of_it.position, ..of_it }
    }
}

pub(crate) async fn a_range_is_granted_to_one_message_as_a_generation_is(store: &Store) -> Result<()> {
    let (_, token, object) = reading(store).await?;
    let of = |range, offset| range_claim(&token.source, &object, range, offset);
    let first = decisions(store, "parser-1", &[of(1, 10), of(2, 11), of(1, 12)]).await?;
    assert_eq!(first, [Decision::Granted, Decision::Granted, Decision::OwnedByOther]);
    let again = decisions(store, "parser-2", &[of(2, 11), of(2, 13), of(3, 14)]).await?;
    assert_eq!(again, [Decision::GrantedAgain, Decision::OwnedByOther, Decision::Granted]);
    let whole = claim(&token.source, &object, 1, 0);
    assert_eq!(decisions(store, "parser-1", &[whole]).await?, [Decision::GrantedAgain]);
    let unknown = Claim { generation: 9, ..of(1, 15) };
    assert_eq!(decisions(store, "parser-1", &[unknown]).await?, [Decision::Unknown]);
    Ok(())
}

pub(crate) async fn attempts_are_counted_by_range(store: &Store) -> Result<()> {
    let (_, token, object) = reading(store).await?;
    let asks = |range, name: &str| Claim {
        attempt: attempt(name, 0, true),
        ..range_claim(&token.source, &object, range, i64::from(range))
    };
    for (lost, name) in (0..MOST_ATTEMPTS).zip(["one", "two", "three", "four", "five", "six", "seven"]) {
        let claimed = store.claim("parser-1", &[asks(1, name)], MOST_ATTEMPTS, at(3)).await?;
        assert_eq!(claimed.lost_attempts, [lost], "{name}");
    }
    assert_eq!(decisions(store, "parser-1", &[asks(1, "last")]).await?, [Decision::SetAside]);
    let other = store.claim("parser-1", &[asks(2, "last")], MOST_ATTEMPTS, at(3)).await?;
    assert_eq!((other.decisions[0], other.lost_attempts[0]), (Decision::Granted, 0));
    Ok(())
}

pub(crate) async fn a_claim_given_back_is_that_of_its_range(store: &Store) -> Result<()> {
    let (_, token, object) = reading(store).await?;
    let of = |range, name: &str| Claim {
        attempt: attempt(name, 0, false),
        ..range_claim(&token.source, &object, range, i64::from(range))
    };
    store.claim("parser-1", &[of(1, "one"), of(2, "one")], MOST_ATTEMPTS, at(3)).await?;
    store.release_claims(&[of(1, "one")]).await?;
    let claims = [of(1, "two"), of(2, "two"), claim(&token.source, &object, 1, 0)];
    let claimed = store.claim("parser-2", &claims, MOST_ATTEMPTS, at(4)).await?;
    assert_eq!(claimed.lost_attempts, [0, 1, 0]);
    Ok(())
}

pub(crate) async fn ranges_come_to_the_file_that_they_are_of(store: &Store) -> Result<()> {
    let (account, token, object) = reading(store).await?;
    let split = Split { account: &account, source: &token.source, object: &object };
    let messages = [
        split.plan(2),
        split.plan(2),
        split.chunk(2, 1, (30, 0), Outcome::Unspecified),
        split.chunk(1, 1, (10, 5), Outcome::Unspecified),
        split.chunk(2, 1, (30, 0), Outcome::Unspecified),
    ];
    assert_eq!(apply(store, 0, &messages).await?, (3, 2));
    let file = &files(store, &account, &token.source).await?[0];
    assert_eq!((file.state, file.rows, file.accepted, file.rejected), (FileState::Claimed, 45, 40, 5));
    assert_eq!(file.position, 450, "bytes that were read");
    assert_eq!(file.rejections.get("invalid_type"), Some(&5));

    let last = split.chunk(1, 2, (90, 10), Outcome::AcceptedWithRejections);
    assert_eq!(apply(store, 5, std::slice::from_ref(&last)).await?, (1, 0));
    assert_eq!(files(store, &account, &token.source).await?[0].state, FileState::Claimed);
    let ended = range_claim(&token.source, &object, 1, 10);
    assert_eq!(decisions(store, "parser-1", &[ended]).await?, [Decision::Finished]);

    let messages = [last, split.chunk(2, 2, (100, 0), Outcome::Accepted)];
    assert_eq!(apply(store, 6, &messages).await?, (1, 1));
    let file = &files(store, &account, &token.source).await?[0];
    assert_eq!((file.state, file.rows), (FileState::AcceptedWithRejections, 200));
    assert_eq!((file.position, file.error.clone()), (2000, None));
    assert!(file.finished_at.is_some());
    let day = &days(store, &account, &token.source).await?[0];
    assert_eq!((day.files, day.rows, day.accepted, day.rejected), (1, 200, 190, 10));
    let late = range_claim(&token.source, &object, 2, 11);
    assert_eq!(decisions(store, "parser-1", &[late]).await?, [Decision::Finished]);
    Ok(())
}

pub(crate) async fn the_plan_may_come_behind_what_it_plans(store: &Store) -> Result<()> {
    let (account, token, object) = reading(store).await?;
    let split = Split { account: &account, source: &token.source, object: &object };
    let range = |number| split.chunk(number, 1, (100, 0), Outcome::Accepted);
    assert_eq!(apply(store, 0, &[range(2), range(1)]).await?, (2, 0));
    assert_eq!(files(store, &account, &token.source).await?[0].state, FileState::Claimed);
    assert_eq!(apply(store, 2, &[split.plan(2)]).await?, (1, 0));
    let file = &files(store, &account, &token.source).await?[0];
    assert_eq!((file.state, file.rows), (FileState::Accepted, 200));
    Ok(())
}

pub(crate) async fn a_changed_object_ends_its_generation_once_all_ranges_are_at_rest(
    store: &Store,
) -> Result<()> {
    let (account, token, object) = reading(store).await?;
    let split = Split { account: &account, source: &token.source, object: &object };
    let error = |code: &str| Some(FileError { code: code.to_owned(), ..FileError::default() });
    let changed =
        FileProgress { error: error("object_changed"), ..split.chunk(1, 1, (5, 0), Outcome::Superseded) };
    let unreadable =
        FileProgress { error: error("unavailable"), ..split.chunk(2, 1, (0, 0), Outcome::Rejected) };
    assert_eq!(apply(store, 0, &[split.plan(3), unreadable, changed]).await?, (3, 0));
    assert_eq!(files(store, &account, &token.source).await?[0].state, FileState::Claimed);
    assert_eq!(apply(store, 3, &[split.chunk(3, 1, (100, 0), Outcome::Accepted)]).await?, (1, 0));
    let file = &files(store, &account, &token.source).await?[0];
    assert_eq!((file.state, file.rows), (FileState::Superseded, 105));
    assert_eq!(file.error.as_ref().map(|error| error.code.as_str()), Some("object_changed"));
    Ok(())
}

pub(crate) async fn what_was_given_up_takes_nothing_more(store: &Store) -> Result<()> {
    let (account, token, object) = reading(store).await?;
    let split = Split { account: &account, source: &token.source, object: &object };
    let of = range_claim(&token.source, &object, 1, 10);
    store.claim("parser-1", std::slice::from_ref(&of), MOST_ATTEMPTS, at(3)).await?;
    let key = &object.object_key;
    store.reprocess(&account, &token.source, key, Duration::ZERO, at(2000)).await?;
    assert_eq!(decisions(store, "parser-1", &[of]).await?, [Decision::Finished]);
    let late = split.chunk(1, 1, (100, 0), Outcome::Accepted);
    assert_eq!(apply(store, 0, &[split.plan(1), late]).await?, (0, 2));
    let next = Claim { generation: 2, ..range_claim(&token.source, &object, 1, 20) };
    assert_eq!(decisions(store, "parser-1", &[next]).await?, [Decision::Granted]);
    Ok(())
}
