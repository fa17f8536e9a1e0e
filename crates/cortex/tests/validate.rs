//! `cortex validate` as a person uses it.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const HEADER: &str = "user_id,timestamp,type\n";
const VALID: &str = "u1,2025-11-23T10:00:00Z,view\n";
const INVALID: &str = "u2,soon,view\n";

fn validate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cortex"));
    for (name, _) in std::env::vars() {
        if name.starts_with("CORTEX_") || name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.arg("validate").args(arguments);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn reports(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[test]
fn the_exit_status_is_that_of_the_worst_file() {
    let folder = Folder::new();
    let valid = folder.put("valid.csv", format!("{HEADER}{VALID}"));
    let some = folder.put("some.csv", format!("{HEADER}{VALID}{INVALID}"));
    let refused = folder.put("refused.csv", "a,b\n1,2\n");
    let none = folder.put("none.csv", format!("{HEADER}{INVALID}"));
    let absent = folder.path("absent.csv").to_str().unwrap().to_owned();
    for (files, status) in [
        (vec![&valid], 0),
        (vec![&valid, &some], 1),
        (vec![&refused, &valid], 2),
        (vec![&none], 2),
        (vec![&absent, &valid], 2),
    ] {
        let mut command = validate(&["--dataset", "events"]);
        let output = command.args(files.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{files:?}: {}{}", stdout(&output), stderr(&output));
        assert_eq!(stderr(&output), "", "no progress bar without a terminal");
    }
}

#[test]
fn json_is_one_object_a_file() {
    let folder = Folder::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(format!("{HEADER}{VALID}{INVALID}{INVALID}u,2025-11-23\n").as_bytes()).unwrap();
    let some = folder.put("2025-11-23/some.csv.gz", gzip.finish().unwrap());
    let refused = folder.put("2025-11-23/refused.json", "[1");
    let output = validate(&["--dataset=EVENTS", "--json", &some, &refused]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let found = reports(&output);
    assert_eq!(
        found[0],
        json!({
            "file": some, "outcome": "ACCEPTED_WITH_REJECTIONS", "format": "csv", "compression": "gzip",
            "rows": 4, "accepted": 1, "rejected": 3,
            "rejections": { "invalid_type": 2, "wrong_field_count": 1 },
            "warnings": {}, "warning_examples": [], "error": null,
        })
    );
    assert_eq!((&found[1]["outcome"], &found[1]["error"]["code"]), (&json!("REJECTED"), &json!("truncated")));
    assert_eq!(found.len(), 2);
}

#[test]
fn people_are_told_where_what_and_what_to_do() {
    let folder = Folder::new();
    let rows = INVALID.repeat(5);
    let some = folder.put("2025-11-23/some.csv", format!("{HEADER}{VALID}{rows}u3,1999-01-01,a\u{1b}[31m\n"));
    let output = validate(&["--dataset", "events", &some]).output().unwrap();
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("{some}: ACCEPTED_WITH_REJECTIONS, csv, 7 rows: 2 accepted, 5 rejected"));
    assert_eq!(
        lines[1],
        "  row 2, byte 52, column \"timestamp\": invalid_type: \"soon\" is not a timestamp; write it as \
         2026-11-23T10:00:00Z or as Unix seconds or milliseconds"
    );
    assert_eq!(lines[4], "  2 more invalid_type", "three alike are enough");
    assert!(
        lines[5].starts_with("  warning: row 7, ") && lines[5].contains("date_far_from_folder"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "a file does not steer the terminal");
}

#[test]
fn standard_input_is_read_in_every_format() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("a.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(format!("{HEADER}{VALID}").as_bytes()).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    for (bytes, format, compression) in [
        (format!("{HEADER}{VALID}").into_bytes(), "csv", "none"),
        (br#"{"user_id":"u","timestamp":1,"type":"t"}"#.to_vec(), "json", "none"),
        (zip, "csv", "zip"),
    ] {
        let mut command = validate(&["--dataset", "events", "--json", "--reject-file", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        let found = &reports(&output)[0];
        assert_eq!(output.status.code(), Some(0), "{found}");
        assert_eq!((&found["file"], &found["accepted"]), (&json!("-"), &json!(1)));
        assert_eq!((&found["format"], &found["compression"]), (&json!(format), &json!(compression)));
    }
}

#[test]
fn records_and_rejects_are_lines_of_protobuf_json() {
    let folder = Folder::new();
    let some = folder.put("some.csv", format!("{HEADER}{VALID}{INVALID}"));
    let rejects = folder.path("rejects.jsonl");
    let output =
        validate(&["--dataset=events", "--records=-", "--rejects", rejects.to_str().unwrap(), &some])
            .output()
            .unwrap();
    let records = reports(&output);
    assert_eq!(records.len(), 1, "{}", stdout(&output));
    assert_eq!((&records[0]["user_id"], &records[0]["type"]), (&json!("u1"), &json!("view")));
    assert_eq!(records[0]["envelope"]["row_number"], "1");
    assert!(stderr(&output).contains("ACCEPTED_WITH_REJECTIONS"), "the summary makes way");
    let rejected: Value = serde_json::from_str(&std::fs::read_to_string(rejects).unwrap()).unwrap();
    assert_eq!((&rejected["code"], &rejected["column"]), (&json!("invalid_type"), &json!("timestamp")));
    assert_eq!(rejected["envelope"]["row_number"], "2");
}

#[test]
fn a_file_is_rejected_whole_where_that_is_asked_for() {
    let folder = Folder::new();
    let some = folder.put("some.csv", format!("{HEADER}{VALID}{INVALID}"));
    let output = validate(&["--dataset=events", "--reject-file", "--records=-", &some]).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "no record");
    assert!(stderr(&output).contains("invalid_rows: 1 of 2 rows are invalid"), "{}", stderr(&output));
    assert!(stderr(&output).contains("row 2, byte 52"), "{}", stderr(&output));
}

#[test]
fn a_file_is_rejected_whole_where_too_large_a_share_of_it_is_invalid() {
    let folder = Folder::new();
    // 2 of 8 rows, the last of them the last row: only the whole file tells.
    let some = folder.put("some.csv", format!("{HEADER}{INVALID}{}{INVALID}", VALID.repeat(6)));
    let with = |percent: &str| {
        let limit = format!("--max-rejected-percent={percent}");
        let output = validate(&["--dataset=events", "--json", &limit, &some]).output().unwrap();
        (output.status.code(), reports(&output).remove(0))
    };
    for percent in ["25", "25.00", "99.5", "100"] {
        let (status, found) = with(percent);
        assert_eq!((status, &found["outcome"]), (Some(1), &json!("ACCEPTED_WITH_REJECTIONS")), "{percent}");
        assert_eq!((&found["accepted"], &found["rejected"]), (&json!(6), &json!(2)));
    }
    for percent in ["24.99", "0.01"] {
        let (status, found) = with(percent);
        assert_eq!((status, &found["outcome"]), (Some(2), &json!("REJECTED")), "{percent}");
        assert_eq!(found["error"]["code"], "too_many_rejected");
        assert_eq!(
            (&found["accepted"], &found["rejected"]),
            (&json!(0), &json!(2)),
            "all of it is looked at"
        );
    }
    let (_, found) = with("24.99");
    assert_eq!(
        found["error"]["reason"],
        "2 of 8 rows are invalid (25.00 %); the source takes at most 24.99 %"
    );
    let output =
        validate(&["--dataset=events", "--max-rejected-percent=20", "--records=-", &some]).output().unwrap();
    assert_eq!(stdout(&output), "", "no record of it");
    let strict = ["--dataset=events", "--max-rejected-percent=50", "--reject-file", &some];
    assert!(stdout(&validate(&strict).output().unwrap()).contains("invalid_rows: 2 of 8"));

    let cut = folder.put("cut.jsonl.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    let output =
        validate(&["--dataset=events", "--json", "--max-rejected-percent=50", &cut]).output().unwrap();
    assert_eq!(reports(&output)[0]["outcome"], "REJECTED");

    for wrong in ["0", "0.001", "100.01", "-1", "5%", "", "1e1", ".5", "+5"] {
        let limit = format!("--max-rejected-percent={wrong}");
        let output = validate(&["--dataset=events", &limit, &some]).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{wrong}: {}", stdout(&output));
    }
}

#[test]
fn folders_are_read_to_their_ends_and_columns_compared_from_file_to_file() {
    let folder = Folder::new();
    folder.put("in/2025-11-22/a.csv", format!("{HEADER}{VALID}"));
    folder.put("in/2025-11-23/deep/b.csv", "user_id,timestamp,type,price\nu,2025-11-23,view,1\n");
    folder.put("in/.hidden", "x");
    folder.put("in/_SUCCESS", "");
    let path = folder.path("in");
    let output = validate(&["--dataset=events", "--json", path.to_str().unwrap()]).output().unwrap();
    let found = reports(&output);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1]["file"].as_str().unwrap().ends_with("in/2025-11-23/deep/b.csv"));
    assert_eq!(found[1]["warnings"], json!({ "column_appeared": 1 }));
    assert_eq!(found[1]["warning_examples"][0]["column"], "price");

    let output = validate(&["--dataset=events", path.to_str().unwrap()]).output().unwrap();
    assert!(stdout(&output).ends_with("2 files: 2 ACCEPTED; 2 rows: 2 accepted, 0 rejected\n"));
}

#[test]
fn a_schema_file_says_what_rows_must_be() {
    let folder = Folder::new();
    let file = folder.put("a.csv", "customer,timestamp,type,price\nu,2025-11-23,view,free\n");
    let columns =
        r#""columns": [{"name": "user_id", "from": "customer"}, {"name": "price", "type": "NUMBER"}]"#;
    let whole = folder.put("whole.json", format!(r#"{{"dataset": "EVENTS", {columns}}}"#));
    let part = folder.put("part.json", format!("{{{columns}}}"));
    for arguments in [vec!["--schema", &whole], vec!["--schema", &part, "--dataset", "events"]] {
        let output = validate(&arguments).args(["--json", &file]).output().unwrap();
        assert_eq!(reports(&output)[0]["rejections"], json!({ "invalid_type": 1 }), "{}", stderr(&output));
    }
}

#[test]
fn wrong_usage_is_64_and_says_what_is_wrong() {
    let folder = Folder::new();
    let file = folder.put("a.csv", format!("{HEADER}{VALID}"));
    let items = folder.put("items.json", r#"{"dataset": "ITEMS"}"#);
    let unknown = folder.put("unknown.json", r#"{"dataset": "EVENTS", "colums": []}"#);
    for (arguments, said) in [
        (vec![file.as_str()], "--dataset"),
        (vec!["--dataset", "evnts", &file], "evnts"),
        (vec!["--dataset=events", "--schema", &items, &file], "ITEMS"),
        (vec!["--dataset=events", "--schema", &unknown, &file], "colums"),
        (vec!["--dataset=events", "--schema=/does/not/exist", &file], "/does/not/exist"),
        (vec!["--dataset=events", "--time-zone=Mars", &file], "Mars"),
        (vec!["--dataset=events", "--json", "--records=-", &file], "standard output"),
        (vec!["--dataset=events", "--records=-", "--rejects=-", &file], "standard output"),
        (vec!["--dataset=events", "--records", &file, &file], "written over"),
        (vec!["--dataset=events"], "FILE"),
    ] {
        let output = validate(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        format!("{HEADER}{VALID}"),
        "nothing was written over"
    );
}

#[test]
fn a_gigabyte_is_read_in_bounded_memory() {
    let folder = Folder::new();
    let path = folder.path("large.csv.gz");
    let mut gzip = flate2::write::GzEncoder::new(
        std::io::BufWriter::new(std::fs::File::create(&path).unwrap()),
        flate2::Compression::fast(),
    );
    gzip.write_all(HEADER.as_bytes()).unwrap();
    // Long fields: rows are many, the gigabyte is soon reached, and the file is small on disk.
    let rows = 10_000;
    let field = "x".repeat(100 << 10);
    for row in 0..rows {
        gzip.write_all(format!("u{row},2025-11-23T10:00:00Z,{field}\n").as_bytes()).unwrap();
    }
    gzip.finish().unwrap().flush().unwrap();
    let output = validate(&["--dataset=events", "--json"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .map(peak_of)
        .unwrap();
    assert_eq!(output.0["accepted"], rows, "{}", output.0);
    // The program itself, its runtime and its threads, and what a file may use.
    assert!(output.1 < 128 << 10, "{} KiB at most", output.1);
}

#[test]
fn what_is_read_is_never_written_over() {
    let folder = Folder::new();
    let text = format!("{HEADER}{VALID}");
    let file = folder.put("d/a.csv", &text);
    let schema = folder.put("schema.json", r#"{"dataset": "EVENTS"}"#);
    std::fs::hard_link(&file, folder.path("hard.csv")).unwrap();
    std::os::unix::fs::symlink(&file, folder.path("soft.csv")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = validate(&["--schema", "schema.json"]);
        command.current_dir(folder.path("")).args(arguments);
        command
    };
    let refused = |output: Output, what: &[&str]| {
        assert_eq!(output.status.code(), Some(64), "{what:?}: {}", stdout(&output));
        assert!(stderr(&output).contains("written over"), "{what:?}: {}", stderr(&output));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "{what:?}");
    };
    for arguments in [
        ["--records", "d/a.csv", "d"],
        ["--rejects", "d/a.csv", "."],
        ["--records", "./d/../d/a.csv", "d/a.csv"],
        ["--records", "hard.csv", "d"],
        ["--rejects", "soft.csv", "d"],
        ["--records", "d/a.csv", "soft.csv"],
        ["--records", "./schema.json", "d"],
        ["--records", "./absent.csv", "absent.csv"],
    ] {
        refused(run(&arguments).output().unwrap(), &arguments);
    }
    assert!(!folder.path("absent.csv").exists());
    assert!(std::fs::read_to_string(&schema).unwrap().contains("EVENTS"));
    let stdin = run(&["--records", "d/a.csv", "-"]).stdin(File::open(&file).unwrap()).output().unwrap();
    refused(stdin, &["- from the file"]);
    let appended = File::options().append(true).open(&file).unwrap();
    let output = run(&["--records", "-", "d"]).stdout(appended).stderr(Stdio::piped()).output().unwrap();
    refused(output, &["standard output to the file"]);

    let output = run(&["--records", "new.jsonl", "--rejects", "./new.jsonl", "d"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "two outputs in one file");
    assert!(stderr(&output).contains("the same file"), "{}", stderr(&output));
}

#[test]
fn an_output_in_the_folder_that_is_read_is_no_input_of_the_same_run() {
    let folder = Folder::new();
    folder.put("d/a.csv", format!("{HEADER}{VALID}"));
    let run = || {
        let mut command = validate(&["--dataset=events", "--records", "d/out.jsonl", "--json", "d"]);
        command.current_dir(folder.path("")).output().unwrap()
    };
    let output = run();
    assert_eq!((output.status.code(), reports(&output).len()), (Some(0), 1), "{}", stderr(&output));
    let written = std::fs::read_to_string(folder.path("d/out.jsonl")).unwrap();
    assert_eq!(written.lines().count(), 1);
    assert_eq!(run().status.code(), Some(64), "the next run finds it among its inputs");
    assert_eq!(std::fs::read_to_string(folder.path("d/out.jsonl")).unwrap(), written);
}

/// Runs on a terminal of its own; gives what the terminal showed.
fn on_a_terminal(folder: &Folder, arguments: &str) -> String {
    let command = format!("stty cols 100 rows 24; {} validate {arguments}", env!("CARGO_BIN_EXE_cortex"));
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(folder.path(""))
        .stdin(Stdio::null())
        .output()
        .expect("script, of util-linux");
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

#[test]
fn progress_is_drawn_on_a_terminal_and_nowhere_else() {
    let folder = Folder::new();
    let text = format!("{HEADER}{}", VALID.repeat(1_000));
    folder.put("a.csv", &text);
    folder.put("b.csv", &text);
    let drawn = |shown: &str| shown.contains('█') || shown.contains('░');
    let size = format!("{:.2} KiB", text.len() as f64 / 1024.0);

    let shown = on_a_terminal(&folder, "--dataset events a.csv b.csv");
    assert!(drawn(&shown) && shown.contains("1/2 a.csv") && shown.contains("2/2 b.csv"), "{shown:?}");
    assert!(shown.contains(&size), "how large the file is: {shown:?}");
    assert!(shown.contains("a.csv: ACCEPTED, csv, 1000 rows"), "{shown:?}");
    let last = shown.rsplit('\r').find(|line| !line.trim().is_empty()).unwrap();
    assert!(last.contains("2 files: 2 ACCEPTED") && !drawn(last), "the bar is gone at the end: {shown:?}");

    let shown = on_a_terminal(&folder, "--dataset events --json a.csv > out.jsonl");
    assert!(drawn(&shown), "it stands on standard error: {shown:?}");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path("out.jsonl")).unwrap()).unwrap();
    assert_eq!(report["accepted"], 1_000);

    let shown = on_a_terminal(&folder, "--dataset events a.csv 2> err.txt");
    assert!(!drawn(&shown) && shown.contains("ACCEPTED"), "{shown:?}");
    assert_eq!(std::fs::read_to_string(folder.path("err.txt")).unwrap(), "", "none in a file");
}

/// The status where standard output is a pipe that no one reads.
fn unread(arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = validate(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), stderr(&output))
}

#[test]
fn a_reader_that_has_gone_is_told_from_files_that_are_valid() {
    let folder = Folder::new();
    let some = folder.put("some.csv", format!("{HEADER}{VALID}{INVALID}"));
    let many = folder.put("many.csv", format!("{HEADER}{}", VALID.repeat(10_000)));
    assert_eq!(unread(&["--dataset=events", &some]), (Some(1), String::new()), "all was read");
    assert_eq!(unread(&["--dataset=events", &many, &some]), (Some(74), String::new()), "one was not");
    let (status, _) = unread(&["--dataset=events", "--records=-", &many]);
    assert_eq!(status, Some(74), "not to its end");
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    let file = folder.put("a.csv", format!("{HEADER}{VALID}"));
    let absent = folder.path("absent/out.jsonl").to_str().unwrap().to_owned();
    for (output, status) in [("/dev/full", 74), (absent.as_str(), 64)] {
        let done = validate(&["--dataset=events", "--records", output, &file]).output().unwrap();
        assert_eq!(done.status.code(), Some(status), "{output}");
        assert!(stderr(&done).contains(&format!("{output} cannot be written")), "{}", stderr(&done));
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let done = validate(&["--dataset=events", &file]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(done.status.code(), Some(74));
    assert!(stderr(&done).contains("standard output cannot be written"), "{}", stderr(&done));
}

#[test]
fn what_cannot_be_read_in_a_folder_is_told_and_the_rest_is_read() {
    let folder = Folder::new();
    folder.put("d/b.csv", format!("{HEADER}{VALID}"));
    folder.put("d/z.csv", format!("{HEADER}{VALID}"));
    std::os::unix::fs::symlink("nowhere", folder.path("d/a.csv")).unwrap();
    let made = Command::new("mkfifo").arg(folder.path("d/pipe.csv")).status().unwrap();
    assert!(made.success());
    std::fs::create_dir(folder.path("empty")).unwrap();
    let paths = ["d", "empty"].map(|name| folder.path(name).to_str().unwrap().to_owned());
    let output = validate(&["--dataset=events", "--json", &paths[0], &paths[1]]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let found: Vec<(Value, Value)> =
        reports(&output).iter().map(|one| (one["accepted"].clone(), one["error"]["code"].clone())).collect();
    let (valid, none) = ((json!(1), Value::Null), (json!(0), json!("not_found")));
    assert_eq!(found, [none.clone(), valid.clone(), none.clone(), valid, none], "{}", stdout(&output));
}

#[test]
fn a_name_that_is_not_utf_8_is_that_of_a_file_as_any_other() {
    let folder = Folder::new();
    let path = folder.path("").join(OsStr::from_bytes(b"2025-11-23/caf\xe9.csv"));
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("{HEADER}{VALID}")).unwrap();
    for argument in [path.clone(), folder.path("2025-11-23")] {
        let output = validate(&["--dataset=events", "--json"]).arg(argument).output().unwrap();
        let report = &reports(&output)[0];
        assert_eq!((output.status.code(), &report["accepted"]), (Some(0), &json!(1)), "{report}");
        assert!(report["file"].as_str().unwrap().ends_with("2025-11-23/caf\u{fffd}.csv"), "{report}");
    }
}

#[test]
fn a_file_that_is_named_twice_is_read_twice_and_standard_input_cannot_be() {
    let folder = Folder::new();
    let file = folder.put("a.csv", format!("{HEADER}{VALID}"));
    let output = validate(&["--dataset=events", "--json", &file, &file]).output().unwrap();
    let accepted: Vec<Value> = reports(&output).iter().map(|one| one["accepted"].clone()).collect();
    assert_eq!(accepted, [1, 1]);
    let output = validate(&["--dataset=events", "-", &file, "-"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("standard input"), "{}", stderr(&output));
}

#[test]
fn columns_are_compared_with_the_last_file_of_which_they_are_known() {
    let folder = Folder::new();
    folder.put("d/a.csv", "user_id,timestamp,type,price\nu,2025-11-23,view,1\n");
    folder.put("d/b.json", r#"[{"user_id":"u","timestamp":1,"type":"t"}, "#);
    folder.put("d/c.csv", format!("{HEADER}{VALID}"));
    let output =
        validate(&["--dataset=events", "--json", folder.path("d").to_str().unwrap()]).output().unwrap();
    let found = reports(&output);
    assert_eq!(found[1]["outcome"], "INCOMPLETE", "{}", found[1]);
    assert_eq!(found[2]["warnings"], json!({ "column_vanished": 1 }), "{}", found[2]);
}

#[test]
fn what_is_wrong_with_a_schema_is_told_where_it_stands() {
    let folder = Folder::new();
    let file = folder.put("a.csv", format!("{HEADER}{VALID}"));
    for (text, said) in [
        ("{\n\"columns\": [],\n\"colums\": []}", "line 3 column"),
        ("{\"columns\": [],\n\"columns\": []}", "duplicate field `columns`"),
        ("{", "line 1 column 1"),
    ] {
        let schema = folder.put("schema.json", text);
        let output = validate(&["--dataset=events", "--schema", &schema, &file]).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{text}");
        assert!(stderr(&output).contains(said), "{text}: {}", stderr(&output));
    }
    for text in ["{}", " {\n}", "{\"columns\": []}"] {
        let schema = folder.put("schema.json", text);
        let output = validate(&["--dataset=events", "--schema", &schema, &file]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}: {}", stderr(&output));
    }
}

/// The report, and the most memory that was in use, in KiB, as the kernel counts it.
fn peak_of(mut child: std::process::Child) -> (Value, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = found.and_then(|size| size.trim().parse().ok()).unwrap_or(peak).max(peak);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    (reports(&output)[0].clone(), peak)
}
