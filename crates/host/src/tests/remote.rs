//! A real node as the other end, and what is said on a stream port.

use std::time::Duration;

use futures::StreamExt;
use libp2p::{PeerId, StreamProtocol, identity::Keypair};
use mooring_node::{Config, Handle, ListenerEvent, OpenStream, Services};
use serde_json::json;

use super::support::{Page, World};
use crate::Value;

pub(crate) const SITE: &str = "https://site.example";
pub(crate) const ECHO: &str = "/mooring/echo/1.0.0";

/// A server on loopback, and one of its addresses.
pub(crate) async fn server() -> (Handle, String) {
    let mut config = Config::server(Keypair::generate_ed25519());
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    config.allow_private_network = true;
    config.services = Services {
        echo: true,
        ..config.services
    };
    let (handle, event_loop) = mooring_node::new(config).unwrap();
    tokio::task::spawn_local(event_loop.run());
    let mut listeners = handle.listeners().await.unwrap();
    let Some(ListenerEvent::New(address)) = listeners.next().await else {
        panic!("not listening");
    };
    (handle, address.to_string())
}

pub(crate) async fn connected(
    world: &World,
    permissions: serde_json::Value,
) -> (Page, Handle, String) {
    world.node_is("online").await;
    let (server, address) = server().await;
    let page = world.page(SITE);
    world.grant(&page, permissions).await;
    let dialed = page
        .call("connections.dial", json!({"addresses": [address]}))
        .await
        .unwrap();
    let peer = server.local_peer_id().to_string();
    assert_eq!(dialed["connection"]["peerId"], peer);
    assert_eq!(dialed["connection"]["direction"], "outbound");
    assert_eq!(dialed["connection"]["path"], "direct");
    (page, server, peer)
}

pub(crate) fn private(protocols: &[&str]) -> serde_json::Value {
    json!([
        {"name": "peers"},
        {"name": "dial", "privateNetwork": true},
        {"name": "streams", "protocols": protocols}
    ])
}

pub(crate) fn credit(bytes: u32) -> Value {
    Value::object([
        ("type", Value::text("credit")),
        ("bytes", Value::Number(bytes.into())),
    ])
}

pub(crate) fn say(kind: &str) -> Value {
    Value::object([("type", Value::text(kind))])
}

pub(crate) fn data(bytes: Vec<u8>) -> Value {
    Value::object([
        ("type", Value::text("data")),
        ("bytes", Value::Bytes(bytes)),
    ])
}

pub(crate) fn kind(message: &Value) -> &str {
    message.get("type").and_then(Value::as_text).unwrap()
}

/// The node under test, as the server sees it, which may be a moment later.
pub(crate) async fn only_peer(server: &Handle) -> PeerId {
    let connected = async {
        loop {
            if let [connection] = server.connections().await.unwrap().as_slice() {
                return connection.peer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::support::SOON, connected)
        .await
        .expect("a connection")
}

/// A stream of `/chat/1` to the node under test.
pub(crate) fn chat(node: PeerId) -> OpenStream {
    OpenStream {
        peer: node,
        protocols: vec![StreamProtocol::new("/chat/1")],
        allow_relayed: true,
        dial: None,
        owner: None,
        timeout: Duration::from_secs(5),
    }
}
