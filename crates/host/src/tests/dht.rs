//! Through the host to a DHT of real nodes on loopback.

use libp2p::{PeerId, identity::Keypair};
use mooring_node::{Config, Handle};
use serde_json::{Value as Json, json};

use super::{
    remote::{SITE, connected},
    support::{Page, SOON, World, run, until},
};
use crate::Value;

/// A CID of nothing in particular.
const CID: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";

fn everything() -> Json {
    json!([
        {"name": "dial", "privateNetwork": true},
        {"name": "identity"},
        {"name": "routing", "write": true}
    ])
}

/// A server that the page's one knows, and the page does not.
async fn neighbour(server: &Handle) -> Handle {
    let mut config = Config::server(Keypair::generate_ed25519());
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    config.allow_private_network = true;
    config.bootstrap = server.addresses().await.unwrap();
    let (handle, event_loop) = mooring_node::new(config).unwrap();
    tokio::task::spawn_local(event_loop.run());
    until("the server to know it", async || {
        let peers = server.peers().await.unwrap();
        let id = handle.local_peer_id();
        let known = |it: &mooring_node::Peer| it.peer == id && !it.protocols.is_empty();
        peers.iter().any(known).then_some(())
    })
    .await;
    handle
}

fn with_bytes(method: &str, key: &[u8], value: Option<&[u8]>) -> Value {
    let mut params = vec![("key".to_owned(), Value::Bytes(key.to_vec()))];
    params.extend(value.map(|value| ("value".to_owned(), Value::Bytes(value.to_vec()))));
    Value::object([
        ("jsonrpc", Value::text("2.0")),
        ("id", Value::text(method)),
        ("method", Value::text(method)),
        ("params", Value::Map(params)),
    ])
}

