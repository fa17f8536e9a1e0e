//! Decompression on a thread of its own: the same rows, so much ahead and no more, and an end with the rows.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::HashMap;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use common::{Chunked, Failing, Seen, bzip2, gzip, items_of, zip, zstd};
use format::{Limits, Object, Place, Rows};
use proptest::prelude::*;

/// What is decompressed before a thread is worth it, and how much is ahead at most.
const ALONE: usize = 256 << 10;
const AHEAD: usize = 1 << 20;
/// So long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Rows of so many bytes, which hardly compress.
fn csv(bytes: usize) -> Vec<u8> {
    let mut text = b"a,b\n".to_vec();
    let mut noise = 1_u64;
    while text.len() < bytes {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        writeln!(text, "{},{noise:x}", text.len()).unwrap();
    }
    text
}

/// A gzip that takes as many bytes as it holds.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const NAMES: [&str; 4] = ["x.csv.gz", "x.csv.zst", "x.csv.bz2", "x.zip"];

/// The text in each compression, in two parts.
fn packed(text: &[u8], name: &str) -> Vec<u8> {
    let (first, second) = text.split_at(text.len() / 2);
    match name {
        "x.csv.gz" => gzip(&[first, second]),
        "x.csv.zst" => zstd(&[first, second]),
        "x.csv.bz2" => bzip2(&[first, second]),
        _ => zip(&[("1.csv", text.to_vec()), ("2.csv", csv(5_000)), ("3.csv", text.to_vec())]),
    }
}

fn open(object: impl Object + 'static, name: &str) -> Rows {
    Rows::open(Box::new(object), name, Limits::default()).unwrap().decompress_ahead()
}

/// What `read` does at each read.
struct Watched<F> {
    bytes: Cursor<Vec<u8>>,
    read: F,
}

impl<F: FnMut(&mut Cursor<Vec<u8>>, &mut [u8]) -> io::Result<usize> + Send> Watched<F> {
    fn new(bytes: Vec<u8>, read: F) -> Self {
        Self { bytes: Cursor::new(bytes), read }
    }
}

impl<F: FnMut(&mut Cursor<Vec<u8>>, &mut [u8]) -> io::Result<usize>> Read for Watched<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (self.read)(&mut self.bytes, into)
    }
}

