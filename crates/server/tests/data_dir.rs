//! What the server does with a data directory that is not as it should be.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use common::{Running, refusal};

const LISTEN: &[&str] = &[
    "--listen",
    "/ip4/127.0.0.1/udp/0/webrtc-direct",
    "--data-dir",
    "data",
];

/// A data directory that a server has used.
fn used(folder: &Path) {
    let server = Running::start(folder, LISTEN);
    server.addresses(1);
    server.signal("TERM");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn is_private_and_has_no_scraps() {
    let folder = tempfile::tempdir().unwrap();
    used(folder.path());
    let data = folder.path().join("data");
    assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let mut names: Vec<_> = data
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["identity.key", "lock", "webrtc.pem"]);
    for secret in ["identity.key", "webrtc.pem"] {
        let mode = data.join(secret).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
}

#[test]
fn damaged_files_are_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    used(folder.path());
    let data = folder.path().join("data");
    for name in ["identity.key", "webrtc.pem"] {
        let path = data.join(name);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        // Inside the key, or inside the certificate's base64.
        flipped[whole.len() / 3] ^= 0x04;
        let damages: [&[u8]; 4] = [
            b"",
            &whole[..whole.len() / 2],
            b"not a key at all\n",
            &flipped,
        ];
        for damage in damages {
            fs::write(&path, damage).unwrap();
            let line = refusal(folder.path(), LISTEN);
            assert!(line.contains(&format!("data/{name} is damaged")), "{line}");
            assert!(line.contains("restore it from a backup"), "{line}");
        }
        fs::write(&path, whole).unwrap();
    }
    // Whole again, it starts again.
    used(folder.path());
}

#[test]
fn unreadable_in_many_ways() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), b"mine").unwrap();
    for name in [
        "key-is-folder",
        "lock-is-folder",
        "key-is-dangling",
        "large-key",
    ] {
        fs::create_dir(at(name)).unwrap();
    }
    // The lock file is there already, so that nothing may change.
    for name in ["key-is-folder", "key-is-dangling", "large-key"] {
        fs::write(at(name).join("lock"), b"").unwrap();
    }
    fs::create_dir(at("key-is-folder/identity.key")).unwrap();
    fs::create_dir(at("lock-is-folder/lock")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("key-is-dangling/identity.key")).unwrap();
    fs::write(at("large-key/identity.key"), vec![0; 1 << 20]).unwrap();
    for (dir, expected) in [
        ("file", "cannot use the data directory file"),
        ("file/below", "cannot use the data directory file/below"),
        (
            "/proc/nothing/here",
            "cannot use the data directory /proc/nothing/here",
        ),
        (
            "lock-is-folder",
            "cannot use the data directory lock-is-folder",
        ),
        (
            "key-is-folder",
            "cannot read key-is-folder/identity.key: not a regular file",
        ),
        (
            "key-is-dangling",
            "cannot read key-is-dangling/identity.key",
        ),
        (
            "large-key",
            "cannot read large-key/identity.key: larger than",
        ),
    ] {
        let line = refusal(
            folder.path(),
            &["--listen", "/ip4/127.0.0.1/tcp/0", "--data-dir", dir],
        );
        assert!(line.contains(expected), "{dir}: {line}");
    }
}

#[test]
fn no_permission() {
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may do everything, so there is nothing to see then.
    let is_root = fs::write(locked.join("probe"), b"").is_ok();
    if !is_root {
        let line = refusal(
            folder.path(),
            &[
                "--listen",
                "/ip4/127.0.0.1/tcp/0",
                "--data-dir",
                "locked/data",
            ],
        );
        assert!(
            line.contains("cannot use the data directory locked/data"),
            "{line}"
        );
    }
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), LISTEN);
    server.addresses(1);
    let line = refusal(folder.path(), LISTEN);
    assert!(
        line.contains("the data directory data is in use by another server"),
        "{line}"
    );
    server.signal("KILL");
    assert_eq!(server.end().0, None);
    // A killed server leaves no lock behind.
    used(folder.path());
}