/// Provides, as soon as the node has an address to give: a relay's.
async fn provide(page: &Page) {
    until("an address", async || {
        let own = page.call("identity.get", json!({})).await.unwrap();
        (!own["addresses"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    let provided = page.call("dht.provide", json!({"key": CID}));
    let answer = tokio::time::timeout(SOON, provided)
        .await
        .expect("provided");
    assert_eq!(answer.unwrap(), json!({}));
}

async fn own_id(page: &Page) -> Json {
    page.call("identity.get", json!({})).await.unwrap()["peerId"].clone()
}

async fn providers(page: &Page) -> Vec<Json> {
    let found = page.call("dht.findProviders", json!({"key": CID}));
    let found = found.await.unwrap();
    let found = found["providers"].as_array().unwrap();
    found.iter().map(|it| it["peer"].clone()).collect()
}

#[test]
fn finds_stores_and_provides() {
    run(false, async {
        let world = World::new().await;
        let (page, server, _) = connected(&world, everything()).await;
        let other = neighbour(&server).await;
        let id = other.local_peer_id().to_string();
        let found = page
            .call("dht.findPeer", json!({"peer": id}))
            .await
            .unwrap();
        assert_eq!(found["peer"], id);
        let mut address = other.addresses().await.unwrap().remove(0);
        address.pop();
        let addresses = found["addresses"].as_array().unwrap();
        assert!(addresses.contains(&json!(address.to_string())), "{found}");
        let stranger = PeerId::random().to_string();
        let nobody = page.fails("dht.findPeer", json!({"peer": stranger})).await;
        assert_eq!(nobody, 5004);

        let closest = page.call("dht.closestPeers", json!({"key": CID}));
        let closest = closest.await.unwrap();
        assert_eq!(closest["peers"].as_array().unwrap().len(), 2);

        page.raw(with_bytes("dht.get", b"name", None));
        assert_eq!(page.answer("dht.get").await.unwrap_err().0, 5004);
        page.raw(with_bytes("dht.put", b"name", Some(b"value")));
        assert_eq!(page.answer("dht.put").await.unwrap(), json!({}));
        page.raw(with_bytes("dht.get", b"name", None));
        // JSON has no bytes.
        let got = page.inbox.take(|message| {
            let m = message.get("m")?;
            (m.get("id")?.as_text() == Some("dht.get"))
                .then(|| m.get("result")?.get("value").cloned())
        });
        assert_eq!(got.await, Some(Value::Bytes(b"value".to_vec())));
        // What is too large is the page's fault.
        page.raw(with_bytes("dht.put", b"name", Some(&[0; 8 * 1024 + 1])));
        assert_eq!(page.answer("dht.put").await.unwrap_err().0, -32602);

        assert_eq!(providers(&page).await, Vec::<Json>::new());
        provide(&page).await;
        let own = own_id(&page).await;
        assert_eq!(providers(&page).await, [own]);
        let stopped = page.call("dht.stopProviding", json!({"key": CID}));
        assert_eq!(stopped.await.unwrap(), json!({}));
        assert_eq!(providers(&page).await, Vec::<Json>::new());
    });
}

#[test]
fn a_site_without_the_right_to_private_networks_learns_no_addresses_there() {
    run(false, async {
        let world = World::new().await;
        let (_page, server, _) = connected(&world, everything()).await;
        let other = neighbour(&server).await;
        let id = other.local_peer_id().to_string();
        let page = world.page("https://other.example");
        world.grant(&page, json!([{"name": "routing"}])).await;
        let found = page
            .call("dht.findPeer", json!({"peer": id}))
            .await
            .unwrap();
        assert_eq!(found, json!({"peer": id, "addresses": []}));
        // It may ask, and not write.
        for method in ["dht.provide", "dht.stopProviding"] {
            assert_eq!(page.fails(method, json!({"key": CID})).await, 4100);
        }
        page.raw(with_bytes("dht.put", b"name", Some(b"value")));
        assert_eq!(page.answer("dht.put").await.unwrap_err().0, 4100);
    });
}

#[test]
fn what_is_provided_ends_with_the_grant_and_not_with_the_document() {
    run(false, async {
        let world = World::new().await;
        let (page, server, _) = connected(&world, everything()).await;
        let _other = neighbour(&server).await;
        provide(&page).await;
        let own = own_id(&page).await;
        page.port.closed();
        let page = world.page(SITE);
        assert_eq!(providers(&page).await, [own]);
        // Only the right to write.
        let routing = |write: bool| json!({"permissions": [{"name": "routing", "write": write}]});
        let taken = page.call("permissions.revoke", routing(true));
        taken.await.unwrap();
        // It may still ask.
        assert_eq!(providers(&page).await, Vec::<Json>::new());
    });
}

#[test]
fn what_is_provided_for_once_ends_with_the_document() {
    run(false, async {
        let world = World::new().await;
        let (page, server, _) = connected(
            &world,
            json!([{"name": "dial", "privateNetwork": true}, {"name": "identity"}, {"name": "routing"}]),
        )
        .await;
        let _other = neighbour(&server).await;
        let once = json!([{"name": "routing", "write": true}]);
        world
            .allow(&page, once, mooring_api::prompt::Duration::Once)
            .await;
        provide(&page).await;
        assert_eq!(providers(&page).await.len(), 1);
        page.port.closed();
        let page = world.page(SITE);
        assert_eq!(providers(&page).await, Vec::<Json>::new());
    });
}

#[test]
fn a_lookup_ends_with_what_allowed_it() {
    run(false, async {
        let world = World::new().await;
        world.node_is("online").await;
        // Takes connections and says nothing, so that a dial to it is under way and lookups wait for what may come of it.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let stranger = PeerId::random().to_string();
        let page = world.page(SITE);
        world.grant(&page, everything()).await;
        let hanging = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{stranger}");
        page.send("connections.dial", json!({"addresses": [hanging]}));
        silent.accept().await.unwrap();
        let lookups: Vec<String> = (0..3)
            .map(|_| page.send("dht.findPeer", json!({"peer": stranger})))
            .collect();
        let cancel =
            json!({"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": lookups[0]}});
        page.raw(cancel.into());
        assert_eq!(page.answer(&lookups[0]).await.unwrap_err().0, 5008);
        let routing = json!({"permissions": [{"name": "routing"}]});
        page.call("permissions.revoke", routing).await.unwrap();
        for lookup in &lookups[1..] {
            assert_eq!(page.answer(lookup).await.unwrap_err().0, 4100);
        }
    });
}

#[test]
fn lookups_are_counted_for_each_site() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world.grant(&page, everything()).await;
        let mut codes = Vec::new();
        for _ in 0..100 {
            let answer = page.call("dht.closestPeers", json!({"key": CID})).await;
            let (code, data) = answer.unwrap_err();
            assert_eq!(data["retryAfterMs"].is_number(), code == 5005);
            codes.push(code);
        }
        // Nobody is there to ask.
        let asked = codes.iter().filter(|code| **code == 5009).count();
        let refused = codes.iter().filter(|code| **code == 5005).count();
        assert_eq!(asked + refused, 100, "{codes:?}");
        assert!((64..80).contains(&asked), "{codes:?}");
        let other = world.page("https://other.example");
        world.grant(&other, everything()).await;
        let code = other.fails("dht.closestPeers", json!({"key": CID})).await;
        assert_eq!(code, 5009);
        let limits = &page.call("node.status", json!({})).await.unwrap()["limits"];
        for name in [
            "lookupsAtOnce",
            "lookupsPerSecond",
            "lookupsInFlight",
            "providedKeys",
        ] {
            assert!(limits[name].is_number(), "{name}");
        }
    });
}
