//! The numbers, as Prometheus gets them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use common::Running;
use libp2p::{Multiaddr, identity::Keypair, multiaddr::Protocol};
use mooring_server::{
    Config, Error, Server,
    node::{self, DialRequest, Path, Scope},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const TIMEOUT: Duration = Duration::from_secs(30);

/// What comes back for these bytes, until the other side ends.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    // Whoever sent too much may see a reset behind the answer.
    let _ = tokio::time::timeout(TIMEOUT, stream.read_to_string(&mut response))
        .await
        .expect("an end");
    response
}

/// The series with their values.
async fn scrape(address: SocketAddr) -> BTreeMap<String, f64> {
    let request =
        "GET /metrics HTTP/1.1\r\nHost: here\r\nAccept: application/openmetrics-text\r\n\r\n";
    let response = ask(address, request).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    assert!(
        head.contains(&format!("content-length: {}\r\n", body.len())),
        "{head}"
    );
    parse(body)
}

/// OpenMetrics' text: every sample belongs to a family that was described, and the end is marked.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut families: Vec<&str> = Vec::new();
    let mut series = BTreeMap::new();
    let mut ended = false;
    for line in text.lines() {
        assert!(!ended, "behind the end: {line}");
        if line == "# EOF" {
            ended = true;
        } else if let Some(described) = line.strip_prefix("# TYPE ") {
            families.push(described.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(
                families.iter().any(|family| name.starts_with(family)),
                "{name}"
            );
            let before = series.insert(name.to_owned(), value.parse().unwrap());
            assert_eq!(before, None, "twice: {name}");
        }
    }
    assert!(ended);
    series
}

