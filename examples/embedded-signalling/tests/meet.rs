//! The program as it is, and two nodes that meet over it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    io::{BufRead, BufReader, Read},
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, identity::Keypair, multiaddr::Protocol};
use mooring_server::node::{self, DialRequest, Owner, Path as Way, Scope};

const PATIENCE: Duration = Duration::from_secs(60);

/// The program, which is killed if it does not end.
struct Program(Child);

impl Program {
    fn start(folder: &Path) -> (Self, Multiaddr) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_embedded-signalling"))
            .args(["data", "/ip4/127.0.0.1/udp/0/webrtc-direct"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        (Self(child), line.trim().parse().unwrap())
    }

    /// As Ctrl-C does; what it said.
    fn interrupt(mut self) -> String {
        let kill = format!("kill -INT {}", self.0.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut said = String::new();
        self.0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert!(status.success(), "{status} {said}");
        said
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn client() -> node::Handle {
    let (handle, event_loop) = node::new(node::Config {
        allow_private_network: true,
        // The machine's own network is not for tests.
        webrtc_addresses: Some(vec![IpAddr::from(Ipv4Addr::LOCALHOST)]),
        ..node::Config::client(Keypair::generate_ed25519())
    })
    .unwrap();
    tokio::spawn(event_loop.run());
    handle
}

async fn dial(client: &node::Handle, address: &Multiaddr) -> node::Connection {
    let request = DialRequest {
        peer: None,
        addresses: vec![address.clone()],
        owner: Some(Owner::user()),
        scope: Scope::PRIVATE,
        timeout: PATIENCE,
    };
    client.dial(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_meet_over_it_and_go_on_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let (program, address) = Program::start(folder.path());
    let (near, far) = (client(), client());
    dial(&near, &address).await;
    let reachable = async {
        loop {
            let own = near.addresses().await.unwrap();
            let found = own
                .into_iter()
                .find(|own| own.iter().any(|part| part == Protocol::WebRTC));
            if let Some(found) = found {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let reachable = tokio::time::timeout(PATIENCE, reachable).await.unwrap();
    let connection = dial(&far, &reachable).await;
    assert_eq!(connection.peer, near.local_peer_id());
    assert_eq!(connection.path, Way::Direct);
    let said = program.interrupt();
    assert!(
        said.lines()
            .any(|line| line == "mooring_relay_circuits_accepted_total 1"),
        "{said}"
    );
    far.ping(near.local_peer_id()).await.unwrap();

    // Started again it is the same one.
    let (again, same) = Program::start(folder.path());
    let name = |address: &Multiaddr| {
        let parts = address
            .iter()
            .filter(|part| !matches!(part, Protocol::Udp(_)));
        parts.collect::<Multiaddr>()
    };
    assert_eq!(name(&same), name(&address));
    again.interrupt();
}
