//! What the port promises, one case each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use queue::{Commit, Incoming, Lane, Membership, Outgoing, Positions, QueueError, Result, Start};

use crate::bench::{Bench, Names, drain, message, next, text, until};

fn done(next_offset: i64) -> Commit<'static> {
    Commit { next_offset, checkpoint: &[] }
}

pub(crate) fn messages_of_one_key_keep_their_order(bench: &Bench) {
    let names = bench.topics(4);
    let numbers: Vec<(String, String)> =
        (0..400).map(|number| (format!("key-{}", number % 7), format!("{number:03}"))).collect();
    let messages: Vec<_> = numbers.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    bench.publish(&names.input, &messages);
    let mut by_key: BTreeMap<Vec<u8>, Vec<Incoming>> = BTreeMap::new();
    for message in bench.read(&names.input) {
        by_key.entry(message.key.clone()).or_default().push(message);
    }
    assert_eq!(by_key.len(), 7);
    for messages in by_key.values() {
        let partitions: BTreeSet<i32> = messages.iter().map(|message| message.partition).collect();
        assert_eq!(partitions.len(), 1, "a key has one partition");
        assert!(messages.is_sorted_by_key(|message| &message.value), "a key's messages are in order");
    }
    assert_eq!(bench.queue.count(&names.input).unwrap(), 400);
}

pub(crate) fn key_value_and_headers_come_back_as_they_were(bench: &Bench) {
    let names = bench.topics(1);
    let headers: &[(&str, &[u8])] =
        &[("content-type", b"application/x-protobuf"), ("empty", b""), ("b", b"\x00\xff")];
    let sent = Outgoing { topic: &names.input, key: b"k\x00\xfe", value: b"\x00\x01", headers };
    bench.queue.publisher().unwrap().publish(&[sent]).unwrap();
    let read = bench.read(&names.input).remove(0);
    assert_eq!((read.key.as_slice(), read.value.as_slice()), (sent.key, sent.value));
    let expected: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
    assert_eq!(read.headers, expected);
}

pub(crate) fn positions_survive_a_new_member(bench: &Bench) {
    let names = bench.topics(1);
    bench.publish(&names.input, &[("k", "0"), ("k", "1"), ("k", "2")]);
    let first = bench.work(&names, |lane| {
        let message = next(lane)?;
        lane.commit(done(message.offset + 1))?;
        Ok(text(message))
    });
    let second = bench.work(&names, |lane| Ok(text(next(lane)?)));
    assert_eq!((first.as_str(), second.as_str()), ("0", "1"));
}

pub(crate) fn a_lane_puts_messages_on_any_partition_of_its_topic(bench: &Bench) {
    let names = bench.topics(4);
    bench.publish(&names.input, &[("k", "first")]);
    let input = names.input.clone();
    bench.work(&names, move |lane| {
        if text(next(lane)?) != "first" {
            return Err(QueueError::Aborted("a message of its own".to_owned()));
        }
        assert_eq!(lane.partitions()?, 4);
        for partition in 0..4 {
            lane.publish_to(partition, message(&input, "k", &partition.to_string()))?;
        }
        let offset = 1;
        lane.commit(done(offset))
    });
    let mut read: Vec<_> =
        bench.read(&names.input).into_iter().map(|one| (one.partition, text(one))).collect();
    read.retain(|(_, text)| text != "first");
    read.sort();
    assert_eq!(read, (0..4).map(|partition| (partition, partition.to_string())).collect::<Vec<_>>());
}

pub(crate) fn an_aborted_chunk_is_never_seen(bench: &Bench) {
    let names = bench.topics(1);
    bench.publish(&names.input, &[("k", "in")]);
    let output = names.output.clone();
    bench.work(&names, move |lane| {
        let first = next(lane)?;
        for _ in 0..10 {
            lane.publish(message(&output, "k", "aborted"))?;
        }
        lane.abort()?;
        let again = next(lane)?;
        assert_eq!(first, again, "after an abort the message comes again");
        lane.publish(message(&output, "k", "kept"))?;
        lane.commit(done(again.offset + 1))
    });
    assert_eq!(bench.values(&names.output), ["kept"]);
    assert_eq!(bench.queue.count(&names.output).unwrap(), 1);
}

pub(crate) fn a_chunk_is_seen_on_all_its_topics_or_on_none(bench: &Bench) {
    let names = bench.topics(1);
    bench.publish(&names.input, &[("k", "in")]);
    let (output, other) = (names.output.clone(), names.other.clone());
    let queue = bench.queue.clone();
    bench.work(&names, move |lane| {
        let received = next(lane)?;
        lane.publish(message(&output, "k", "a"))?;
        lane.publish(message(&other, "k", "b"))?;
        // What is in an open chunk is on its way to the broker by now, and must not be seen.
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!((queue.count(&output)?, queue.count(&other)?), (0, 0));
        lane.commit(done(received.offset + 1))
    });
    assert_eq!(
        (bench.values(&names.output), bench.values(&names.other)),
        (vec!["a".into()], vec!["b".into()])
    );
}

