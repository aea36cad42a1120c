//! Through the host to a real node on loopback: connections, and streams that pages open.

use std::time::Duration;

use libp2p::PeerId;
use serde_json::json;

use super::{
    remote::{ECHO, SITE, chat, connected, credit, data, kind, only_peer, private, say, server},
    support::{World, run},
};
use crate::{Value, limits::CLOCK_EVERY};

#[test]
fn dials_pings_and_lists() {
    run(false, async {
        let world = World::new().await;
        world.node_is("online").await;
        let (server, address) = server().await;
        let page = world.page(SITE);
        world
            .grant(
                &page,
                json!([{"name": "dial"}, {"name": "peers"}, {"name": "identity"}]),
            )
            .await;
        let dial = json!({"addresses": [address]});
        assert_eq!(page.fails("connections.dial", dial.clone()).await, 5007);
        world
            .grant(&page, json!([{"name": "dial", "privateNetwork": true}]))
            .await;
        let events = json!({"events": ["peer.connected", "connection.opened", "connection.closed", "peer.disconnected"]});
        page.call("events.subscribe", events).await.unwrap();
        let first = page.call("connections.dial", dial.clone()).await.unwrap();
        let again = page.call("connections.dial", dial).await.unwrap();
        assert_eq!(first["connection"]["id"], again["connection"]["id"]);
        let peer = server.local_peer_id().to_string();
        page.notification("peer.connected").await;
        let (opened, _) = page.notification("connection.opened").await;
        assert_eq!(opened["connection"]["id"], first["connection"]["id"]);
        let ping = page
            .call("peers.ping", json!({"peer": peer}))
            .await
            .unwrap();
        assert!(ping["rttMs"].as_f64().unwrap() > 0.0);
        let stranger = PeerId::random().to_string();
        let nobody = page.fails("peers.ping", json!({"peer": stranger})).await;
        assert!([5001, 5004].contains(&nobody), "{nobody}");
        let listed = page.call("connections.list", json!({})).await.unwrap();
        assert_eq!(listed["connections"].as_array().unwrap().len(), 1);
        let peers = page.call("peers.list", json!({})).await.unwrap();
        let found = peers["peers"]
            .as_array()
            .unwrap()
            .iter()
            .find(|p| p["peerId"] == peer);
        assert_eq!(found.unwrap()["connected"], true);
        let own = page.call("identity.get", json!({})).await.unwrap();
        assert!(own["peerId"].as_str().unwrap().starts_with("12D3"));
        // The popup shows who asked, and hangs up.
        let popup = world.popup();
        let snapshot = popup.snapshot(|s| s.connections.len() == 1).await;
        assert_eq!(snapshot.connections[0].owners, [SITE]);
        popup
            .command(mooring_api::popup::Command::HangUp { peer: peer.clone() })
            .await
            .unwrap();
        page.notification("connection.closed").await;
        page.notification("peer.disconnected").await;
        // The user dials where a site may not.
        let command = mooring_api::popup::Command::Dial { address };
        popup.command(command).await.unwrap();
        let snapshot = popup
            .snapshot(|s| s.connections.iter().any(|c| c.owners == ["user"]))
            .await;
        assert_eq!(snapshot.peers, 1);
        // A connection outlives its page, and ends when the site gives it up and nobody else wants it.
        drop(page);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.connections().await.unwrap().len(), 1);
    });
}

