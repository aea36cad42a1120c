//! The program as a person starts it.
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use home_shared::Link;

/// Ends with the test, however that ends.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it in a folder; what its first link is.
fn start(folder: &Path) -> Link {
    let child = Command::new(env!("CARGO_BIN_EXE_home-server"))
        .arg(folder)
        .arg("/ip4/127.0.0.1/udp/0/webrtc-direct")
        .stdout(Stdio::piped())
        .spawn();
    let mut program = Program(child.unwrap());
    let mut line = String::new();
    let out = program.0.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    line.parse().unwrap()
}

#[test]
fn a_folder_keeps_its_link() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    let (first, second) = (start(&notes), start(&notes));
    assert!(first.is_private() && first.key.len() == 64);
    // The port was any free one; who it is and what opens it stay.
    let peer = |link: &Link| {
        link.address
            .split_once("/certhash/")
            .map(|(_, rest)| rest.to_owned())
    };
    assert_eq!((peer(&first), &first.key), (peer(&second), &second.key));
    assert!(peer(&first).is_some());
}