pub(crate) fn a_checkpoint_in_mid_message_comes_back_with_the_message(bench: &Bench) {
    let names = bench.topics(1);
    bench.publish(&names.input, &[("k", "large"), ("k", "next")]);
    let output = names.output.clone();
    bench.work(&names, move |lane| {
        assert!(lane.checkpoint().is_empty());
        let large = next(lane)?;
        for part in 1..=3_u8 {
            lane.publish(message(&output, "k", &part.to_string()))?;
            lane.commit(Commit { next_offset: large.offset, checkpoint: &[0, 255, part] })?;
            assert_eq!(lane.checkpoint(), [0, 255, part]);
        }
        // The lane goes on in the message it holds: what it receives next is the one behind it.
        assert_eq!(next(lane)?.value, b"next");
        Ok(())
    });
    bench.work(&names, |lane| {
        assert_eq!(lane.checkpoint(), [0, 255, 3]);
        let large = next(lane)?;
        assert_eq!(large.value, b"large");
        lane.commit(done(large.offset + 1))
    });
    bench.work(&names, |lane| {
        assert!(lane.checkpoint().is_empty());
        assert_eq!(next(lane)?.value, b"next");
        Ok(())
    });
    assert_eq!(bench.values(&names.output), ["1", "2", "3"]);
}

pub(crate) fn what_was_not_committed_is_delivered_again(bench: &Bench) {
    let names = bench.topics(1);
    bench.publish(&names.input, &[("k", "in")]);
    let (output, lives) = (names.output.clone(), AtomicU32::new(0));
    let value = bench.work(&names, move |lane| {
        let received = next(lane)?;
        lane.publish(message(&output, "k", "out"))?;
        if lives.fetch_add(1, Ordering::SeqCst) < 2 {
            return Err(QueueError::Unavailable("the work died".into()));
        }
        lane.commit(done(received.offset + 1))?;
        Ok(text(received))
    });
    assert_eq!(value, "in");
    assert_eq!(bench.values(&names.output), ["out"]);
}

/// The second member has the first one's name: as a process that was taken for dead and is not.
pub(crate) fn a_member_that_lost_its_partition_cannot_commit(bench: &Bench) {
    let names = bench.topics(1);
    bench.publish(&names.input, &[("k", "in")]);
    let open = Arc::new(AtomicBool::new(false));
    let taken = Arc::new(AtomicBool::new(false));
    let first = {
        let (output, open, taken) = (names.output.clone(), open.clone(), taken.clone());
        bench.member(&names, "same", move |lane| {
            let received = next(lane)?;
            lane.publish(message(&output, "k", "of the first"))?;
            open.store(true, Ordering::SeqCst);
            until("the second member", || taken.load(Ordering::SeqCst));
            Ok(lane.commit(done(received.offset + 1)))
        })
    };
    until("the first member's open chunk", || open.load(Ordering::SeqCst));
    let second = {
        let (output, taken) = (names.output.clone(), taken.clone());
        bench.member(&names, "same", move |lane| {
            taken.store(true, Ordering::SeqCst);
            // The first must have tried before the second commits, so that it is refused for its being old alone.
            std::thread::sleep(Duration::from_millis(500));
            let received = next(lane)?;
            lane.publish(message(&output, "k", "of the second"))?;
            lane.commit(done(received.offset + 1))
        })
    };
    let refused = first.join().unwrap();
    assert!(matches!(refused, Err(QueueError::Fenced { .. } | QueueError::Aborted(_))), "{refused:?}");
    second.join().unwrap();
    assert_eq!(bench.values(&names.output), ["of the second"]);
}

pub(crate) fn a_reader_begins_where_it_is_told_and_seeks(bench: &Bench) {
    let names = bench.topics(1);
    bench.publish(&names.input, &[("k", "0"), ("k", "1"), ("k", "2")]);
    let reader = |start| bench.queue.reader(&names.input, start).unwrap();
    let values = |messages: Vec<Incoming>| messages.into_iter().map(text).collect::<Vec<_>>();

    let mut from_one = reader(Start::Offsets(BTreeMap::from([(0, 1)])));
    assert_eq!(values(drain(from_one.as_mut())), ["1", "2"]);
    assert!(from_one.at_end().unwrap());
    from_one.seek(0, 2).unwrap();
    assert_eq!(values(drain(from_one.as_mut())), ["2"]);

    let mut from_end = reader(Start::End);
    assert!(drain(from_end.as_mut()).is_empty());
    bench.publish(&names.input, &[("k", "3")]);
    let message = from_end.next(Duration::from_secs(10)).unwrap().unwrap();
    assert_eq!((message.offset, text(message)), (3, "3".to_owned()));
}

