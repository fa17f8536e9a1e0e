//! An S3 endpoint's answers pass as they are, or break by rule.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use services::{ForeignS3, Match, Operation, S3Fault, S3Proxy};

/// What a connection brought after a request.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// Lines of the head as they came.
    head: Vec<String>,
    body: Vec<u8>,
    /// How the body ended before its announced length.
    broken: Option<ErrorKind>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// Keys of a listing's page.
    fn keys(&self) -> Vec<String> {
        let text = self.text();
        text.split("<Key>").skip(1).map(|rest| rest.split_once('<').unwrap().0.to_owned()).collect()
    }
}

/// The lines of a head, without the empty one behind it.
fn head(reader: &mut impl BufRead) -> std::io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

/// The value of a header, by its name in lower case.
fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let fields = head.iter().filter_map(|line| line.split_once(": "));
    fields.into_iter().find(|(key, _)| key.to_lowercase() == name).map(|(_, value)| value)
}

/// Sends a request on a connection of its own; an error is one without an answer.
fn ask(endpoint: &str, request: &str, more: &str, body: &[u8]) -> Result<Answer, Error> {
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "{request} HTTP/1.1\r\nHost: signed.example:1\r\n{more}\r\n")?;
    stream.write_all(body)?;
    let mut reader = BufReader::new(stream);
    let head = head(&mut reader)?;
    let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    let length = if request.starts_with("HEAD") { 0 } else { length };
    let (mut body, mut broken) = (Vec::new(), None);
    while body.len() < length {
        let mut byte = [0];
        match reader.read(&mut byte) {
            Ok(0) => broken = Some(ErrorKind::UnexpectedEof),
            Ok(_) => body.extend(byte),
            Err(error) => broken = Some(error.kind()),
        }
        if broken.is_some() {
            break;
        }
    }
    Ok(Answer { status, head, body, broken })
}

fn get(proxy: &S3Proxy, path: &str) -> Result<Answer, Error> {
    ask(&proxy.endpoint(), &format!("GET {path}"), "", b"")
}

/// The bytes of `/b/…`.
fn object() -> Vec<u8> {
    (0..300_000_u32).map(|at| (at % 251) as u8).collect()
}

/// A server of one object, of a listing in three pages, and of whatever is put, which it gives back behind the request's
/// head. Its threads end with the process.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream));
        }
    });
    endpoint
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Ok(head) = head(&mut reader) {
        let mut sent = vec![0; header(&head, "content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut sent).unwrap();
        let [method, target] = [0, 1].map(|at| head[0].split(' ').nth(at).unwrap());
        let range = header(&head, "range").map(|range| range["bytes=".len()..].trim_end_matches('-'));
        let body = match method {
            "PUT" => [head.join("\n").into_bytes(), sent].concat(),
            _ if target.contains("list-type=2") => page(target).into_bytes(),
            _ => object().split_off(range.map_or(0, |from| from.parse().unwrap())),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nx-amz-Checksum-crc32: AAAA\r\n\r\n",
            body.len()
        );
        let body = if method == "HEAD" { &[] } else { &*body };
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_err() {
            return;
        }
    }
}

/// Pages of a, b; c, d; e.
fn page(target: &str) -> String {
    let (keys, next) = match target.rsplit_once("continuation-token=") {
        None => (&["a", "b"][..], "1+&amp;="),
        Some((_, "1%2B%26%3D")) => (&["c", "d"][..], "2"),
        Some((_, "2")) => (&["e"][..], ""),
        Some((_, other)) => panic!("no page {other}"),
    };
    let contents: String = keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
    let next = match next {
        "" => "<IsTruncated>false</IsTruncated>".to_owned(),
        next => {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>")
        }
    };
    let count = keys.len();
    format!("<ListBucketResult><KeyCount>{count}</KeyCount>{next}{contents}</ListBucketResult>")
}

fn proxy() -> S3Proxy {
    S3Proxy::start(&upstream()).unwrap()
}

fn injected(proxy: &S3Proxy) -> Vec<(&'static str, u64)> {
    proxy.faults_injected().into_iter().collect()
}

#[test]
fn requests_and_answers_pass_as_they_are() {
    let proxy = proxy();
    let more = "X-Amz-Date: 1\r\nContent-Length: 3\r\n";
    let put = ask(&proxy.endpoint(), "PUT /b/a%20b?x=%2F&y", more, b"abc").unwrap();
    assert_eq!(
        put.text(),
        "PUT /b/a%20b?x=%2F&y HTTP/1.1\nHost: signed.example:1\nX-Amz-Date: 1\nContent-Length: 3abc"
    );
    let got = ask(&proxy.endpoint(), "GET /b/k", "Range: bytes=299000-\r\n", b"").unwrap();
    assert!(got.body == object()[299_000..] && got.broken.is_none());
    assert!(got.head.contains(&"x-amz-Checksum-crc32: AAAA".to_owned()), "{:?}", got.head);
    let headed = ask(&proxy.endpoint(), "HEAD /b/k", "", b"").unwrap();
    assert_eq!(header(&headed.head, "content-length"), Some("300000"));

    let seen = proxy.requests();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.as_str(), seen[0].query.as_str()),
        ("PUT", "/b/a%20b", "x=%2F&y")
    );
    assert_eq!((seen[1].range.as_deref(), seen[1].status), (Some("bytes=299000-"), Some(200)));
    assert_eq!(seen.len(), 3);
    assert_eq!(proxy.bytes_served(), (put.body.len() + 1_000) as u64);
    assert_eq!(injected(&proxy), []);
}

