//! A wire passes bytes on, and breaks as it is told.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use services::TcpProxy;

/// Answers every connection with what it sends. Its threads end with the process.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut answers = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut &stream, &mut answers);
                let _ = answers.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

fn connect(proxy: &TcpProxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// What comes back for the bytes.
fn ask(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(bytes)?;
    let mut answer = vec![0; bytes.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// True where nothing comes for a while and the connection stays open.
fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let read = stream.read(&mut [0]);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

/// Waits for the connection's end; true where it was a reset.
fn is_reset(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn bytes_and_ends_pass_both_ways() {
    let proxy = TcpProxy::start(&echo()).unwrap();
    let mut stream = connect(&proxy);
    let sent: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
    let mut writer = stream.try_clone().unwrap();
    let bytes = sent.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    writing.join().unwrap();
    assert!(answer == sent);
}

#[test]
fn a_cut_resets_open_connections_and_lets_new_ones_pass() {
    let proxy = TcpProxy::start(&echo()).unwrap();
    let mut open = connect(&proxy);
    ask(&mut open, b"a").unwrap();
    proxy.cut();
    assert!(is_reset(&mut open));
    assert_eq!(ask(&mut connect(&proxy), b"b").unwrap(), b"b");
}

#[test]
fn a_refusal_resets_open_connections_and_new_ones_until_it_passes() {
    let proxy = TcpProxy::start(&echo()).unwrap();
    let mut open = connect(&proxy);
    ask(&mut open, b"a").unwrap();
    proxy.refuse();
    assert!(is_reset(&mut open));
    assert!(ask(&mut connect(&proxy), b"b").is_err());
    proxy.pass();
    assert_eq!(ask(&mut connect(&proxy), b"c").unwrap(), b"c");
}

#[test]
fn a_stalled_wire_holds_bytes_and_ends_and_loses_none() {
    let proxy = TcpProxy::start(&echo()).unwrap();
    let mut open = connect(&proxy);
    ask(&mut open, b"a").unwrap();
    proxy.stall();
    let mut new = connect(&proxy);
    open.write_all(b"bc").unwrap();
    open.shutdown(Shutdown::Write).unwrap();
    new.write_all(b"d").unwrap();
    assert!(is_silent(&mut open) && is_silent(&mut new));
    proxy.pass();
    let mut answer = String::new();
    open.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "bc");
    new.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_stalled_connection_can_be_cut() {
    let proxy = TcpProxy::start(&echo()).unwrap();
    let mut open = connect(&proxy);
    ask(&mut open, b"a").unwrap();
    proxy.stall();
    open.write_all(b"b").unwrap();
    assert!(is_silent(&mut open));
    proxy.cut();
    assert!(is_reset(&mut open));
}

#[test]
fn a_delay_is_waited_for_both_ways_until_it_is_lifted() {
    let proxy = TcpProxy::start(&echo()).unwrap();
    let mut stream = connect(&proxy);
    let each = Duration::from_millis(150);
    proxy.delay(each);
    let begun = Instant::now();
    assert_eq!(ask(&mut stream, b"a").unwrap(), b"a");
    assert!(begun.elapsed() >= 2 * each, "{:?}", begun.elapsed());
    proxy.delay(Duration::from_secs(600));
    stream.write_all(b"b").unwrap();
    assert!(is_silent(&mut stream));
    proxy.pass();
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn one_bit_of_the_chosen_byte_is_flipped_once() {
    let proxy = TcpProxy::start(&echo()).unwrap();
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, b"before").unwrap(), b"before");
    proxy.corrupt_next(5);
    assert_eq!(ask(&mut stream, b"aaa").unwrap(), b"aaa");
    assert_eq!(ask(&mut stream, b"aaaa").unwrap(), b"aa`a");
    assert_eq!(ask(&mut stream, b"aaaaaaaaaa").unwrap(), b"aaaaaaaaaa");
}

#[test]
fn without_an_upstream_a_connection_is_reset_and_the_next_one_finds_it_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let proxy = TcpProxy::start(&address).unwrap();
    assert!(is_reset(&mut connect(&proxy)));
    let listener = TcpListener::bind(&address).unwrap();
    let mut stream = connect(&proxy);
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(b"a").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert!(TcpProxy::start("localhost").is_err());
}

#[test]
fn its_connections_and_its_port_go_when_it_is_dropped() {
    let proxy = TcpProxy::start(&echo()).unwrap();
    let address = proxy.address();
    let mut stream = connect(&proxy);
    ask(&mut stream, b"a").unwrap();
    proxy.stall();
    stream.write_all(b"b").unwrap();
    drop(proxy);
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    assert!(TcpStream::connect(address).is_err());
}
