//! What it says where it is called wrong. With a broker it is run by `tests/tests/consumers.rs`, for which cargo builds it since there
//! is this test.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn consume_events(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_consume-events")).args(arguments).output().unwrap()
}

#[test]
fn without_a_group_it_tells_how_it_is_called() {
    let output = consume_events(&["localhost:9092", "--until-end"]);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: consume-events HOST:PORT GROUP"));
}

#[test]
fn a_setting_without_a_value_is_named() {
    let output = consume_events(&["localhost:9092", "readers", "security.protocol"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("security.protocol: not NAME=VALUE"));
}
