use std::{collections::BTreeSet, time::Duration};

use mooring_api::Method;
use serde_json::json;

use super::support::{World, run};
use crate::{Opaque, Value, limits};

const SITE: &str = "https://site.example";
const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

/// Every descriptor, as much of it as there is.
fn everything() -> serde_json::Value {
    json!([
        { "name": "identity" },
        { "name": "peers" },
        { "name": "dial" },
        { "name": "streams", "protocols": ["/chat/1.0.0", "/game/*", "/ipfs/*"] },
        { "name": "pubsub", "topics": ["news", "room-*"] },
        { "name": "routing" },
        { "name": "background" }
    ])
}

#[test]
fn hello_and_status_come_at_once() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let hello = json!({"version": 1, "product": "Mooring", "productVersion": "1.2.3"});
        assert_eq!(page.call("node.hello", json!({})).await.unwrap(), hello);
        world.node_is("online").await;
        let status = page.call("node.status", json!({})).await.unwrap();
        assert_eq!(status["state"], "online");
        assert!(status.get("reason").is_none());
        assert!(
            status["transports"]
                .as_array()
                .unwrap()
                .contains(&json!("webrtc-direct"))
        );
        assert!(
            status["services"]
                .as_array()
                .unwrap()
                .contains(&json!("ping"))
        );
        assert!(status["limits"]["requestsInFlight"].as_u64().unwrap() >= 64);
        assert!(!status.to_string().contains("12D3"), "no ids");
        // Without params, and with null ones missing altogether.
        page.raw(json!({"jsonrpc": "2.0", "id": "bare", "method": "node.hello"}).into());
        assert_eq!(page.answer("bare").await.unwrap(), hello);
    });
}

#[test]
fn every_method_is_known_and_asks_for_its_grant_first() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        for method in Method::ALL {
            // Parameters that nothing accepts: the grant is judged before them.
            let expected = if method.grant().is_some() {
                4100
            } else {
                -32602
            };
            assert_eq!(
                page.fails(method.name(), json!([])).await,
                expected,
                "{method:?}"
            );
            assert_eq!(
                page.fails(method.name(), json!(5)).await,
                expected,
                "{method:?}"
            );
        }
        assert_eq!(page.fails("node.shutdown", json!({})).await, -32601);
        assert_eq!(page.fails("rpc.cancel", json!({"id": "x"})).await, -32601);
        assert_eq!(page.fails("toString", json!({})).await, -32601);
    });
}

