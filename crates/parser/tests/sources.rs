//! What a source's settings make of its files, and what becomes of them when its access goes.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use api::registry::{Column, FileState, ListSamplesRequest, OverwritePolicy, Schema, Source};
use parser::Values;
use prost::Message as _;
use records::queue::{FileProgress, RefusedRow};
use records::topic::{self, EVENTS, FILE_PROGRESS, REJECTED_ROWS};
use records::v1::{Event, RejectedRow};
use world::{World, events, outcome};

const HEADER: &str = "user_id,timestamp,type\n";
const FOLDER: &str = "2026-11-23";

/// So many rows, of which the ones with these numbers are invalid.
fn rows(count: usize, invalid: impl Fn(usize) -> bool) -> String {
    let mut text = HEADER.to_owned();
    for row in 1..=count {
        let time = if invalid(row) { "soon" } else { "2026-11-23T10:00:00Z" };
        let _ = writeln!(text, "u-{row},{time},view");
    }
    text
}

/// How often each record was seen, by its file, generation and row.
fn seen(events: Vec<Event>) -> BTreeMap<(String, u32, u64), u32> {
    let mut seen = BTreeMap::new();
    for event in events {
        let from = event.envelope.unwrap();
        *seen.entry((from.object_key, from.generation, from.position)).or_default() += 1;
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_too_large_a_share_of_invalid_rows_is_rejected_whole() {
    let world = World::with(Source { max_rejected_percent: 1.5, ..events() }).await;
    // 3 and 4 of 200: the invalid ones last, so that all the others are behind the reader already.
    world.put(&format!("{FOLDER}/borne.csv"), &rows(200, |row| row > 197));
    world.put(&format!("{FOLDER}/beyond.csv"), &rows(200, |row| row > 196));
    let parser = world.parser(50);
    let borne = world.at_rest(&format!("{FOLDER}/borne.csv"), 1).await;
    let beyond = world.at_rest(&format!("{FOLDER}/beyond.csv"), 1).await;
    parser.stop().await;
    assert_eq!(outcome(&borne), (FileState::AcceptedWithRejections, ""));
    assert_eq!((borne.accepted, borne.rejected), (197, 3));
    assert_eq!(outcome(&beyond), (FileState::Rejected, "too_many_rejected"));
    assert_eq!((beyond.rows, beyond.accepted, beyond.rejected), (200, 0, 4));
    let reason = beyond.error.unwrap().reason;
    assert_eq!(reason, "4 of 200 rows are invalid (2.00 %); the source takes at most 1.50 %");
    let events: Vec<Event> = world.messages(EVENTS).await;
    assert_eq!(events.len(), 197, "nothing of the other");
    let rejected: Vec<RejectedRow> = world.messages(REJECTED_ROWS).await;
    assert_eq!(rejected.len(), 7, "what is wrong is said of both");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withheld_file_goes_on_as_such_behind_its_checkpoint() {
    const ROWS: usize = 100_000;
    let world = World::with(Source { max_rejected_percent: 10.0, ..events() }).await;
    let name = format!("{FOLDER}/large.csv");
    world.put(&name, &rows(ROWS, |row| row % 5 == 0));
    let parser = world.parser(500);
    world.until(&name, |file| file.rows > 0).await;
    parser.stop().await;
    let file = world.files().await.remove(&name).unwrap();
    assert!(file.finish_time.is_none(), "it was to be stopped in the middle: {file:?}");
    let parser = world.parser(20_000);
    let file = world.at_rest(&name, 1).await;
    parser.stop().await;
    assert_eq!(outcome(&file), (FileState::Rejected, "too_many_rejected"));
    assert_eq!((file.rows, file.accepted, file.rejected), (ROWS as u64, 0, ROWS as u64 / 5));
    let events: Vec<Event> = world.messages(EVENTS).await;
    assert!(events.is_empty(), "{} records", events.len());
    let rejected: Vec<RejectedRow> = world.messages(REJECTED_ROWS).await;
    assert_eq!(rejected.len(), ROWS / 5, "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_refused_rows_of_each_chunk_go_with_its_progress() {
    let world = World::with(events()).await;
    let name = format!("{FOLDER}/bad.csv");
    world.put(&name, &rows(100, |row| row > 30));
    let parser = world.parser(50);
    world.at_rest(&name, 1).await;
    parser.stop().await;
    let progress: Vec<FileProgress> = world.messages(FILE_PROGRESS).await;
    let refused: Vec<&Vec<RefusedRow>> = progress.iter().map(|chunk| &chunk.refusals).collect();
    let numbers: Vec<Vec<u64>> =
        refused.iter().map(|rows| rows.iter().map(|row| row.row_number.unwrap()).collect()).collect();
    // A chunk ends at its 50th row, and the last one has none.
    assert_eq!(numbers, [(31..=50).collect(), (51..=70).collect(), vec![]]);
    let row = &refused[0][0];
    assert_eq!((row.code.as_str(), row.column.as_str()), ("invalid_type", "timestamp"));
    assert_eq!(
        (row.reason.as_str(), row.raw.as_slice()),
        (r#""soon" is not a timestamp"#, &b"u-31,soon,view"[..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_schema_with_sensitive_columns_the_ledger_learns_no_value() {
    let column = |name: &str| Column { name: name.into(), sensitive: true, ..Column::default() };
    let schema = Schema { columns: vec![column("user_id"), column("timestamp")], ..Schema::default() };
    let world = World::with(Source { schema: Some(schema), ..events() }).await;
    let name = format!("{FOLDER}/bad.csv");
    world.put(&name, "user_id,timestamp,type\nu-1,soon,view\nu-2,2026-11-23,view\n");
    let parser = world.parser(50);
    world.at_rest(&name, 1).await;
    parser.stop().await;
    let progress: Vec<FileProgress> = world.messages(FILE_PROGRESS).await;
    let row = &progress[0].refusals[0];
    assert_eq!((row.reason.as_str(), row.raw.len()), ("the value is not of the column's type", 0));
    let rejected: Vec<RejectedRow> = world.messages(REJECTED_ROWS).await;
    assert_eq!(rejected[0].raw, b"u-1,soon,view", "who repairs rows has them as they are");
    let events: Vec<Event> = world.messages(EVENTS).await;
    assert_eq!(events[0].user_id, "u-2", "and so have consumers");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_people_on_the_deletion_list_are_refused_and_leave_nothing() {
    let reject_file = api::registry::InvalidRows::RejectFile as i32;
    let world = World::with(Source { invalid_rows: reject_file, ..events() }).await;
    let (before, after) = (format!("{FOLDER}/before.csv"), format!("{FOLDER}/behind.csv"));
    let text = format!("{HEADER}gone,2026-11-23,view\nu,2026-11-23,view\ngone,soon,view\n");
    world.put(&before, &text.replace("soon", "2026-11-23"));
    let parser = world.parser(50);
    assert_eq!(outcome(&world.at_rest(&before, 1).await), (FileState::Accepted, ""));
    world.delete(&["gone", "someone-else"]).await;
    world.put(&after, &text);
    let file = world.at_rest(&after, 1).await;
    parser.stop().await;
    assert_eq!(outcome(&file), (FileState::AcceptedWithRejections, ""), "the rows are not invalid");
    assert_eq!((file.accepted, file.rejected, file.rejections["subject_deleted"]), (1, 2, 2));
    let rejected: Vec<RejectedRow> = world.messages(REJECTED_ROWS).await;
    assert_eq!(rejected.len(), 2);
    for row in &rejected {
        assert_eq!((row.code.as_str(), row.raw.len(), row.raw_truncated), ("subject_deleted", 0, false));
        assert!(!format!("{row:?}").contains("gone"), "{row:?}");
    }
    let events: Vec<Event> = world.messages(EVENTS).await;
    assert_eq!(events.iter().filter(|event| event.user_id == "gone").count(), 2, "from before the deletion");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_refused_rows_name_the_generation_that_they_replace() {
    for (policy, replaces) in [(OverwritePolicy::Replace, 1), (OverwritePolicy::IngestAgain, 0)] {
        let world = World::with(Source { overwrite_policy: policy as i32, ..events() }).await;
        let name = format!("{FOLDER}/again.csv");
        world.put(&name, &rows(2, |row| row == 2));
        let parser = world.parser(50);
        world.at_rest(&name, 1).await;
        world.put(&name, &rows(4, |row| row == 3));
        world.at_rest(&name, 2).await;
        parser.stop().await;
        let events: Vec<Event> = world.messages(EVENTS).await;
        let rejected: Vec<RejectedRow> = world.messages(REJECTED_ROWS).await;
        let envelopes =
            events.into_iter().map(|one| one.envelope).chain(rejected.into_iter().map(|one| one.envelope));
        let mut found: Vec<(u32, u32)> =
            envelopes.map(Option::unwrap).map(|one| (one.generation, one.replaces_generation)).collect();
        found.sort_unstable();
        let second = (2, replaces);
        assert_eq!(found, [(1, 0), (1, 0), second, second, second, second], "{policy:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_taken_away_ends_files_at_once_and_loses_nothing() {
    const ROWS: usize = 100_000;
    let reject_file = api::registry::InvalidRows::RejectFile as i32;
    // The strict source's files are looked at twice: want of access must not pass for an invalid row.
    for invalid_rows in [0, reject_file] {
        let world = World::with(Source { invalid_rows, ..events() }).await;
        let (large, small) = (format!("{FOLDER}/large.csv"), format!("{FOLDER}/small.csv"));
        world.put(&large, &rows(ROWS, |_| false));
        let parser = world.parser(500);
        let begun = world.until(&large, |file| file.rows > 0).await;
        world.put(&small, &rows(3, |_| false));
        world.until(&small, |_| true).await;
        parser.stop().await;
        assert_eq!(begun.state(), FileState::Claimed, "it was to be stopped in the middle");

        world.take_access();
        let parser = world.parser(20_000);
        let ended = world.at_rest(&large, 1).await;
        assert_eq!(outcome(&ended), (FileState::Incomplete, "role_not_assumable"), "{ended:?}");
        assert!(ended.accepted > 0 && ended.accepted < ROWS as u64, "{}", ended.accepted);
        let unread = world.at_rest(&small, 1).await;
        assert_eq!(outcome(&unread), (FileState::Rejected, "role_not_assumable"));
        assert_eq!(unread.rows, 0);

        world.give_access();
        for (name, rows) in [(&large, ROWS as u64), (&small, 3)] {
            let file =
                world.until(name, |file| file.generation >= 2 && file.state() == FileState::Accepted).await;
            assert_eq!(file.accepted, rows);
        }
        parser.stop().await;
        let seen = seen(world.messages(EVENTS).await);
        assert!(seen.values().all(|times| *times == 1), "a row of a generation was seen twice");
        let of_first = seen.keys().filter(|(_, generation, _)| *generation == 1).count();
        assert_eq!(of_first as u64, ended.accepted, "what the ledger knows is what was published");
    }
}

/// Bytes of a value that has six times as many in JSON: more than a message may have, where the record itself has not.
const LARGE: usize = 900_000;

#[tokio::test(flavor = "multi_thread")]
async fn values_have_the_form_that_is_set_and_must_not_be_too_large_in_it() {
    let ids: BTreeMap<String, u32> =
        (7..).zip(topic::VALUES).map(|(id, (topic, _))| (topic.to_owned(), id)).collect();
    let forms = [
        (Values::Protobuf, "application/x-protobuf", 0),
        (Values::Confluent(ids.clone()), "application/x-confluent-protobuf", 0),
        (Values::Json, "application/json", 1),
    ];
    for (values, content_type, too_large) in forms {
        let world = World::with(events()).await;
        let large = "\u{1}".repeat(LARGE);
        let text = format!(
            "user_id,timestamp,type,note\na,soon,view,\nb,1795428307,view,{large}\nc,1795428307,view,x\n"
        );
        world.put(&format!("{FOLDER}/a.csv"), &text);
        let parser = world.parser_of(values, 50);
        let file = world.at_rest(&format!("{FOLDER}/a.csv"), 1).await;
        parser.stop().await;
        assert_eq!((file.accepted, file.rejected), (2 - too_large, 1 + too_large), "{content_type}");

        let accepted: Vec<Event> = world.messages(EVENTS).await;
        let users: Vec<&str> = accepted.iter().map(|event| event.user_id.as_str()).collect();
        assert_eq!(users, if too_large == 0 { vec!["b", "c"] } else { vec!["c"] }, "{content_type}");
        let rejected: Vec<RejectedRow> = world.messages(REJECTED_ROWS).await;
        let codes: Vec<&str> = rejected.iter().map(|row| row.code.as_str()).collect();
        assert_eq!(codes, ["invalid_type", "row_too_large"][..codes.len()], "{content_type}");
        for topic in [EVENTS, REJECTED_ROWS] {
            assert_eq!(world.content_types(topic).await, [content_type.to_owned()].into(), "{topic}");
            for value in world.values(topic).await {
                match content_type {
                    "application/json" => assert_eq!(value[0], b'{'),
                    // The id of the topic's own schema.
                    "application/x-confluent-protobuf" => {
                        assert_eq!(value[..6], [0, 0, 0, 0, ids[topic] as u8, 0], "{topic}");
                    }
                    _ => assert_eq!(value[0], 10, "the envelope is field 1"),
                }
            }
        }
        // What is between the roles, and what the ledger keeps, is protobuf.
        let internal = world.content_types(FILE_PROGRESS).await;
        assert_eq!(internal, ["application/x-protobuf".to_owned()].into());
        let request = ListSamplesRequest { parent: world.source.name.clone(), ..Default::default() };
        let samples = world.registry.clone().list_samples(request).await.unwrap().into_inner().samples;
        let users: Vec<String> =
            samples.iter().map(|one| Event::decode(one.record.as_slice()).unwrap().user_id).collect();
        assert_eq!(users, ["c"], "the other is too large for a sample");
    }
}
