//! What reading takes at once. Alone in its process, whose memory the kernel counts.
#![cfg(target_os = "linux")]
// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::io::{Seek, Write};

use format::{Limits, Rows};

/// What a file may take, in KiB.
const LIMIT: u64 = 64 << 10;
/// What a row of 1 MiB may take of it, in KiB: a zstd may need half of all for its window.
const A_ROW: u64 = 10 << 10;

fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// The most KiB that are in use while a file is read.
fn peak(mut file: File, name: &str) -> u64 {
    file.rewind().unwrap();
    // The peak is forgotten.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let mut rows = Rows::open(Box::new(file), name, Limits::default()).unwrap();
    let mut count = 0;
    while rows.next().unwrap().is_some() {
        count += 1;
    }
    assert!(count > 2, "{count}");
    status("VmHWM")
}

/// Rows of as many bytes as a row may have, each made to take as much room as it can.
fn rows() -> Vec<(&'static str, String)> {
    const MOST: usize = 1 << 20;
    let repeated = |begin: &str, piece: &str, end: &str| {
        let pieces = piece.repeat((MOST - begin.len() - end.len()) / piece.len());
        format!("{begin}{}{end}", pieces.trim_end_matches(','))
    };
    let scalars = (1 << 16) - 1;
    let values: Vec<String> =
        (0..4_096).map(|value| format!("\"{value:0>120}\":\"{value:0>120}\"")).collect();
    vec![
        ("a list of too many parts", repeated("{\"a\":[", "1,", "]}")),
        ("a list of many strings", format!("{{\"a\":[{}\"\"]}}", "\"0123456789\",".repeat(scalars))),
        ("a list with a list at its end", repeated("{\"a\":[", "1,", "1,[]]}")),
        ("many lists", repeated("{\"a\":[", "[1],", "[]]}")),
        ("many values", format!("{{{}}}", values.join(","))),
        ("an escaped text", repeated("{\"a\":\"", "\\n", "\"}")),
        ("no JSON", repeated("{\"a\":[", "1,", "x")),
    ]
}

#[test]
fn no_row_takes_many_times_its_room() {
    let rows = rows();
    let before = status("VmRSS");
    for (what, row) in &rows {
        assert!(row.len() <= 1 << 20, "{what}: {}", row.len());
        let mut file = tempfile::tempfile().unwrap();
        for _ in 0..4 {
            writeln!(file, "{{\"a\":1}}\n{row}").unwrap();
        }
        let taken = peak(file, "x.jsonl").saturating_sub(before);
        assert!(taken < A_ROW, "{what}: {taken} KiB");
    }
    // Behind the widest window that is read, once it is full.
    let (_, row) = &rows[1];
    let mut encoder = zstd::stream::Encoder::new(tempfile::tempfile().unwrap(), 1).unwrap();
    encoder.window_log(25).unwrap();
    for _ in 0..40 {
        writeln!(encoder, "{row}").unwrap();
    }
    let file = encoder.finish().unwrap();
    let taken = peak(file, "x.jsonl.zst").saturating_sub(before);
    assert!((32 << 10..LIMIT).contains(&taken), "{taken} KiB");
}