#[test]
fn the_order_of_judgement_is_the_contracts() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world.grant(&page, everything()).await;
        let peer = json!(PEER);
        let key = json!("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi");
        for (method, params, code) in [
            // Parameters.
            ("peers.ping", json!({}), -32602),
            ("peers.ping", json!({"peer": 5}), -32602),
            ("peers.ping", json!({"peer": "nobody"}), -32602),
            ("connections.dial", json!({}), -32602),
            ("connections.dial", json!({"addresses": []}), -32602),
            ("connections.dial", json!({"addresses": "x"}), -32602),
            (
                "connections.dial",
                json!({"addresses": vec!["/ip4/1.1.1.1"; 33]}),
                -32602,
            ),
            (
                "connections.dial",
                json!({"peer": [], "addresses": []}),
                -32602,
            ),
            (
                "streams.open",
                json!({"peer": peer, "protocols": []}),
                -32602,
            ),
            (
                "streams.open",
                json!({"peer": peer, "protocols": ["chat"]}),
                -32602,
            ),
            (
                "streams.open",
                json!({"peer": peer, "protocols": ["/chat/1.0.0"], "allowRelayed": 1}),
                -32602,
            ),
            ("streams.handle", json!({"protocols": ["/\u{7}"]}), -32602),
            (
                "pubsub.publish",
                json!({"topic": "news", "data": "text"}),
                -32602,
            ),
            (
                "pubsub.publish",
                json!({"topic": "news", "data": [1, 2]}),
                -32602,
            ),
            ("pubsub.subscribe", json!({"topic": ""}), -32602),
            ("dht.get", json!({"key": 5}), -32602),
            ("dht.get", json!({"key": "no CID"}), -32602),
            ("dht.get", json!({"key": ""}), -32602),
            (
                "dht.closestPeers",
                json!({"key": &key.as_str().unwrap()[..40]}),
                -32602,
            ),
            (
                "dht.findProviders",
                json!({"key": key, "limit": 1.5}),
                -32602,
            ),
            (
                "dht.findProviders",
                json!({"key": key, "limit": 1001}),
                -32602,
            ),
            (
                "dht.findProviders",
                json!({"key": key, "limit": -1}),
                -32602,
            ),
            ("dht.put", json!({"key": key}), -32602),
            ("rendezvous.discover", json!({"namespace": ""}), -32602),
            (
                "rendezvous.discover",
                json!({"namespace": "a", "point": "x"}),
                -32602,
            ),
            (
                "events.subscribe",
                json!({"events": ["peer.exploded"]}),
                -32602,
            ),
            ("permissions.request", json!({}), -32602),
            (
                "permissions.request",
                json!({"permissions": {"name": "peers"}}),
                -32602,
            ),
            (
                "permissions.request",
                json!({"permissions": [{"name": "nose"}]}),
                -32602,
            ),
            (
                "permissions.request",
                json!({"permissions": [{"name": "dial", "all": true}]}),
                -32602,
            ),
            (
                "permissions.request",
                json!({"permissions": [{"name": "streams"}]}),
                -32602,
            ),
            (
                "permissions.request",
                json!({"permissions": [{"name": "streams", "protocols": ["/a*"]}]}),
                -32602,
            ),
            (
                "permissions.request",
                json!({"permissions": ["peers"]}),
                -32602,
            ),
            (
                "permissions.request",
                json!({"permissions": [null]}),
                -32602,
            ),
            (
                "permissions.revoke",
                json!({"permissions": [{"name": "dial", "write": true}]}),
                -32602,
            ),
            ("identity.get", json!({"timeoutMs": 0}), -32602),
            ("identity.get", json!({"timeoutMs": 300_001}), -32602),
            ("identity.get", json!({"timeoutMs": "5"}), -32602),
            ("identity.get", json!({"timeoutMs": null}), -32602),
            ("node.hello", json!({"timeoutMs": -1}), -32602),
            // Caveats.
            (
                "streams.open",
                json!({"peer": peer, "protocols": ["/other/1"]}),
                4100,
            ),
            (
                "streams.open",
                json!({"peer": peer, "protocols": ["/chat/1.0.0", "/other/1"]}),
                4100,
            ),
            ("streams.handle", json!({"protocols": ["/gam"]}), 4100),
            ("pubsub.subscribe", json!({"topic": "olds"}), 4100),
            ("dht.provide", json!({"key": key}), 4100),
            ("rendezvous.register", json!({"namespace": "a"}), 4100),
            // Addresses: syntax, class before transport, and what is left of several.
            (
                "connections.dial",
                json!({"addresses": ["not a multiaddr"]}),
                5006,
            ),
            (
                "connections.dial",
                json!({"addresses": ["/ip4/999.1.1.1/tcp/1"]}),
                5006,
            ),
            ("connections.dial", json!({"addresses": [""]}), 5006),
            (
                "connections.dial",
                json!({"addresses": ["/ip4/1.1.1.1/udp/1/utp"]}),
                5006,
            ),
            (
                "connections.dial",
                json!({"addresses": [format!("/ip4/127.0.0.1/udp/1/utp/p2p/{PEER}")]}),
                5007,
            ),
            (
                "connections.dial",
                json!({"addresses": [format!("/ip4/10.0.0.1/tcp/1/p2p/{PEER}"), "junk"]}),
                5007,
            ),
            (
                "connections.dial",
                json!({"addresses": ["/dns4/router.lan/tcp/443/tls/ws"]}),
                5007,
            ),
            (
                "connections.dial",
                json!({"addresses": ["/ip6/::ffff:192.168.0.1/tcp/1"]}),
                5007,
            ),
            // Protocols that are the node's own.
            (
                "streams.open",
                json!({"peer": peer, "protocols": ["/ipfs/id/push/1.0.0"]}),
                5007,
            ),
            (
                "streams.handle",
                json!({"protocols": ["/ipfs/kad/1.0.0"]}),
                5007,
            ),
            // Nobody is there to ask.
            ("dht.findPeer", json!({"peer": peer}), 5009),
            ("dht.closestPeers", json!({"key": key}), 5009),
            ("dht.findProviders", json!({"key": key}), 5009),
            ("dht.get", json!({"key": key}), 5009),
            // Not built yet.
            (
                "rendezvous.discover",
                json!({"namespace": "a", "point": peer}),
                4200,
            ),
        ] {
            assert_eq!(
                page.fails(method, params.clone()).await,
                code,
                "{method} {params}"
            );
        }
        // None of these counted as a dial.
        let dials = page
            .fails("connections.dial", json!({"peer": PEER, "timeoutMs": 1000}))
            .await;
        assert!([5001, 5004].contains(&dials), "{dials}");
    });
}

