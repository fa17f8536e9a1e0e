//! Files that are made to break a reader: each has its outcome, in bounded memory, and no file behind it suffers.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

const HEADER: &str = "user_id,timestamp,type\n";
const VALID: &str = "u1,2026-11-23T10:00:00Z,view\n";
/// What a file may take.
const LIMIT: u64 = 64 << 10;
const GIGABYTE: usize = 1_000_000_000;

/// Validates a file; gives the report and the most memory that the process had at once, in KiB.
fn validate(path: &Path) -> (Value, u64) {
    let child = Command::new(env!("CARGO_BIN_EXE_cortex"))
        .args(["validate", "--dataset=events", "--json"])
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    watch(child)
}

fn watch(mut child: Child) -> (Value, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = found.and_then(|size| size.trim().parse().ok()).unwrap_or(peak).max(peak);
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.code().is_some_and(|code| code <= 2), "{}", output.status);
    (serde_json::from_slice(&output.stdout).unwrap(), peak)
}

/// What the process takes for a file of two lines.
fn at_rest(dir: &Path) -> u64 {
    let path = dir.join("small.csv");
    std::fs::write(&path, format!("{HEADER}{VALID}")).unwrap();
    validate(&path).1
}

struct Case {
    dir: tempfile::TempDir,
    at_rest: u64,
}

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at_rest = at_rest(dir.path());
        Self { dir, at_rest }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// A gzip of pieces that are written one after another.
    fn gzip(&self, name: &str, write: impl FnOnce(&mut dyn Write)) -> PathBuf {
        let path = self.path(name);
        let mut gzip =
            flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
        write(&mut gzip);
        gzip.finish().unwrap();
        path
    }

    /// The report, once memory was within its bounds.
    #[track_caller]
    fn report(&self, path: &Path) -> Value {
        let (report, peak) = validate(path);
        let taken = peak.saturating_sub(self.at_rest);
        assert!(taken < LIMIT, "{} took {taken} KiB: {report}", path.display());
        report
    }

    #[track_caller]
    fn ends(&self, path: &Path, code: &str) {
        let report = self.report(path);
        assert_eq!(report["error"]["code"], code, "{report}");
    }

    #[track_caller]
    fn refuses(&self, path: &Path, accepted: u64, rejections: Value) {
        let report = self.report(path);
        assert_eq!((&report["accepted"], &report["rejections"]), (&json!(accepted), &rejections), "{report}");
    }
}

fn repeat(out: &mut dyn Write, piece: &[u8], bytes: usize) {
    let block = piece.repeat((1 << 20) / piece.len());
    for _ in 0..bytes / block.len() {
        out.write_all(&block).unwrap();
    }
}

/// More than the gigabyte up to which expansion does not matter.
const BOMB: usize = (1 << 30) + (64 << 20);

#[test]
fn bombs_are_stopped() {
    let case = Case::new();
    let member = |pack: &dyn Fn(&[u8]) -> Vec<u8>| {
        let block = b"u,2026-11-23,0000000000000000000000000000000000000000000000000000\n".repeat(1 << 17);
        let rest = pack(&block).repeat(BOMB / block.len());
        [pack(HEADER.as_bytes()), rest].concat()
    };
    let gzip = member(&|bytes| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    });
    let zstd = member(&|bytes| zstd::encode_all(bytes, 19).unwrap());
    let bzip2 = member(&|bytes| {
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        bzip2.write_all(bytes).unwrap();
        bzip2.finish().unwrap()
    });
    for (name, bytes) in [("bomb.csv.gz", gzip), ("bomb.csv.zst", zstd), ("bomb.csv.bz2", bzip2)] {
        assert!(bytes.len() < BOMB / 200, "{name}: a bomb of {} bytes", bytes.len());
        case.ends(&case.put(name, &bytes), "expansion_limit");
    }
    let path = case.path("bomb.zip");
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    zip.start_file("bomb.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(HEADER.as_bytes()).unwrap();
    repeat(&mut zip, b"0", BOMB);
    zip.finish().unwrap();
    case.ends(&path, "expansion_limit");
}