impl<F> Seek for Watched<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// Tells when it is dropped.
struct Told(Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn told() -> (Told, Receiver<()>) {
    let (sender, receiver) = channel();
    (Told(sender), receiver)
}

/// The threads that read an object, with how often they did and their names.
fn threads(bytes: Vec<u8>, name: &str, ahead: bool) -> HashMap<ThreadId, (usize, Option<String>)> {
    let seen = Arc::new(Mutex::new(HashMap::new()));
    let by = Arc::clone(&seen);
    let object = Watched::new(bytes, move |bytes, into| {
        let current = thread::current();
        let named = current.name().map(str::to_owned);
        by.lock().unwrap().entry(current.id()).or_insert((0, named)).0 += 1;
        bytes.read(into)
    });
    let rows = Rows::open(Box::new(object), name, Limits::default()).unwrap();
    let mut rows = if ahead { rows.decompress_ahead() } else { rows };
    while rows.next().unwrap().is_some() {}
    drop(rows);
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[test]
fn another_thread_decompresses_what_is_large_where_that_is_asked_for() {
    let here = thread::current().id();
    for name in NAMES {
        let large = packed(&csv(4 << 20), name);
        let both = threads(large.clone(), name, true);
        let others: Vec<_> = both.iter().filter(|(id, _)| **id != here).map(|(_, seen)| seen).collect();
        assert_eq!(others.len(), 1, "{name}: {both:?}");
        assert_eq!(others[0].1.as_deref(), Some("decompress"));
        assert!(others[0].0 > both[&here].0, "{name}: the greater part of it: {both:?}");
        assert!(threads(large, name, false).into_keys().all(|id| id == here), "{name}");
        let small = packed(&csv(ALONE / 3), name);
        assert!(threads(small, name, true).into_keys().all(|id| id == here), "{name}");
    }
    assert!(threads(csv(4 << 20), "x.csv", true).into_keys().all(|id| id == here));
}

#[test]
fn it_is_so_much_ahead_of_the_rows_and_no_more() {
    // What a block of the object may have beyond what it holds, and the rows that are not yet consumed.
    const SLACK: u64 = 512 << 10;
    let bytes = stored(&csv(24 << 20));
    let size = bytes.len() as u64;
    let (at, taken, most) =
        (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (reader_at, fetched, furthest) = (Arc::clone(&at), Arc::clone(&taken), Arc::clone(&most));
    let object = Watched::new(bytes, move |bytes, into| {
        let read = bytes.read(into)?;
        let taken = fetched.fetch_add(read as u64, Ordering::SeqCst) + read as u64;
        furthest.fetch_max(taken.saturating_sub(reader_at.load(Ordering::SeqCst)), Ordering::SeqCst);
        Ok(read)
    });
    let mut rows = open(object, "x.csv.gz");
    let mut next_wait = ALONE as u64 + SLACK;
    while rows.next().unwrap().is_some() {
        let position = rows.place().position;
        at.store(position, Ordering::SeqCst);
        if position > next_wait {
            // It goes ahead by itself, while no row is asked for.
            while taken.load(Ordering::SeqCst) < size.min(position + AHEAD as u64 / 2) {
                thread::yield_now();
            }
            next_wait += 2 << 20;
        }
    }
    assert_eq!(taken.load(Ordering::SeqCst), size);
    let most = most.load(Ordering::SeqCst);
    assert!(most <= AHEAD as u64 + SLACK, "{most} bytes ahead");
}

#[test]
fn errors_come_behind_the_rows_before_them() {
    let text = csv(4 << 20);
    for name in NAMES {
        let bytes = packed(&text, name);
        for left in [bytes.len() / 2, bytes.len() - 1] {
            let failing =
                || Failing { bytes: Cursor::new(bytes.clone()), left, kind: ErrorKind::ConnectionReset };
            let alone = items_of(Rows::open(Box::new(failing()), name, Limits::default()));
            let opened = Rows::open(Box::new(failing()), name, Limits::default());
            let ahead = items_of(opened.map(Rows::decompress_ahead));
            assert_eq!(ahead.last(), Some(&Seen::Io("the connection was lost".to_owned())), "{name} {left}");
            assert!(ahead.len() > 10_000 || name == "x.zip", "{name} {left}: {}", ahead.len());
            assert!(ahead == alone, "{name} {left}: {} and {} items", ahead.len(), alone.len());
        }
    }
}

#[test]
fn entries_are_told_by_their_names() {
    let large = csv(2 << 20);
    let bytes = zip(&[("1.csv", large.clone()), ("blank.csv", b"\n".to_vec()), ("2.csv", large.clone())]);
    let mut rows = open(Cursor::new(bytes), "x.zip");
    let mut seen = Vec::new();
    while let Some(item) = rows.next().unwrap() {
        if matches!(item, format::Item::Columns(_)) {
            let entry = rows.entry().unwrap();
            seen.push((entry.name.to_owned(), entry.position));
        }
    }
    let size = large.len() as u64;
    assert_eq!(seen, [("1.csv".to_owned(), 0), ("2.csv".to_owned(), size + 1)]);
}

#[test]
fn a_bomb_is_stopped_where_it_is_without_the_thread() {
    let text = [csv(1 << 20), b"1,1\n".repeat(4 << 20)].concat();
    let limits = Limits { expansion_ratio: 5, expansion_floor: 2 << 20, ..Limits::default() };
    let bytes = gzip(&[&text]);
    let open = || Rows::open(Box::new(Cursor::new(bytes.clone())), "x.csv.gz", limits.clone());
    let (alone, ahead) = (items_of(open()), items_of(open().map(Rows::decompress_ahead)));
    assert!(matches!(ahead.last(), Some(Seen::Fault { code: "expansion_limit", .. })));
    assert!(alone == ahead);
}

#[test]
fn the_thread_ends_with_rows_that_nobody_reads_on() {
    // It has gone as far ahead as it may, and waits for the reader.
    let (told, dropped) = told();
    let bytes = stored(&csv(8 << 20));
    let taken = Arc::new(AtomicU64::new(0));
    let fetched = Arc::clone(&taken);
    let object = Watched::new(bytes, move |bytes, into| {
        let _ = &told;
        let read = bytes.read(into)?;
        fetched.fetch_add(read as u64, Ordering::SeqCst);
        Ok(read)
    });
    let mut rows = open(object, "x.csv.gz");
    while rows.place().position < 2 * ALONE as u64 {
        rows.next().unwrap();
    }
    while taken.load(Ordering::SeqCst) < rows.place().position + AHEAD as u64 / 2 {
        thread::yield_now();
    }
    drop(rows);
    dropped.recv_timeout(PATIENCE).expect("the object is dropped");
}

#[test]
fn rows_are_dropped_while_the_object_waits_and_the_thread_ends_with_its_answer() {
    let (told, dropped) = told();
    let bytes = stored(&csv(8 << 20));
    let (asks, asked) = channel();
    let (answers, answered) = channel::<()>();
    let mut left = 2 << 20;
    let object = Watched::new(bytes, move |bytes, into| {
        let _ = &told;
        if left == 0 {
            asks.send(()).unwrap();
            let _ = answered.recv();
            return Err(ErrorKind::TimedOut.into());
        }
        let room = into.len().min(left);
        let read = bytes.read(&mut into[..room])?;
        left -= read;
        Ok(read)
    });
    let mut rows = open(object, "x.csv.gz");
    while rows.place().position < 3 << 19 {
        rows.next().unwrap();
    }
    asked.recv_timeout(PATIENCE).expect("the thread is ahead of the rows, and waits");
    drop(rows);
    assert!(dropped.try_recv().is_err(), "the read is under way");
    drop(answers);
    dropped.recv_timeout(PATIENCE).expect("the object is dropped");
}

#[test]
fn what_panics_on_the_thread_panics_where_the_rows_are_read() {
    let here = thread::current().id();
    let object = Watched::new(packed(&csv(4 << 20), "x.csv.gz"), move |bytes, into| {
        assert!(thread::current().id() == here || bytes.position() < 1 << 20, "the object is poison");
        bytes.read(into)
    });
    let mut rows = open(object, "x.csv.gz");
    let mut read = 0;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        while rows.next().unwrap().is_some() {
            read += 1;
        }
    }));
    let said = panic.unwrap_err();
    assert_eq!(said.downcast_ref::<&str>().copied(), Some("the object is poison"));
    assert!(read > 10_000, "the rows before it were read: {read}");
    assert!(rows.next().is_err(), "it has an end");
}

