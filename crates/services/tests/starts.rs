//! Each server starts, answers, and stops with what started it.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use services::{ForeignS3, Kafka, Moto, Postgres};

fn running(port: &str) -> bool {
    std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok()
}

fn stops(port: &str) {
    let begun = Instant::now();
    while running(port) {
        assert!(begun.elapsed() < Duration::from_secs(20), "port {port} still answers");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn kafka_keeps_its_topics_over_a_restart_and_stops_when_dropped() {
    let mut kafka = Kafka::start_own().unwrap();
    let bootstrap = kafka.bootstrap().to_owned();
    let topics = |kafka: &Kafka, arguments: &[&str]| {
        let mut all = vec!["--bootstrap-server", &bootstrap];
        all.extend(arguments);
        let output = kafka.tool("org.apache.kafka.tools.TopicCommand", &all).unwrap().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    topics(&kafka, &["--create", "--topic", "kept", "--partitions", "3"]);
    kafka.restart().unwrap();
    assert!(topics(&kafka, &["--list"]).contains("kept"));
    drop(kafka);
    stops(bootstrap.rsplit(':').next().unwrap());
}

#[test]
fn postgres_makes_databases_and_stops_when_dropped() {
    let postgres = Postgres::start_own().unwrap();
    let url = postgres.database("fresh").unwrap();
    let answer =
        Command::new("psql").args(["-X", "-t", "-d", &url, "-c", "SELECT current_database()"]).output();
    assert_eq!(String::from_utf8(answer.unwrap().stdout).unwrap().trim(), "fresh");
    let port = url.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
    drop(postgres);
    stops(&port);
}

/// What psql prints for a query; its complaint where it fails.
fn ask(url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new("psql").args(["-X", "-q", "-t", "-A", "-d", url, "-c", sql]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn postgres_keeps_what_was_committed_over_a_stop_that_breaks_its_connections() {
    let mut postgres = Postgres::start_own().unwrap();
    let url = postgres.database("kept").unwrap();
    ask(&url, "CREATE TABLE t AS SELECT 1 AS a").unwrap();
    let mut sleeper = Command::new("psql");
    sleeper.args(["-X", "-d", &url, "-c", "SELECT pg_sleep(60)"]);
    let sleeper = sleeper.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while ask(&url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(60)%'").unwrap() != "2" {
        assert!(begun.elapsed() < Duration::from_secs(20), "the sleeper does not connect");
    }
    postgres.stop().unwrap();
    let broken = sleeper.wait_with_output().unwrap();
    assert!(!broken.status.success());
    assert!(begun.elapsed() < Duration::from_secs(50), "the connection outlived the server");
    assert!(ask(&url, "SELECT 1").is_err());
    postgres.stop().unwrap();
    postgres.start_again().unwrap();
    postgres.start_again().unwrap();
    assert_eq!(ask(&url, "SELECT a FROM t").as_deref(), Ok("1"));
    ask(&url, "INSERT INTO t VALUES (2)").unwrap();
    postgres.restart().unwrap();
    assert_eq!(ask(&url, "SELECT sum(a) FROM t").as_deref(), Ok("3"));
}

#[test]
fn the_foreign_s3_answers() {
    let s3 = ForeignS3::start().unwrap();
    assert!(running(s3.endpoint().rsplit(':').next().unwrap()));
}

#[test]
fn moto_checks_keys_counts_messages_and_stops_when_dropped() {
    let moto = Moto::start().unwrap();
    let port = moto.endpoint().rsplit(':').next().unwrap().to_owned();
    moto.bucket("bucket", None).unwrap();
    let queue = moto.queue("queue").unwrap();
    assert_eq!(queue, format!("{}/123456789012/queue", moto.endpoint()));
    moto.notify("bucket", "queue").unwrap();
    moto.put("bucket", "a b.csv", "1").unwrap();
    assert_eq!(moto.messages(&queue).unwrap(), 2, "the test event and that of the object");
    let body = with_keys_of_nobody(&moto, "/bucket");
    assert!(body.starts_with("HTTP/1.1 403") && body.contains("InvalidAccessKeyId"), "{body}");
    moto.delete_queue(&queue).unwrap();
    assert!(moto.messages(&queue).unwrap_err().to_string().contains("NonExistentQueue"));
    drop(moto);
    stops(&port);
}

/// The answer to a GET that is signed with keys that moto has not given out.
fn with_keys_of_nobody(moto: &Moto, path: &str) -> String {
    let address = moto.endpoint().strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let signed = "AWS4-HMAC-SHA256 Credential=AKIANOBODY/20261123/us-east-1/s3/aws4_request, SignedHeaders=host, \
                  Signature=00";
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {signed}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Set in the process that the next test starts and kills.
const DOOMED: &str = "CORTEX_TEST_DOOMED";

#[test]
fn a_server_and_its_files_go_when_the_process_that_started_it_is_killed() {
    let myself = std::env::current_exe().unwrap();
    let files = tempfile::tempdir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(files.path(), mode).unwrap();
    let mut doomed = Command::new(myself)
        .args(["--exact", "a_process_that_is_to_be_killed", "--ignored", "--nocapture"])
        .env(DOOMED, "1")
        .env("TMPDIR", files.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(doomed.stdout.take().unwrap()).lines();
    let port = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("port=")?.1.to_owned()));
    let port = port.expect("the process says which port its server has");
    assert!(running(&port));
    let left = || std::fs::read_dir(files.path()).unwrap().count();
    assert_eq!(left(), 1);
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    stops(&port);
    let begun = Instant::now();
    while left() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the server's files are still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "started by the test above"]
fn a_process_that_is_to_be_killed() {
    if std::env::var_os(DOOMED).is_none() {
        return;
    }
    let postgres = Postgres::start_own().unwrap();
    let port = postgres.url().rsplit(':').next().unwrap().split('/').next().unwrap();
    println!("port={port}");
    std::thread::sleep(Duration::from_secs(60));
}
