//! Start, addresses, restart and end of the real binary.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::net::{TcpListener, UdpSocket};

use common::{Running, part, refusal, snapshot};

const ALL: &[&str] = &[
    "--listen",
    "/ip4/127.0.0.1/udp/0/webrtc-direct",
    "--listen",
    "/ip4/127.0.0.1/tcp/0/ws",
    "--listen",
    "/ip4/127.0.0.1/tcp/0",
    "--data-dir",
    "data",
];

#[test]
fn prints_full_addresses_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), ALL);
    let addresses = server.addresses(3);
    let peer = part(&addresses[0], "p2p");
    for address in &addresses {
        assert!(address.ends_with(&format!("/p2p/{peer}")), "{address}");
        let port = part(
            address,
            if address.contains("/udp/") {
                "udp"
            } else {
                "tcp"
            },
        );
        assert_ne!(port, "0", "{address}");
    }
    for shape in ["/webrtc-direct/certhash/uEi", "/ws/p2p/"] {
        let with = addresses.iter().filter(|address| address.contains(shape));
        assert_eq!(with.count(), 1, "{shape} {addresses:?}");
    }
    server.signal("TERM");
    let (code, stdout, stderr) = server.end();
    assert_eq!(code, Some(0), "{stderr:#?}");
    assert_eq!(stdout.len(), 3, "{stdout:?}");
    assert!(
        stderr
            .iter()
            .any(|line| line.contains("ending") && line.contains("SIGTERM"))
    );
}

#[test]
fn ctrl_c_ends_it_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), ALL);
    server.addresses(3);
    server.signal("INT");
    let (code, _, stderr) = server.end();
    assert_eq!(code, Some(0), "{stderr:#?}");
    assert!(
        stderr
            .iter()
            .any(|line| line.contains("ending") && line.contains("SIGINT"))
    );
}

#[test]
fn an_external_address_is_printed_as_others_need_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = ALL[..2].to_vec();
    args.extend(&ALL[6..]);
    let external = "/ip4/192.0.2.1/udp/4815/webrtc-direct";
    args.extend(["--external", external]);
    let server = Running::start(folder.path(), &args);
    let addresses = server.addresses(2);
    let (local, public) = (&addresses[0], &addresses[1]);
    assert!(local.starts_with("/ip4/127.0.0.1/"), "{addresses:?}");
    let name = local.split_once("/webrtc-direct").unwrap().1;
    assert_eq!(public, &format!("{external}{name}"));
}

/// What docs/operating-a-server.md gives to copy is what the program takes.
#[test]
fn the_documented_file_works() {
    let text = include_str!("../../../docs/operating-a-server.md");
    let (_, behind) = text.split_once("```toml\n").unwrap();
    let (file, _) = behind.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Elsewhere, at ports that are free.
    let file = file
        .replace("/var/lib/mooring-server", "state")
        .replace("9464", "0")
        .replace("/ip4/0.0.0.0/udp/4815", "/ip4/127.0.0.1/udp/0")
        .replace("/ip4/0.0.0.0/tcp/4815", "/ip4/127.0.0.1/tcp/0");
    std::fs::write(folder.path().join("server.toml"), &file).unwrap();
    let server = Running::start(folder.path(), &["--config", "server.toml"]);
    let addresses = server.addresses(3);
    assert!(
        addresses
            .iter()
            .any(|address| address.starts_with("/ip4/203.0.113.7/udp/4815/webrtc-direct/certhash/")),
        "{addresses:?}"
    );
    assert!(folder.path().join("state/identity.key").exists());
}

#[test]
fn restart_keeps_peer_id_and_certhash() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for signal in ["TERM", "INT", "KILL", "TERM"] {
        let server = Running::start(folder.path(), ALL);
        let addresses = server.addresses(3);
        seen.push((part(&addresses[2], "p2p"), part(&addresses[2], "certhash")));
        server.signal(signal);
        assert_eq!(server.end().0, (signal != "KILL").then_some(0), "{signal}");
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[test]
fn a_port_in_use_is_named() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = tcp.local_addr().unwrap().port();
    let udp_port = udp.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    for address in [
        format!("/ip4/127.0.0.1/udp/{udp_port}/webrtc-direct"),
        format!("/ip4/127.0.0.1/tcp/{tcp}"),
        format!("/ip4/127.0.0.1/tcp/{tcp}/ws"),
        // Of a network for documentation: no machine has it.
        "/ip4/192.0.2.1/tcp/0".into(),
        "/ip4/192.0.2.1/udp/0/webrtc-direct".into(),
    ] {
        std::fs::create_dir_all(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data/lock"), b"").unwrap();
        let good = "/ip4/127.0.0.1/tcp/0";
        let line = refusal(
            folder.path(),
            &["--listen", good, "--listen", &address, "--data-dir", "data"],
        );
        assert!(
            line.contains(&format!("cannot listen on {address}: ")),
            "{line}"
        );
        assert!(line.contains("free it, or listen elsewhere"), "{line}");
    }
}

#[test]
fn flags_win_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("etc")).unwrap();
    std::fs::write(
        folder.path().join("etc/server.toml"),
        "listen = [\"/ip4/127.0.0.1/tcp/0/ws\"]\ndata-dir = \"state\"\nlog-format = \"json\"\n",
    )
    .unwrap();
    let server = Running::start(folder.path(), &["--config", "etc/server.toml"]);
    assert!(server.addresses(1)[0].contains("/ws/p2p/"));
    server.stderr.until(|lines| {
        lines
            .iter()
            .find(|line| line.starts_with('{') && line.contains("\"started\""))
            .cloned()
    });
    drop(server);
    assert!(folder.path().join("etc/state/identity.key").exists());

    let server = Running::start(
        folder.path(),
        &[
            "--config",
            "etc/server.toml",
            "--listen",
            "/ip4/127.0.0.1/tcp/0",
            "--data-dir",
            "other",
        ],
    );
    assert!(!server.addresses(1)[0].contains("/ws"));
    assert!(folder.path().join("other/identity.key").exists());
}

#[test]
fn data_goes_where_the_platform_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), &["--listen", "/ip4/127.0.0.1/tcp/0"]);
    server.addresses(1);
    let keys: Vec<_> = snapshot(folder.path())
        .into_keys()
        .filter(|path| path.ends_with("identity.key"))
        .collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    #[cfg(target_os = "linux")]
    assert!(
        keys[0].ends_with(".local/share/mooring-server/identity.key"),
        "{keys:?}"
    );
}
