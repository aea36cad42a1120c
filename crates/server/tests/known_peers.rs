//! What the server remembers of others, over restarts and kills.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::{fs, path::Path, thread, time::Duration};

use common::{PATIENCE, Running, part};

const LISTEN: &[&str] = &["--listen", "/ip4/127.0.0.1/tcp/0", "--data-dir", "data"];

fn start(folder: &Path, bootstrap: &str) -> Running {
    let mut args = LISTEN.to_vec();
    args.extend(["--bootstrap", bootstrap]);
    Running::start(folder, &args)
}

/// Until the file names this peer.
fn names(file: &Path, peer: &str) {
    let start = std::time::Instant::now();
    while !fs::read_to_string(file).is_ok_and(|text| text.contains(peer)) {
        assert!(start.elapsed() < PATIENCE, "{peer} is not in {file:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn meets(server: &Running, peer: &str) {
    server.stderr.until(|lines| {
        lines
            .iter()
            .any(|line| line.contains("connection opened") && line.contains(peer))
            .then_some(())
    });
}

#[test]
fn a_killed_server_comes_back_to_whom_it_knew() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let other = Running::start(folders[0].path(), LISTEN);
    let address = other.addresses(1).remove(0);
    let peer = part(&address, "p2p");
    let file = folders[1].path().join("data/peers");
    let first = start(folders[1].path(), &address);
    let own = part(&first.addresses(1)[0], "p2p");
    names(&file, &peer);
    first.signal("KILL");
    first.end();

    // Its bootstrap peer is somebody who is not there; that it is private says that others may be.
    let nobody = format!("/ip4/127.0.0.1/tcp/1/p2p/{own}").replace(&own, &{
        let third = tempfile::tempdir().unwrap();
        let server = Running::start(third.path(), LISTEN);
        part(&server.addresses(1)[0], "p2p")
    });
    // What a kill in mid-write leaves behind goes.
    let scrap = folders[1].path().join("data/.new-torn");
    fs::write(&scrap, "half").unwrap();
    let again = start(folders[1].path(), &nobody);
    assert_eq!(part(&again.addresses(1)[0], "p2p"), own);
    meets(&again, &peer);
    assert!(!scrap.exists());
    again.signal("TERM");
    assert_eq!(again.end().0, Some(0));
    names(&file, &peer);

    // Damaged, it is put aside, and the server is the same without it.
    fs::write(&file, "damaged").unwrap();
    let third = start(folders[1].path(), &nobody);
    assert_eq!(part(&third.addresses(1)[0], "p2p"), own);
    third.stderr.until(|lines| {
        lines
            .iter()
            .any(|line| line.contains("starting without them"))
            .then_some(())
    });
    let aside = folders[1].path().join("data/peers.damaged");
    assert_eq!(fs::read_to_string(aside).unwrap(), "damaged");
}