#[test]
fn a_status_is_answered_as_often_as_asked_to_the_requests_that_fit() {
    let proxy = proxy();
    let slow = S3Fault::Status { status: 503, code: "SlowDown" };
    proxy.break_next(Match::part(Operation::GetObject, "day=1/"), 2, slow);
    assert_eq!(get(&proxy, "/b/day=2/k").unwrap().status, 200);
    for _ in 0..2 {
        let refused = get(&proxy, "/b/day%3D1/k").unwrap();
        assert_eq!(refused.status, 503);
        assert!(refused.text().contains("<Error><Code>SlowDown</Code><Message>"), "{}", refused.text());
    }
    assert_eq!(get(&proxy, "/b/day=1/k").unwrap().status, 200);
    proxy.break_next(Operation::HeadObject, 1, S3Fault::Status { status: 404, code: "NoSuchKey" });
    assert_eq!(ask(&proxy.endpoint(), "HEAD /b/k", "", b"").unwrap().status, 404);
    proxy.break_next(Operation::Any, u32::MAX, S3Fault::Status { status: 403, code: "AccessDenied" });
    assert_eq!(get(&proxy, "/b?list-type=2").unwrap().status, 403);
    proxy.clear();
    assert_eq!(get(&proxy, "/b?list-type=2").unwrap().status, 200);
    let statuses: Vec<_> = proxy.requests().into_iter().filter_map(|seen| seen.status).collect();
    assert_eq!(statuses, [200, 503, 503, 200, 404, 403, 200]);
    assert_eq!(injected(&proxy), [("Status", 4)]);
}

#[test]
fn a_body_breaks_off_after_so_many_bytes_by_a_reset_or_by_an_end() {
    let proxy = proxy();
    for bytes in [0, 1, 100_000] {
        proxy.break_next(Operation::GetObject, 1, S3Fault::ResetAfter(bytes));
        let got = get(&proxy, "/b/k").unwrap();
        assert_eq!((got.status, got.broken), (200, Some(ErrorKind::ConnectionReset)));
        assert!(got.body == object()[..bytes as usize], "{} of {bytes}", got.body.len());

        proxy.break_next(Operation::GetObject, 1, S3Fault::ShortBody(bytes));
        let got = get(&proxy, "/b/k").unwrap();
        assert_eq!((got.status, got.broken), (200, Some(ErrorKind::UnexpectedEof)));
        assert_eq!(header(&got.head, "content-length"), Some("300000"));
        assert!(got.body == object()[..bytes as usize], "{} of {bytes}", got.body.len());
    }
    proxy.break_next(Operation::GetObject, 1, S3Fault::ResetAfter(300_000));
    assert!(get(&proxy, "/b/k").unwrap().body == object());
    proxy.break_next(Operation::ListObjectsV2, 1, S3Fault::ShortBody(20));
    assert_eq!(get(&proxy, "/b?list-type=2").unwrap().body.len(), 20);
    proxy.break_next(Operation::HeadObject, 1, S3Fault::ResetAfter(5));
    assert!(ask(&proxy.endpoint(), "HEAD /b/k", "", b"").is_err());
    assert_eq!(injected(&proxy), [("ResetAfter", 4), ("ShortBody", 4)]);
}