#[test]
fn a_request_ends_by_its_time_limit_or_by_cancellation() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let wants = json!({"permissions": [{"name": "peers"}], "timeoutMs": 500});
        let before = world.platform.windows_opened.get();
        assert_eq!(page.fails("permissions.request", wants).await, 5002);
        assert_eq!(world.platform.windows_opened.get(), before + 1);
        world.no_window().await;
        let id = page.send(
            "permissions.request",
            json!({"permissions": [{"name": "peers"}]}),
        );
        let prompt = world.prompt().await;
        page.raw(
            json!({"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": "other"}}).into(),
        );
        page.raw(json!({"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": id}}).into());
        assert_eq!(page.answer(&id).await.unwrap_err().0, 5008);
        world.no_window().await;
        // Too late: nobody asks any more, and nothing is granted.
        prompt.allow(mooring_api::prompt::Duration::Always);
        assert_eq!(
            page.call("permissions.query", json!({})).await.unwrap()["granted"],
            json!([])
        );
        page.raw(json!({"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": id}}).into());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!page.has_answer(&id));
    });
}

#[test]
fn an_id_in_flight_is_not_taken_twice() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": "permissions.request", "params": {"permissions": [{"name": "peers"}]}});
        page.raw(request.clone().into());
        page.raw(request.into());
        let answer = |code: Option<i64>| {
            move |message: &Value| {
                let m = message.get("m")?;
                let error = m.get("error").and_then(|error| error.get("code"));
                let error = match error {
                    #[allow(clippy::cast_possible_truncation)]
                    Some(Value::Number(code)) => Some(*code as i64),
                    _ => None,
                };
                (m.get("id") == Some(&Value::Number(7.0)) && error == code).then_some(())
            }
        };
        page.inbox.take(answer(Some(-32600))).await;
        world
            .prompt()
            .await
            .allow(mooring_api::prompt::Duration::Session);
        page.inbox.take(answer(None)).await;
    });
}

#[test]
fn quotas_hold_and_a_flood_leaves_nothing_behind() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let other = world.page("https://other.example");
        // In flight: as many as may wait for a person.
        let waiting: BTreeSet<String> = (0..limits::MAX_IN_FLIGHT_PER_ORIGIN)
            .map(|_| {
                page.send(
                    "permissions.request",
                    json!({"permissions": [{"name": "peers"}]}),
                )
            })
            .collect();
        let second = world.page(SITE);
        let (code, data) = second
            .call("events.unsubscribe", json!({"events": []}))
            .await
            .unwrap_err();
        assert_eq!(code, 5005);
        assert!(data["retryAfterMs"].as_u64().unwrap() > 0);
        assert!(
            other
                .call("events.unsubscribe", json!({"events": []}))
                .await
                .is_ok()
        );
        // Quick ones are served meanwhile, 2,000 of each, and come to an end as well.
        for _ in 0..2000 {
            page.send("node.hello", json!({}));
        }
        let last = page.send("node.status", json!({}));
        assert!(page.answer(&last).await.is_ok());
        let more: Vec<String> = (0..limits::QUICK_PER_SECOND)
            .map(|_| page.send("node.hello", json!({})))
            .collect();
        assert_eq!(page.answer(more.last().unwrap()).await.unwrap_err().0, 5005);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(page.call("node.status", json!({})).await.is_ok());
        assert!(other.call("node.hello", json!({})).await.is_ok());
        // All that waited is answered once.
        world
            .prompt()
            .await
            .allow(mooring_api::prompt::Duration::Session);
        for id in waiting {
            assert!(page.answer(&id).await.is_ok());
        }
        page.inbox.messages.borrow_mut().clear();
        // Rate: all at once, until the bucket is empty.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut refused = 0;
        for _ in 0..limits::REQUESTS_PER_SECOND + 10 {
            let id = page.send("events.unsubscribe", json!({"events": []}));
            if page.answer(&id).await.is_err() {
                refused += 1;
            }
        }
        assert_eq!(refused, 10);
    });
}