#[test]
fn a_line_of_a_gigabyte_costs_a_row() {
    let case = Case::new();
    let csv = case.gzip("line.csv.gz", |out| {
        out.write_all(format!("{HEADER}{VALID}u,").as_bytes()).unwrap();
        repeat(out, b"x", GIGABYTE);
        out.write_all(format!("\n{VALID}").as_bytes()).unwrap();
    });
    case.refuses(&csv, 2, json!({ "row_too_large": 1 }));
    let object = r#"{"user_id":"u","timestamp":1,"type":"t"}"#;
    for (name, begin, end, accepted) in [
        ("first.json.gz", "", "\n", 1),
        ("second.json.gz", "{\"user_id\":\"u\",\"timestamp\":1,\"type\":\"t\"}\n", "\n", 2),
        ("array.json.gz", "[", ",", 1),
    ] {
        let path = case.gzip(name, |out| {
            out.write_all(format!("{begin}{{\"user_id\":\"").as_bytes()).unwrap();
            repeat(out, b"x", GIGABYTE);
            let closed = if begin == "[" { "]" } else { "\n" };
            out.write_all(format!("\"}}{end}{object}{closed}").as_bytes()).unwrap();
        });
        case.refuses(&path, accepted, json!({ "row_too_large": 1 }));
    }
}

#[test]
fn quotes_that_are_never_closed_cost_a_row_and_no_more_time_than_the_file_is_long() {
    let case = Case::new();
    let rows = 200_000;
    let one = case.gzip("one.csv.gz", |out| {
        out.write_all(format!("{HEADER}u,\"2026\n").as_bytes()).unwrap();
        repeat(out, VALID.as_bytes(), rows * VALID.len());
    });
    let report = case.report(&one);
    assert_eq!(report["rejected"], 1, "{report}");
    let every = case.gzip("every.csv.gz", |out| {
        out.write_all(HEADER.as_bytes()).unwrap();
        repeat(out, b"u,\"2026-11-23,view\n", 100 << 20);
    });
    let report = case.report(&every);
    assert_eq!(
        (&report["error"]["code"], &report["accepted"]),
        (&json!("no_valid_rows"), &json!(0)),
        "{report}"
    );
    let json = case.gzip("text.json.gz", |out| {
        out.write_all(b"[{\"user_id\":\"").unwrap();
        repeat(out, b"\\\"[{", 200 << 20);
    });
    case.ends(&json, "truncated");
}

#[test]
fn a_million_columns_are_refused() {
    let case = Case::new();
    let names: Vec<String> = (0..1_000_000).map(|column| format!("c{column}")).collect();
    case.ends(&case.put("header.csv", format!("{}\n", names.join(","))), "header_too_large");
    let short: Vec<String> = (0..100_000).map(|column| format!("c{column}")).collect();
    case.ends(&case.put("short.csv", format!("{}\n", short.join(","))), "header_too_large");
    let commas = ",".repeat(1_000_000);
    case.refuses(
        &case.put("row.csv", format!("{HEADER}{commas}\n{VALID}")),
        1,
        json!({ "wrong_field_count": 1 }),
    );
    let values: Vec<String> = short.iter().map(|name| format!("\"{name}\":1")).collect();
    let object = format!("{{{}}}\n{{\"user_id\":\"u\",\"timestamp\":1,\"type\":\"t\"}}\n", values.join(","));
    case.refuses(&case.put("row.json", object), 1, json!({ "row_too_large": 1 }));
}

#[test]
fn names_that_are_new_in_every_row_are_not_all_remembered() {
    let case = Case::new();
    let path = case.gzip("names.json.gz", |out| {
        for row in 0..300_000 {
            let line = format!("{{\"user_id\":\"u\",\"timestamp\":1,\"type\":\"t\",\"{:0>200}\":1}}\n", row);
            out.write_all(line.as_bytes()).unwrap();
        }
    });
    let report = case.report(&path);
    assert_eq!(report["accepted"], 300_000, "{report}");
}