#[test]
fn a_silence_lasts_and_then_the_connection_closes() {
    let proxy = proxy();
    let lasting = Duration::from_millis(300);
    proxy.break_next(Operation::GetObject, 1, S3Fault::SilenceAfter { bytes: 70_000, lasting });
    let begun = Instant::now();
    let got = get(&proxy, "/b/k").unwrap();
    assert!(begun.elapsed() >= lasting);
    assert_eq!((got.body.len(), got.broken), (70_000, Some(ErrorKind::UnexpectedEof)));
    // One that still lasts does not hold up the end.
    let lasting = Duration::from_secs(600);
    proxy.break_next(Operation::GetObject, 1, S3Fault::SilenceAfter { bytes: 0, lasting });
    let endpoint = proxy.endpoint();
    let silent = std::thread::spawn(move || ask(&endpoint, "GET /b/k", "", b"").unwrap());
    while proxy.faults_injected()["SilenceAfter"] < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(proxy);
    assert!(silent.join().unwrap().body.is_empty());
}

#[test]
fn one_byte_is_altered_and_an_answer_is_delayed() {
    let proxy = proxy();
    proxy.break_next(Operation::GetObject, 1, S3Fault::AlterByte(250_001));
    let mut altered = get(&proxy, "/b/k").unwrap().body;
    altered[250_001] ^= 1;
    assert!(altered == object());
    proxy.break_next(Operation::GetObject, 1, S3Fault::AlterByte(300_000));
    assert!(get(&proxy, "/b/k").unwrap().body == object());
    let time = Duration::from_millis(300);
    proxy.break_next(Operation::GetObject, 1, S3Fault::Delay(time));
    let begun = Instant::now();
    assert!(get(&proxy, "/b/k").unwrap().body == object());
    assert!(begun.elapsed() >= time);
    assert_eq!(injected(&proxy), [("AlterByte", 1), ("Delay", 1)]);
}

#[test]
fn a_repeated_page_comes_in_front_of_the_next_and_the_listing_goes_on() {
    let proxy = proxy();
    proxy.break_next(Operation::ListObjectsV2, 1, S3Fault::RepeatPage);
    let first = get(&proxy, "/b/?list-type=2&prefix=p").unwrap();
    assert_eq!(first.keys(), ["a", "b"]);
    let second = get(&proxy, "/b/?list-type=2&prefix=p&continuation-token=1%2B%26%3D").unwrap();
    assert_eq!(second.keys(), ["a", "b", "c", "d"]);
    let text = second.text();
    assert!(text.contains("<KeyCount>4<") && text.contains("<NextContinuationToken>2<"), "{text}");
    proxy.break_next(Match::part(Operation::ListObjectsV2, "p"), 1, S3Fault::RepeatPage);
    let third = get(&proxy, "/b/?list-type=2&prefix=p&continuation-token=2").unwrap();
    assert_eq!(third.keys(), ["c", "d", "e"]);
    assert_eq!(injected(&proxy), [("RepeatPage", 2)]);
}

#[test]
fn skipped_keys_are_missing_from_their_page() {
    let proxy = proxy();
    proxy.break_next(Operation::Any, 2, S3Fault::SkipKeys(1));
    get(&proxy, "/b/k").unwrap();
    assert_eq!(get(&proxy, "/b/?list-type=2").unwrap().keys(), ["b"]);
    assert!(get(&proxy, "/b/?list-type=2&continuation-token=2").unwrap().keys().is_empty());
    assert_eq!(get(&proxy, "/b/?list-type=2").unwrap().keys(), ["a", "b"]);
    assert_eq!(injected(&proxy), [("SkipKeys", 2)]);
}

#[test]
fn without_an_upstream_the_connection_closes() {
    let proxy = S3Proxy::start("http://127.0.0.1:1").unwrap();
    assert!(get(&proxy, "/b/k").is_err());
    assert_eq!(proxy.requests()[0].status, None);
    assert!(S3Proxy::start("https://127.0.0.1:1").is_err());
}

#[test]
fn the_foreign_s3_refuses_an_unsigned_request_in_its_own_words() {
    let s3 = ForeignS3::start().unwrap();
    let proxy = S3Proxy::start(s3.endpoint()).unwrap();
    let (direct, passed) = (ask(s3.endpoint(), "GET /b/k", "", b"").unwrap(), get(&proxy, "/b/k").unwrap());
    assert_eq!((passed.status, passed.text().contains("<Code>")), (direct.status, true));
}