async fn until(
    address: SocketAddr,
    what: &str,
    check: impl Fn(&BTreeMap<String, f64>) -> bool,
) -> BTreeMap<String, f64> {
    let start = Instant::now();
    loop {
        let series = scrape(address).await;
        if check(&series) {
            return series;
        }
        assert!(start.elapsed() < TIMEOUT, "{what}: {series:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn config() -> Config {
    let mut config = Config::in_memory();
    config.listen = vec!["/ip4/127.0.0.1/udp/0/webrtc-direct".parse().unwrap()];
    config.metrics = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config
}

fn client() -> node::Handle {
    let (handle, event_loop) = node::new(node::Config {
        allow_private_network: true,
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
        owner: Some(node::Owner::user()),
        scope: Scope::PRIVATE,
        timeout: TIMEOUT,
    };
    client.dial(request).await.unwrap()
}

#[tokio::test]
async fn numbers_move_as_two_nodes_meet() {
    let server = Server::start(config()).await.unwrap();
    let endpoint = server.metrics_address().unwrap();
    let relay = server.addresses().await.unwrap().remove(0);
    let inbound = r#"mooring_connections{transport="webrtc-direct",direction="inbound"}"#;
    let before = scrape(endpoint).await;
    assert_eq!(before.get(inbound), None);
    assert_eq!(before["mooring_relay_reservations"], 0.0);
    assert_eq!(before["mooring_relay_circuits_accepted_total"], 0.0);
    assert_eq!(
        before[r#"mooring_limit{name="relay-circuit-bytes"}"#],
        1_048_576.0
    );

    let (near, far) = (client(), client());
    dial(&near, &relay).await;
    until(endpoint, "reserved", |series| {
        series["mooring_relay_reservations"] == 1.0
    })
    .await;
    let address = relay
        .with(Protocol::P2pCircuit)
        .with(Protocol::WebRTC)
        .with(Protocol::P2p(near.local_peer_id()));
    let connection = dial(&far, &address).await;
    assert_eq!(connection.path, Path::Direct);
    let met = until(endpoint, "the circuit closed", |series| {
        series["mooring_relay_circuit_size_bytes_count"] == 1.0
    })
    .await;
    assert_eq!(met["mooring_relay_circuits_accepted_total"], 1.0);
    assert_eq!(met["mooring_relay_circuits"], 0.0);
    assert_eq!(met[inbound], 2.0);
    // Both ways, and less than 64 KiB for the pair.
    let toward = |end| met[&format!(r#"mooring_relay_circuit_bytes_total{{toward="{end}"}}"#)];
    let carried = toward("listener") + toward("dialer");
    assert!(toward("listener") > 1000.0 && toward("dialer") > 1000.0);
    assert!(carried < 65_536.0, "{carried}");
    assert_eq!(met["mooring_relay_circuit_size_bytes_sum"], carried);
    assert_eq!(
        met[r#"mooring_relay_circuit_size_bytes_bucket{le="65536.0"}"#],
        1.0
    );
    assert!(met["mooring_relay_circuit_seconds_sum"] > 0.0);
    // The direct connection needs the relay no more.
    far.ping(near.local_peer_id()).await.unwrap();

    near.shutdown().await;
    far.shutdown().await;
    let after = until(endpoint, "gone", |series| {
        series[inbound] == 0.0 && series["mooring_relay_reservations"] == 0.0
    })
    .await;
    let accepted = after[r#"mooring_relay_reservations_accepted_total{renewal="no"}"#];
    let ended = after[r#"mooring_relay_reservations_ended_total{reason="disconnected"}"#];
    assert!(accepted >= 1.0);
    assert_eq!(accepted, ended);
    // The names of those who met are in none of it.
    assert!(after.keys().all(|name| !name.contains("12D3Koo")));
    assert_eq!(parse(&server.metrics()).len(), after.len());
    server.shutdown().await;
    assert!(TcpStream::connect(endpoint).await.is_err());
}

#[tokio::test]
async fn only_metrics_are_told_and_requests_are_bounded() {
    let server = Server::start(config()).await.unwrap();
    let endpoint = server.metrics_address().unwrap();
    let long = format!("GET /metrics HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(20_000));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100));
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: here\r\n\r\n", "404 Not Found"),
        ("GET /metricsx HTTP/1.0\r\n\r\n", "404 Not Found"),
        ("GET /../metrics HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 OK"),
        (
            "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            "405 Method Not Allowed",
        ),
        ("hello\r\n\r\n", "400 Bad Request"),
        ("\u{0}\u{1}\u{2}", "400 Bad Request"),
        (&long, "431 Request Header Fields Too Large"),
        (&many, "431 Request Header Fields Too Large"),
    ] {
        let response = ask(endpoint, request).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{request:.40}: {response:.100}"
        );
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    }
    let head = ask(endpoint, "HEAD /metrics HTTP/1.1\r\n\r\n").await;
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    // One request a connection, however many are sent.
    let twice = "GET /none HTTP/1.1\r\n\r\n".repeat(2);
    assert_eq!(ask(endpoint, &twice).await.matches("HTTP/1.1").count(), 1);
    server.shutdown().await;
}

#[tokio::test]
async fn who_says_nothing_holds_nobody_up_for_long() {
    let server = Server::start(config()).await.unwrap();
    let endpoint = server.metrics_address().unwrap();
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(endpoint).await.unwrap();
        stream.write_all(b"GET /metrics HTT").await.unwrap();
        idle.push(stream);
    }
    // More than are served at once: it is their turn when the others' time is over.
    let start = Instant::now();
    scrape(endpoint).await;
    assert!(start.elapsed() > Duration::from_secs(3), "no bound");
    for mut stream in idle {
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut rest))
            .await
            .expect("an end");
        assert!(rest.is_empty());
    }
    server.shutdown().await;
}

#[tokio::test]
async fn an_address_in_use_is_an_error_before_anything_is_written() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    config.data_dir = Some(folder.path().join("data"));
    config.metrics = Some(taken.local_addr().unwrap());
    let error = Server::start(config).await.unwrap_err();
    assert!(matches!(error, Error::Metrics { .. }), "{error}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

/// The program, with what its flags and its file say.
#[tokio::test]
async fn the_program_offers_them_and_takes_its_limits() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("server.toml"),
        "metrics = \"127.0.0.1:0\"\nrelay-circuits = 7\nrelay-circuit-seconds = 40\ndata-dir = \"data\"\n",
    )
    .unwrap();
    let args = [
        "--config",
        "server.toml",
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
        "--relay-circuits=8",
        "--relay-reservations-per-ip",
        "9",
        "--webrtc-connections-per-host=10",
    ];
    let server = Running::start(folder.path(), &args);
    let endpoint: SocketAddr = server.stderr.until(|lines| {
        let line = lines.iter().find(|line| line.contains("metrics at"))?;
        let (_, behind) = line.split_once("address=")?;
        behind.split_whitespace().next()?.parse().ok()
    });
    let series = scrape(endpoint).await;
    for (name, value) in [
        ("relay-circuits", 8.0),
        ("relay-circuit-seconds", 40.0),
        ("relay-reservations-per-ip", 9.0),
        ("webrtc-connections-per-host", 10.0),
        ("relay-reservations", 1024.0),
    ] {
        let name = format!(r#"mooring_limit{{name="{name}"}}"#);
        assert_eq!(series[&name], value, "{name}");
    }
    assert_eq!(
        series[concat!(
            r#"mooring_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""}"#
        )],
        1.0
    );
    let line = common::refusal(
        &{
            let other = folder.path().join("other");
            std::fs::create_dir(&other).unwrap();
            other
        },
        &["--metrics", &endpoint.to_string(), "--data-dir", "data"],
    );
    assert!(
        line.contains(&format!("cannot offer metrics at {endpoint}: ")),
        "{line}"
    );
}
