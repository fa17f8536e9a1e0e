//! What the store promises, shown on SQLite and on a real PostgreSQL: every case runs on both, each in a database of its
//! own. `CORTEX_TEST_POSTGRES` names a server whose user may create databases; without it a temporary one is started.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accounts;
mod claims;
mod database;
mod events;
mod files;
mod fixture;
mod health;
mod objects;
mod progress;
mod ranges;
mod retention;
mod scans;
mod schema;
mod sources;

/// Makes two tests of each case.
macro_rules! on_both {
    ($($area:ident { $($case:ident)* })*) => {
        mod on_sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() -> anyhow::Result<()> {
                    let database = super::database::sqlite().await?;
                    super::$area::$case(database.store()).await?;
                    database.remove().await
                }
            )*)*
        }

        mod on_postgres {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() -> anyhow::Result<()> {
                    let database = super::database::postgres().await?;
                    super::$area::$case(database.store()).await?;
                    database.remove().await
                }
            )*)*
        }
    };
}

on_both! {
    ranges {
        a_range_is_granted_to_one_message_as_a_generation_is
        attempts_are_counted_by_range
        a_claim_given_back_is_that_of_its_range
        ranges_come_to_the_file_that_they_are_of
        the_plan_may_come_behind_what_it_plans
        a_changed_object_ends_its_generation_once_all_ranges_are_at_rest
        what_was_given_up_takes_nothing_more
    }
    accounts {
        an_external_id_belongs_to_one_account
        a_token_speaks_for_whom_it_was_made_until_it_ends
        a_repeated_request_gives_the_same_account
        a_rotated_external_id_holds_for_a_while
        a_deletion_list_knows_its_own_and_tells_that_it_changed
        paging_walks_all_accounts_oldest_first
        a_token_of_another_list_is_no_page_token
        the_audit_log_keeps_what_concerns_an_account
    }
    sources {
        a_repeated_create_gives_the_same_source
        concurrent_creates_of_one_request_make_one_source
        a_source_without_an_account_is_refused
        a_source_is_seen_by_its_account_only
        a_change_on_a_stale_revision_is_refused
        a_deleted_source_is_hidden_until_it_is_undeleted_or_purged
        purging_takes_all_of_one_source_and_nothing_of_another
        an_update_changes_the_settings_and_ends_a_running_scan
        every_version_of_a_schema_is_kept
        paging_walks_all_sources
    }
    scans {
        only_active_sources_are_leased_the_longest_due_first
        two_workers_never_hold_one_source
        an_expired_lease_is_taken_over_and_the_old_fence_refused
        a_renewed_lease_is_not_taken_over
        a_completed_scan_frees_the_source_until_it_is_due
        a_renewal_keeps_how_far_the_sweep_is
        marks_move_with_a_completion_and_go_with_new_settings
        pausing_ends_a_running_scan
    }
    objects {
        a_new_etag_opens_the_next_generation_and_only_then
        an_object_listed_twice_in_one_call_opens_one_generation
        concurrent_records_of_the_same_objects_open_one_generation_each
        keys_are_kept_to_the_letter
        a_key_that_the_database_cannot_hold_is_refused
        unpublished_files_come_again_until_they_are_marked
        the_oldest_date_is_published_first
        metering_holds_back_what_is_over_the_limit
        a_file_claimed_before_it_was_marked_stays_claimed
    }
    claims {
        a_generation_is_granted_to_the_first_message_only
        concurrent_claims_of_a_generation_grant_it_once
        overlapping_batches_never_share_a_generation
        an_older_generation_is_granted_too
        what_the_ledger_does_not_know_is_not_granted
        a_finished_generation_is_not_read_again
        nothing_of_a_deleted_source_is_granted
        a_generation_on_which_attempts_were_lost_is_read_alone_and_then_set_aside
        a_committed_chunk_forgives_lost_attempts
        a_claim_that_is_given_back_unread_does_not_count
    }
    progress {
        a_chunk_sent_twice_counts_once
        the_last_chunk_brings_the_file_to_rest
        warnings_are_counted_and_the_first_of_each_column_is_kept
        a_claim_tells_the_columns_of_the_last_file
        a_reader_at_a_stale_position_changes_nothing
        of_two_readers_at_one_position_one_applies
        a_batch_without_messages_moves_the_position
        progress_of_another_account_or_an_unknown_file_is_ignored
        a_message_with_a_nul_does_not_stop_the_reader
        the_newest_hundred_samples_are_kept
        days_sum_up_what_was_read
    }
    health {
        a_source_that_cannot_be_listed_needs_attention_and_is_tried_less_often
        a_passing_failure_is_told_once_it_lasts
        files_that_could_not_be_read_are_opened_again_once_one_can
        what_is_missing_is_noted_until_something_comes
    }
    events {
        an_event_queue_is_lent_to_one_scanner
        an_event_opens_a_generation_and_makes_its_source_due
        an_event_that_comes_while_a_scan_ends_makes_its_source_due_again
        an_overwrite_does_what_its_policy_says
    }
    retention {
        a_file_that_came_to_rest_long_ago_is_forgotten_and_its_folder_opens_nothing_more
        what_is_unfinished_recent_or_to_be_opened_again_is_not_forgotten
        files_are_forgotten_in_bounded_batches_the_oldest_first
        an_event_opens_nothing_in_a_forgotten_folder
    }
    files {
        filters_let_through_what_they_say
        dates_are_reprocessed_but_for_what_is_still_to_be_read
        the_first_refused_rows_are_kept
        a_backlog_tells_what_is_left_and_how_fast_it_goes
        paging_walks_all_files_newest_date_first
        a_file_at_rest_is_opened_again_on_request
        a_file_that_is_still_to_be_read_is_opened_again_only_where_it_is_stuck
        an_object_that_came_altered_is_opened_again_by_itself_but_not_for_ever
        what_is_to_be_read_is_counted
        files_samples_and_days_are_seen_by_their_account_only
    }
}