#[test]
fn nesting_of_a_hundred_thousand_costs_the_row() {
    let case = Case::new();
    let valid = r#"{"user_id":"u","timestamp":1,"type":"t"}"#;
    let lists = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for (name, deep) in [("lists", &lists), ("objects", &objects)] {
        let lines = case.put(&format!("{name}.jsonl"), format!("{valid}\n{deep}\n{valid}\n"));
        case.refuses(&lines, 2, json!({ "nesting_too_deep": 1 }));
        let array = case.put(&format!("{name}.json"), format!("[{valid},{deep},{valid}]"));
        case.refuses(&array, 2, json!({ "nesting_too_deep": 1 }));
    }
    let open = case.put("open.json", "[".repeat(100_000));
    let report = case.report(&open);
    assert_eq!(report["outcome"], "REJECTED", "{report}");
}

#[test]
fn values_that_no_type_holds_cost_their_row_or_are_kept_as_they_stand() {
    let case = Case::new();
    let schema = case.put(
        "schema.json",
        r#"{"dataset":"EVENTS","columns":[{"name":"n","type":"NUMBER"},{"name":"i","type":"INTEGER"}]}"#,
    );
    let row = |values: &str| format!("{{\"user_id\":\"u\",\"timestamp\":1,\"type\":\"t\",{values}}}\n");
    let digits = "9".repeat(500_000);
    let text = [
        row("\"n\":1e999999"),
        row("\"n\":-1e999999"),
        row("\"i\":1e999999"),
        row(&format!("\"i\":{digits}")),
        row(&format!("\"n\":0.{digits}")),
        row("\"x\":1e999999"),
        row("\"x\":\"\\ud800\""),
        row("\"x\":\"\\ud834\\udd1e\""),
        row("\"x\":\"a\\u0000b\""),
        row(&format!("\"timestamp\":{digits}")),
        format!("{{\"user_id\":\"u\",\"timestamp\":{digits},\"type\":\"t\"}}\n"),
    ]
    .concat();
    let path = case.put("values.json", text);
    let child = Command::new(env!("CARGO_BIN_EXE_cortex"))
        .args(["validate", "--json", "--schema"])
        .arg(schema)
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (report, peak) = watch(child);
    assert!(peak.saturating_sub(case.at_rest) < LIMIT, "{peak}");
    assert_eq!(
        report["rejections"],
        json!({ "invalid_type": 4, "malformed_row": 2, "timestamp_out_of_range": 1 }),
        "{report}"
    );
    assert_eq!(report["accepted"], 4, "{report}");
}

#[test]
fn nul_bytes_are_data_in_a_row_and_binary_at_the_start() {
    let case = Case::new();
    let filler = VALID.repeat(100);
    let path = case.put("row.csv", format!("{HEADER}{filler}u\0,2026-11-23,vi\0ew\n{VALID}"));
    case.refuses(&path, 102, json!({}));
    case.ends(&case.put("start.csv", format!("\0{HEADER}{VALID}")), "format_mismatch");
    case.ends(&case.put("zeros", vec![0; 1 << 20]), "unknown_format");
}

#[test]
fn what_points_outside_an_archive_is_written_nowhere() {
    let case = Case::new();
    let path = case.path("paths.zip");
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    for name in
        ["/tmp/cortex-was-here.csv", "C:\\cortex-was-here.csv", "../cortex-was-here.csv", "../../etc/passwd"]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(format!("{HEADER}{VALID}").as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let report = case.report(&path);
    assert_eq!(report["accepted"], 4, "names are no paths: {report}");
    assert!(!Path::new("/tmp/cortex-was-here.csv").exists());
}

#[test]
fn an_endless_pipe_of_one_line_is_read_to_its_end() {
    let case = Case::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cortex"))
        .args(["validate", "--dataset=events", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        stdin.write_all(HEADER.as_bytes()).unwrap();
        let mut zeros = BufReader::new(std::io::repeat(b'x').take(200 << 20));
        std::io::copy(&mut zeros, &mut stdin).unwrap();
    });
    let (report, peak) = watch(child);
    writer.join().unwrap();
    assert_eq!(report["rejections"], json!({ "row_too_large": 1 }), "{report}");
    assert!(peak.saturating_sub(case.at_rest) < LIMIT, "{peak}");
}