#[test]
fn releasing_and_revoking_give_a_connection_up() {
    run(false, async {
        let private_only = json!({"permissions": [{"name": "dial", "privateNetwork": true}]});
        for (method, params) in [
            ("connections.release", None),
            ("permissions.revoke", None),
            ("permissions.revoke", Some(private_only)),
        ] {
            let world = World::new().await;
            let (page, server, peer) = connected(&world, private(&[ECHO])).await;
            let params = params.unwrap_or(json!({"peer": peer}));
            page.call(method, params).await.unwrap();
            let gone = async {
                while !server.connections().await.unwrap().is_empty() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(super::support::SOON, gone)
                .await
                .expect(method);
        }
    });
}

/// What was granted when a request came is not enough: it must still be held when the work is done.
#[test]
fn what_is_in_flight_when_a_grant_goes_takes_no_effect() {
    run(false, async {
        let world = World::new().await;
        world.node_is("online").await;
        let (server, address) = server().await;
        let peer = server.local_peer_id().to_string();
        let page = world.page(SITE);
        world.grant(&page, private(&[ECHO, "/chat/1"])).await;
        let revoke = |name: &str| json!({"permissions": [{"name": name}]});

        let dial = page.send("connections.dial", json!({"addresses": [address]}));
        let listed = page.send("connections.list", json!({}));
        let taken = page.send("permissions.revoke", revoke("dial"));
        page.answer(&taken).await.unwrap();
        assert_eq!(page.answer(&dial).await.unwrap_err().0, 4100);
        assert!(
            page.answer(&listed).await.is_ok(),
            "that needs another grant"
        );
        // Nobody wants the connection, should it have come to one.
        let unwanted = async {
            while !server.connections().await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(super::support::SOON, unwanted)
            .await
            .expect("a connection that nobody wants");

        world.grant(&page, private(&[ECHO, "/chat/1"])).await;
        page.call("connections.dial", json!({"addresses": [address]}))
            .await
            .unwrap();
        let open = page.send("streams.open", json!({"peer": peer, "protocols": [ECHO]}));
        let handle = page.send("streams.handle", json!({"protocols": ["/chat/1"]}));
        let taken = page.send("permissions.revoke", revoke("streams"));
        page.answer(&taken).await.unwrap();
        let (answer, stream) = page.answer_with_stream(&open).await;
        assert_eq!((answer.unwrap_err().0, stream), (4100, None));
        assert_eq!(page.answer(&handle).await.unwrap_err().0, 4100);
        // The protocol is free for whoever may handle it.
        let other = world.page("https://other.example");
        world.grant(&other, private(&["/chat/1"])).await;
        other
            .call("streams.handle", json!({"protocols": ["/chat/1"]}))
            .await
            .unwrap();
        let site = world.host.core().sessions.of_origin(SITE)[0].site.clone();
        assert_eq!((site.streams.get(), site.in_flight.get()), (0, 0));
    });
}

#[test]
fn a_stream_echoes_whole_and_in_order() {
    run(false, async {
        let world = World::new().await;
        let (page, _server, peer) = connected(&world, private(&[ECHO])).await;
        let id = page.send("streams.open", json!({"peer": peer, "protocols": [ECHO]}));
        let (answer, stream) = page.answer_with_stream(&id).await;
        let (answer, stream) = (answer.unwrap(), stream.unwrap());
        assert_eq!(
            answer,
            json!({"stream": stream, "protocol": ECHO, "peer": peer})
        );
        let first = page.hear(&stream).await;
        let Some(Value::Number(mut window)) = first.get("bytes").cloned() else {
            panic!("{first:?}");
        };
        assert_eq!(kind(&first), "credit");
        let total = 3_000_000_usize;
        let bytes: Vec<u8> = (0..total).map(|n| u8::try_from(n % 251).unwrap()).collect();
        page.say(&stream, credit(100_000));
        let (mut sent, mut back) = (0, Vec::new());
        while back.len() < total {
            while sent < total {
                let chunk = (total - sent).min(65_000);
                if window < chunk as f64 {
                    break;
                }
                page.say(&stream, data(bytes[sent..sent + chunk].to_vec()));
                window -= chunk as f64;
                sent += chunk;
                if sent == total {
                    page.say(&stream, say("closeWrite"));
                }
            }
            let message = page.hear(&stream).await;
            match (kind(&message), message.get("bytes")) {
                ("credit", Some(Value::Number(more))) => window += more,
                ("data", Some(Value::Bytes(some))) => {
                    back.extend_from_slice(some);
                    page.say(&stream, credit(u32::try_from(some.len()).unwrap()));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(back, bytes);
        loop {
            match kind(&page.hear(&stream).await) {
                "credit" => {}
                "closeWrite" => break,
                other => panic!("{other}"),
            }
        }
        assert_eq!(kind(&page.hear(&stream).await), "closed");
        let core = world.host.core();
        let freed = async {
            while core.sessions.of_origin(SITE)[0].site.streams.get() != 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(super::support::SOON, freed)
            .await
            .unwrap();
        // Late words are dropped.
        page.say(&stream, data(vec![1]));
        assert!(page.call("node.hello", json!({})).await.is_ok());
    });
}

#[test]
fn streams_end_by_broken_rules_by_revocation_and_with_the_document() {
    run(false, async {
        let world = World::new().await;
        let (page, server, peer) = connected(&world, private(&[ECHO, "/none/1"])).await;
        let open = json!({"peer": peer, "protocols": [ECHO]});
        assert_eq!(
            page.fails(
                "streams.open",
                json!({"peer": peer, "protocols": ["/none/1"]})
            )
            .await,
            5010
        );
        let stranger =
            json!({"peer": PeerId::random().to_string(), "protocols": [ECHO], "timeoutMs": 2000});
        let code = page.fails("streams.open", stranger).await;
        assert!([5001, 5004].contains(&code), "{code}");
        let mut streams = Vec::new();
        for _ in 0..3 {
            let id = page.send("streams.open", open.clone());
            streams.push(page.answer_with_stream(&id).await.1.unwrap());
        }
        for stream in &streams {
            assert_eq!(kind(&page.hear(stream).await), "credit");
        }
        page.say(&streams[0], data(vec![0; 300_000]));
        let reset = page.hear(&streams[0]).await;
        assert_eq!(
            (kind(&reset), reset.get("reason")),
            ("reset", Some(&Value::text("protocol")))
        );
        assert_eq!(kind(&page.hear(&streams[0]).await), "closed");
        page.call(
            "permissions.revoke",
            json!({"permissions": [{"name": "streams", "protocols": [ECHO]}]}),
        )
        .await
        .unwrap();
        for stream in &streams[1..] {
            let reset = page.hear(stream).await;
            assert_eq!(
                (kind(&reset), reset.get("reason")),
                ("reset", Some(&Value::text("revoked")))
            );
            assert_eq!(kind(&page.hear(stream).await), "closed");
        }
        assert_eq!(page.fails("streams.open", open.clone()).await, 4100);
        world
            .grant(&page, json!([{"name": "streams", "protocols": [ECHO]}]))
            .await;
        let id = page.send("streams.open", open);
        page.answer_with_stream(&id).await.0.unwrap();
        let site = world.host.core().sessions.of_origin(SITE)[0].site.clone();
        assert_eq!(site.streams.get(), 1);
        drop(page);
        let gone = async {
            while site.streams.get() != 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(super::support::SOON, gone)
            .await
            .unwrap();
        server.shutdown().await;
    });
}

/// A stream that is neither read nor written would not notice by itself that its connection has gone.
#[test]
fn idle_streams_end_with_their_connection() {
    run(false, async {
        use futures::AsyncWriteExt;
        let world = World::new().await;
        let (page, server, _) = connected(&world, private(&["/chat/1"])).await;
        page.call("streams.handle", json!({"protocols": ["/chat/1"]}))
            .await
            .unwrap();
        let node = only_peer(&server).await;
        let mut remotes = Vec::new();
        let mut streams = Vec::new();
        for _ in 0..2 {
            let mut opened = server.open_stream(chat(node)).await.unwrap();
            opened.stream.write_all(&[7; 5000]).await.unwrap();
            opened.stream.flush().await.unwrap();
            let stream = page.notification("streams.incoming").await.1.unwrap();
            assert_eq!(kind(&page.hear(&stream).await), "credit");
            remotes.push(opened);
            streams.push(stream);
        }
        // The first one is read to its end, and stays open towards the remote.
        remotes[0].stream.close().await.unwrap();
        page.say(&streams[0], credit(10_000));
        while kind(&page.hear(&streams[0]).await) != "closeWrite" {}
        server.disconnect(node).await.unwrap();
        let reset = page.hear(&streams[0]).await;
        assert_eq!(
            (kind(&reset), reset.get("reason")),
            ("reset", Some(&Value::text("remote")))
        );
        assert_eq!(kind(&page.hear(&streams[0]).await), "closed");
        // The second one is not read at all: what has come still can be, and nothing more can be sent.
        assert_eq!(kind(&page.hear(&streams[1]).await), "stopReading");
        page.say(&streams[1], credit(10_000));
        assert_eq!(kind(&page.hear(&streams[1]).await), "data");
        let mut last = page.hear(&streams[1]).await;
        while kind(&last) == "data" {
            last = page.hear(&streams[1]).await;
        }
        assert_eq!(kind(&last), "reset");
        assert_eq!(kind(&page.hear(&streams[1]).await), "closed");
        let site = world.host.core().sessions.of_origin(SITE)[0].site.clone();
        let freed = async {
            while site.streams.get() != 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(super::support::SOON, freed)
            .await
            .unwrap();
    });
}

/// Clocks that jump are a machine that slept: what breaks now broke because of it, and is dialed again. Whatever they say, the node runs.
#[test]
fn after_a_sleep_what_breaks_is_dialed_again() {
    run(false, async {
        let world = World::new().await;
        let (page, server, _) = connected(&world, private(&[ECHO])).await;
        let events = json!({"events": ["connection.opened", "connection.closed"]});
        page.call("events.subscribe", events).await.unwrap();
        let node = only_peer(&server).await;
        let (hour, years) = (60 * 60 * 1000, 10 * 365 * 24 * 60 * 60 * 1000);
        for jump in [-hour, -years, years, hour] {
            world.platform.clock.set(jump);
            tokio::time::sleep(CLOCK_EVERY + Duration::from_millis(200)).await;
            world.node_is("online").await;
        }
        server.disconnect(node).await.unwrap();
        page.notification("connection.closed").await;
        page.notification("connection.opened").await;
    });
}