#[tokio::test]
async fn a_store_opened_again_holds_what_it_held() -> anyhow::Result<()> {
    let database = database::sqlite().await?;
    fixture::account(database.store(), "acme").await?;
    let reopened = database.open_again().await?;
    assert_eq!(reopened.get_account(&"acme".into()).await?.id.as_str(), "acme");
    database.remove().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_may_write_one_sqlite_file() -> anyhow::Result<()> {
    let database = database::sqlite().await?;
    let (first, second) = (database.store(), database.open_beside().await?);
    let (_, token) = fixture::scanning(first).await?;
    let objects: Vec<_> =
        (0..40).map(|number| fixture::listed("2026-11-23", &format!("{number}.csv"), "e1")).collect();
    first.record_objects(&token, &objects, fixture::at(1)).await?;
    let claims = objects.iter().flat_map(|object| {
        [(first, 1), (&second, 2)].map(|(store, offset)| {
            let (store, claim) = (store.clone(), fixture::claim(&token.source, object, 1, offset));
            tokio::spawn(async move {
                store.claim("parser", &[claim], fixture::MOST_ATTEMPTS, fixture::at(2)).await
            })
        })
    });
    let mut granted = 0;
    for claimed in futures::future::join_all(claims.collect::<Vec<_>>()).await {
        granted += usize::from(claimed??.decisions == [ledger::claim::Decision::Granted]);
    }
    assert_eq!(granted, 40);
    second.close().await;
    database.remove().await
}

/// As docs/operate.md tells whoever backs it up.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_of_a_sqlite_file_that_is_written_meanwhile_holds_what_was_committed() -> anyhow::Result<()> {
    let database = database::sqlite().await?;
    for number in 0..10 {
        fixture::account(database.store(), &number.to_string()).await?;
    }
    let store = database.store().clone();
    let writing = tokio::spawn(async move {
        for number in 10..60 {
            fixture::account(&store, &number.to_string()).await?;
        }
        anyhow::Ok(())
    });
    let (folder, url) = database::sqlite_unopened()?;
    database.copy(&folder.path().join("registry.db")).await?;
    writing.await??;
    let copy = registry::store::Store::open_migrated(&url).await?;
    for number in 0..10 {
        copy.get_account(&number.to_string().as_str().into()).await?;
    }
    copy.close().await;
    database.remove().await
}

#[tokio::test]
async fn several_processes_may_open_a_new_postgres_database_at_once() -> anyhow::Result<()> {
    let database = database::postgres_unopened().await?;
    let opened = futures::future::join_all((0..4).map(|_| registry::store::Store::open(&database))).await;
    for store in opened {
        assert!(store?.ready().await);
    }
    Ok(())
}

/// The migrations up to the one before the ledger was partitioned.
const BEFORE_PARTITIONS: i64 = 5;

const SQLITE_MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
const POSTGRES_MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");

#[tokio::test]
async fn a_ledger_from_before_it_was_partitioned_keeps_what_it_held_on_sqlite() -> anyhow::Result<()> {
    let (_folder, url) = database::sqlite_unopened()?;
    retention::keeps_what_it_held(&url, SQLITE_MIGRATIONS).await
}

#[tokio::test]
async fn a_ledger_from_before_it_was_partitioned_keeps_what_it_held_on_postgres() -> anyhow::Result<()> {
    let url = database::postgres_unopened().await?;
    retention::keeps_what_it_held(&url, POSTGRES_MIGRATIONS).await
}

#[tokio::test]
async fn lacking_tables_are_refused_until_they_are_migrated() -> anyhow::Result<()> {
    let (_folder, sqlite) = database::sqlite_unopened()?;
    schema::lacking_tables_are_refused_until_they_are_migrated(&sqlite, SQLITE_MIGRATIONS).await?;
    let postgres = database::postgres_unopened().await?;
    schema::lacking_tables_are_refused_until_they_are_migrated(&postgres, POSTGRES_MIGRATIONS).await
}

#[tokio::test]
async fn tables_of_a_newer_version_are_worked_on_unless_they_lack_something() -> anyhow::Result<()> {
    let (_folder, sqlite) = database::sqlite_unopened()?;
    schema::tables_of_a_newer_version_are_worked_on_unless_they_lack_something(&sqlite).await?;
    let postgres = database::postgres_unopened().await?;
    schema::tables_of_a_newer_version_are_worked_on_unless_they_lack_something(&postgres).await
}

#[tokio::test]
async fn tables_of_another_line_are_left_alone() -> anyhow::Result<()> {
    let (_folder, sqlite) = database::sqlite_unopened()?;
    schema::tables_of_another_line_are_left_alone(&sqlite, SQLITE_MIGRATIONS).await?;
    let postgres = database::postgres_unopened().await?;
    schema::tables_of_another_line_are_left_alone(&postgres, POSTGRES_MIGRATIONS).await
}

#[tokio::test]
async fn a_ledger_whose_files_have_other_ids_is_refused() -> anyhow::Result<()> {
    let (_folder, sqlite) = database::sqlite_unopened()?;
    schema::a_ledger_whose_files_have_other_ids_is_refused(&sqlite).await?;
    let postgres = database::postgres_unopened().await?;
    schema::a_ledger_whose_files_have_other_ids_is_refused(&postgres).await
}

#[tokio::test]
async fn a_url_of_another_database_is_refused() {
    let refused = registry::store::Store::open("mysql://localhost/x").await;
    assert!(matches!(refused, Err(registry::store::StoreError::Unusable(_))), "{refused:?}");
}