/// Rows of all kinds, many times over, so that they are more than is decompressed without a thread.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        "[a-z0-9 ]{0,40},[a-z]{0,40}",
        Just("\"naïve, \"\"quoted\"\"\r\nsecond line\",日本".to_owned()),
        Just("x".to_owned()),
        Just(String::new()),
    ];
    (prop::collection::vec(line, 1..40), ALONE..4 * ALONE).prop_map(|(lines, size)| {
        let mut text = b"a,b\n".to_vec();
        for (row, line) in lines.iter().cycle().enumerate() {
            if text.len() > size {
                break;
            }
            // Bytes that hardly compress, so that damage falls anywhere.
            let noise = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            writeln!(text, "{noise:x}{line}").unwrap();
        }
        text
    })
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    None,
    Cut,
    Byte(u8),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn items_are_the_same_with_and_without_the_thread(text in texts(), name in prop::sample::select(NAMES.to_vec()), damage in prop_oneof![Just(Damage::None), Just(Damage::Cut), any::<u8>().prop_map(Damage::Byte)], at in 0.0..1.0_f64, sizes in prop::collection::vec(prop_oneof![1_usize..40, 1_usize..100_000], 1..8), resumed in 0.0..1.0_f64) {
        let mut bytes = packed(&text, name);
        let at = (bytes.len() as f64 * at) as usize;
        match damage {
            Damage::None => {}
            Damage::Cut => bytes.truncate(at.max(1)),
            Damage::Byte(with) => bytes[at] = with,
        }
        let open = |sizes: Vec<usize>, at: Place| Rows::open_at(Box::new(Chunked::new(bytes.clone(), sizes)), name, Limits::default(), at);
        let alone = items_of(open(vec![usize::MAX], Place::default()));
        let ahead = items_of(open(sizes.clone(), Place::default()).map(Rows::decompress_ahead));
        prop_assert!(alone == ahead, "{} items, {} with the thread; then {:?} and {:?}", alone.len(), ahead.len(), alone.last(), ahead.last());
        let behind = (alone.len() as f64 * resumed) as usize;
        if let Some(place) = alone[behind].place() {
            let rest = items_of(open(sizes, place).map(Rows::decompress_ahead));
            let rows = |items: &[Seen]| items.iter().filter(|item| !item.is_columns()).cloned().collect::<Vec<_>>();
            prop_assert!(rows(&rest) == rows(&alone[behind + 1..]), "behind item {behind}, {place:?}");
        }
    }
}