pub(crate) fn lag_is_what_the_group_has_not_committed(bench: &Bench) {
    let names = bench.topics(1);
    bench.publish(&names.input, &[("k", "0"), ("k", "1"), ("k", "2")]);
    let lag = |positions: Positions<'_>| bench.queue.lag(&names.input, positions).unwrap();
    assert_eq!(lag(Positions::Group(&names.group)), BTreeMap::from([(0, 3)]));
    bench.work(&names, |lane| lane.commit(done(2)));
    assert_eq!(lag(Positions::Group(&names.group)), BTreeMap::from([(0, 1)]));
    assert_eq!(lag(Positions::Offsets(&BTreeMap::from([(0, 1)]))), BTreeMap::from([(0, 2)]));
    assert_eq!(lag(Positions::Offsets(&BTreeMap::new())), BTreeMap::from([(0, 3)]));
}

pub(crate) fn a_missing_topic_is_named(bench: &Bench) {
    let Err(QueueError::Permanent(reason)) = bench.queue.count("never-made") else {
        panic!("a topic that does not exist must be refused for good");
    };
    assert!(reason.contains("never-made"), "{reason}");
    assert!(bench.queue.ready());
}

type Held = Arc<Mutex<BTreeSet<i32>>>;

/// A member that copies what comes to the output until it is told to stop, and shows the partitions that it holds.
fn copier(bench: &Bench, names: &Names, member: &str, held: Held) -> (Arc<AtomicBool>, JoinHandle<()>) {
    let membership =
        Membership { group: names.group.clone(), topic: names.input.clone(), member: member.to_owned() };
    let stop = Arc::new(AtomicBool::new(false));
    let output = names.output.clone();
    let work = Arc::new(move |lane: &mut dyn Lane| -> Result<()> {
        held.lock().unwrap().insert(lane.partition());
        while !lane.revoked() {
            if let Some(received) = lane.next(Duration::from_millis(50))? {
                let key = String::from_utf8_lossy(&received.key).into_owned();
                lane.publish(message(&output, &key, &String::from_utf8_lossy(&received.value)))?;
                lane.commit(done(received.offset + 1))?;
            }
        }
        held.lock().unwrap().remove(&lane.partition());
        Ok(())
    });
    let (queue, stopped) = (bench.queue.clone(), stop.clone());
    let thread = std::thread::spawn(move || {
        queue.consume(membership, work, Arc::new(move || stopped.load(Ordering::SeqCst))).unwrap();
    });
    (stop, thread)
}

pub(crate) fn members_share_partitions_and_take_over_from_one_that_leaves(bench: &Bench) {
    let names = bench.topics(4);
    let (one, two) = (Held::default(), Held::default());
    let (stop_one, thread_one) = copier(bench, &names, "one", one.clone());
    until("the first to hold all", || one.lock().unwrap().len() == 4);
    let (stop_two, thread_two) = copier(bench, &names, "two", two.clone());
    until("both to hold half", || one.lock().unwrap().len() == 2 && two.lock().unwrap().len() == 2);
    assert!(one.lock().unwrap().is_disjoint(&two.lock().unwrap()));

    let numbers: Vec<String> = (0..100).map(|number| format!("{number:03}")).collect();
    let messages: Vec<_> = numbers.iter().map(|number| (number.as_str(), number.as_str())).collect();
    bench.publish(&names.input, &messages[..50]);
    stop_one.store(true, Ordering::SeqCst);
    thread_one.join().unwrap();
    bench.publish(&names.input, &messages[50..]);
    until("the second to hold all", || two.lock().unwrap().len() == 4);
    until("every message", || bench.queue.count(&names.output).unwrap() >= 100);
    assert_eq!(bench.values(&names.output), numbers);
    stop_two.store(true, Ordering::SeqCst);
    thread_two.join().unwrap();
}

/// As after a coordinator that died in the middle of a member's joining; here another takes its name for a while.
pub(crate) fn a_member_that_was_fenced_joins_anew(bench: &Bench) {
    let names = bench.topics(2);
    let (one, other) = (Held::default(), Held::default());
    let (stop_one, thread_one) = copier(bench, &names, "one", one.clone());
    until("it to hold all", || one.lock().unwrap().len() == 2);
    let (stop_other, thread_other) = copier(bench, &names, "one", other.clone());
    until("the other to hold all", || other.lock().unwrap().len() == 2);
    until("it to be fenced", || one.lock().unwrap().is_empty());
    stop_other.store(true, Ordering::SeqCst);
    thread_other.join().unwrap();
    until("it to hold all again", || one.lock().unwrap().len() == 2);
    bench.publish(&names.input, &[("a", "a"), ("b", "b"), ("c", "c")]);
    until("every message", || bench.queue.count(&names.output).unwrap() >= 3);
    assert_eq!(bench.values(&names.output), ["a", "b", "c"]);
    stop_one.store(true, Ordering::SeqCst);
    thread_one.join().unwrap();
}
