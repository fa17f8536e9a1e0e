//! A disk that is full under the embedded queue and ledger: said in words, nothing half-written, and it goes on once there is
//! room again.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const ROWS: u64 = 40_000;

/// A file system of its own size; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(megabytes: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).status();
        assert!(mounted.unwrap().success());
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn cortex(arguments: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cortex"));
    for (name, _) in std::env::vars() {
        if name.starts_with("CORTEX_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).arg("--data-dir").arg(dir);
    command
}

fn json_lines(mut command: Command) -> Vec<Value> {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(150), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost_once_there_is_room() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("not run: a file system can be mounted by root alone");
        return;
    }
    let disk = SmallDisk::new(40);
    let dir = disk.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    let log_path = disk.0.path().with_extension("log");
    let log = std::fs::File::create(&log_path).unwrap();
    let mut command = cortex(&["dev", "--no-samples"], &dir);
    command.stdout(Stdio::null()).stderr(log);
    let mut running = Running(command.spawn().unwrap());
    let sources = || json_lines(cortex(&["source", "list", "demo", "--json"], &dir));
    until("the sources", || sources().len() == 4);
    let source = sources().into_iter().find(|one| one["dataset"] == "DATASET_EVENTS").unwrap();
    let source = source["name"].as_str().unwrap().to_owned();

    let mut text = String::from("user_id,timestamp,type\n");
    for row in 0..ROWS {
        writeln!(text, "user-{row},2026-11-20T10:00:00Z,view").unwrap();
    }
    let folder = dir.join("s3/demo-bucket/events/2026-11-20");
    std::fs::create_dir_all(&folder).unwrap();
    // Room for the file and the first chunks, and not for all that becomes of it.
    let used = || {
        let output = Command::new("df").args(["--output=avail", "-B1"]).arg(disk.path()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().nth(1).unwrap().trim().parse::<u64>().unwrap()
    };
    let ballast = used() - text.len() as u64 - (4 << 20);
    std::fs::write(disk.path().join("ballast"), vec![1_u8; ballast as usize]).unwrap();
    std::fs::write(folder.join("large.csv"), text).unwrap();

    let said = || std::fs::read_to_string(&log_path).unwrap_or_default();
    until("the full disk to be told", || {
        said().contains("disk is full") || said().contains("disk I/O error")
    });
    std::thread::sleep(Duration::from_secs(3));
    assert!(running.0.try_wait().unwrap().is_none(), "it ended: {}", said());
    std::fs::remove_file(disk.path().join("ballast")).unwrap();

    let files = || json_lines(cortex(&["source", "files", &source, "--json"], &dir));
    until("the file to be read", || files().iter().any(|file| file.get("finish_time").is_some()));
    let file = files().remove(0);
    assert_eq!(
        (&file["state"], &file["accepted"]),
        (&Value::from("FILE_STATE_ACCEPTED"), &Value::from(ROWS.to_string()))
    );
    let audit = cortex(&["audit", &source, "--json"], &dir).output().unwrap();
    let told = String::from_utf8_lossy(&audit.stderr);
    assert!(audit.status.success(), "{}{told}", String::from_utf8_lossy(&audit.stdout));
    let found: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(found["accepted"], ROWS);
    std::fs::remove_file(&log_path).unwrap();
}