#[test]
fn hostile_messages_change_nothing() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let deep = (0..200).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        let rpc = |m: Value| Value::object([("t", Value::text("rpc")), ("m", m)]);
        let hostile: Vec<Value> = vec![
            Value::Null,
            Value::Bool(true),
            Value::Number(f64::NAN),
            Value::text("rpc"),
            Value::Bytes(vec![0; 1000]),
            Value::List(vec![]),
            Value::Opaque(Opaque::Kind),
            deep.clone(),
            Value::object([]),
            Value::object([("t", Value::Null), ("m", Value::Null)]),
            Value::object([("t", Value::text("rpc"))]),
            Value::object([
                ("t", Value::text("port")),
                ("stream", Value::text("s1")),
                ("m", Value::Null),
            ]),
            Value::object([
                ("t", Value::text("port")),
                ("stream", Value::Number(1.0)),
                ("m", deep.clone()),
            ]),
            Value::object([("t", Value::text("ready")), ("m", Value::object([]))]),
            rpc(Value::object([])),
            rpc(Value::object([("method", Value::text("node.hello"))])),
            rpc(Value::object([
                ("method", Value::text("rpc.cancel")),
                ("params", deep.clone()),
            ])),
            rpc(Value::object([
                ("jsonrpc", Value::text("2.0")),
                ("method", Value::text("rpc.cancel")),
                (
                    "params",
                    Value::object([("id", Value::Opaque(Opaque::Kind))]),
                ),
            ])),
            rpc(Value::object([
                ("jsonrpc", Value::text("2.0")),
                ("result", Value::Null),
            ])),
            rpc(Value::object([("params", Value::Opaque(Opaque::TooLarge))])),
        ];
        assert!(hostile.len() >= 20);
        for message in hostile {
            page.port.receive(message.clone());
            tokio::task::yield_now().await;
            assert!(page.inbox.messages.borrow().is_empty(), "{message:?}");
        }
        // Those that can be answered are, by what is wrong with them.
        for (m, id, code) in [
            (
                Value::List(vec![Value::object([("id", Value::Number(1.0))])]),
                Value::Null,
                -32600.0,
            ),
            (Value::Null, Value::Null, -32600.0),
            (Value::Opaque(Opaque::Kind), Value::Null, -32600.0),
            (
                Value::object([("id", Value::Opaque(Opaque::Kind))]),
                Value::Null,
                -32600.0,
            ),
            (
                Value::object([("id", Value::List(vec![]))]),
                Value::Null,
                -32600.0,
            ),
            (
                Value::object([("id", Value::text("x".repeat(129)))]),
                Value::Null,
                -32600.0,
            ),
            (
                request("a", "node.hello", deep.clone()),
                Value::text("a"),
                -32600.0,
            ),
            (
                request("b", "node.hello", Value::Opaque(Opaque::TooLarge)),
                Value::text("b"),
                5005.0,
            ),
            (
                request("c", "node.hello", Value::Opaque(Opaque::Kind)),
                Value::text("c"),
                -32602.0,
            ),
            (
                request("d", "constructor", Value::object([])),
                Value::text("d"),
                -32601.0,
            ),
            (
                request(
                    "e",
                    "permissions.request",
                    Value::object([("permissions", Value::List(vec![deep]))]),
                ),
                Value::text("e"),
                -32600.0,
            ),
        ] {
            page.raw(m.clone());
            page.inbox
                .take(|message| {
                    let answer = message.get("m")?;
                    let code_is = answer.get("error")?.get("code")? == &Value::Number(code);
                    (answer.get("id") == Some(&id) && code_is).then_some(())
                })
                .await;
        }
        assert!(page.inbox.messages.borrow().is_empty());
        assert_eq!(
            page.call("permissions.query", json!({})).await.unwrap()["granted"],
            json!([])
        );
        assert_eq!(world.platform.windows_opened.get(), 0);
    });
}

fn request(id: &str, method: &str, params: Value) -> Value {
    Value::object([
        ("jsonrpc", Value::text("2.0")),
        ("id", Value::text(id)),
        ("method", Value::text(method)),
        ("params", params),
    ])
}
