//! A peer that met this node at private addresses, and the grants that let it.

use std::net::Ipv4Addr;

use futures::AsyncReadExt;
use libp2p::{Multiaddr, StreamProtocol, identity::Keypair, multiaddr::Protocol};
use mooring_node::{Config, DialRequest, Handle, OpenStream, Owner, Path, Scope};
use serde_json::json;

use super::{
    remote::{SITE, private, server},
    support::{Page, SOON, World, run, until},
};

const CHAT: &str = "/chat/1.0.0";

/// A node of somebody else, who may reach private networks.
fn visitor() -> Handle {
    let config = Config {
        allow_private_network: true,
        webrtc_addresses: Some(vec![Ipv4Addr::LOCALHOST.into()]),
        ..Config::client(Keypair::generate_ed25519())
    };
    let (handle, event_loop) = mooring_node::new(config).unwrap();
    tokio::task::spawn_local(event_loop.run());
    handle
}

/// Where the page's node is reached by `/webrtc`.
async fn address(page: &Page) -> Multiaddr {
    until("an address", async || {
        let own = page.call("identity.get", json!({})).await.unwrap();
        let addresses = own["addresses"].as_array().unwrap().clone();
        addresses
            .iter()
            .map(|address| address.as_str().unwrap().parse::<Multiaddr>().unwrap())
            .find(|address| address.iter().any(|part| part == Protocol::WebRTC))
    })
    .await
}

/// The ids of its direct connections to the page's node.
async fn direct(visitor: &Handle, to: libp2p::PeerId) -> Vec<String> {
    let all = visitor.connections().await.unwrap();
    all.into_iter()
        .filter(|c| c.peer == to && c.path == Path::Direct)
        .map(|c| c.id)
        .collect()
}

#[test]
fn a_visit_over_private_addresses_ends_with_the_grant_that_allowed_it() {
    run(false, async {
        for revoked in [
            json!([{"name": "dial", "privateNetwork": true}]),
            json!([{"name": "streams", "protocols": [CHAT]}]),
        ] {
            let world = World::new().await;
            world.node_is("online").await;
            let (relay, relay_address) = server().await;
            let page = world.page(SITE);
            world.grant(&page, private(&[CHAT])).await;
            world.grant(&page, json!([{"name": "identity"}])).await;
            let chat = json!({"protocols": [CHAT]});
            page.call("streams.handle", chat).await.unwrap();
            let dial = json!({"addresses": [relay_address]});
            page.call("connections.dial", dial).await.unwrap();

            let visitor = visitor();
            let to = address(&page).await;
            let visit = visitor
                .dial(DialRequest {
                    peer: None,
                    addresses: vec![to],
                    owner: Some(Owner::new("https://visitor.example")),
                    scope: Scope::PRIVATE,
                    timeout: SOON,
                })
                .await
                .unwrap();
            assert_eq!(visit.path, Path::Direct, "{visit:?}");
            let mut opened = visitor
                .open_stream(OpenStream {
                    peer: visit.peer,
                    protocols: vec![StreamProtocol::new(CHAT)],
                    allow_relayed: false,
                    dial: None,
                    owner: None,
                    timeout: SOON,
                })
                .await
                .unwrap();
            assert_eq!(
                direct(&visitor, visit.peer).await,
                std::slice::from_ref(&visit.id)
            );

            let revoke = json!({"permissions": revoked});
            page.call("permissions.revoke", revoke).await.unwrap();
            let mut byte = [0];
            let read = tokio::time::timeout(SOON, opened.stream.read(&mut byte)).await;
            assert!(!matches!(read.expect("the stream ends"), Ok(1..)));
            until("the direct connection to end", async || {
                let left = direct(&visitor, visit.peer).await;
                left.is_empty().then_some(())
            })
            .await;
            relay.shutdown().await;
            visitor.shutdown().await;
        }
    });
}
