//! The program, as the benchmarks start it.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn prints_its_address_and_ends_with_its_stdin() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_mooring-bench-server"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(
        line.starts_with("/ip4/127.0.0.1/udp/") && line.contains("/webrtc-direct/certhash/"),
        "{line}"
    );
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());
}
