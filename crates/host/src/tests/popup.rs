use mooring_api::{
    popup::{Command, IdentityState},
    results::NodeState,
};
use serde_json::json;

use super::{
    remote::server,
    support::{Memory, World, run},
};
use crate::Value;

#[test]
fn snapshots_come_at_once_and_follow() {
    run(true, async {
        let world = World::new().await;
        let popup = world.popup();
        let snapshot = popup.snapshot(|s| s.state == NodeState::Online).await;
        assert_eq!(snapshot.product_version, "1.2.3");
        assert!(matches!(snapshot.identity, IdentityState::Ready { .. }));
        assert!(!snapshot.paused && snapshot.connections.is_empty());
        assert_eq!(*world.platform.badge.borrow(), ("online".to_owned(), 0));
        // A popup that is gone gets nothing more.
        popup.port.closed();
        popup.inbox.messages.borrow_mut().clear();
        world.page("https://a.example");
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        assert!(popup.inbox.messages.borrow().is_empty());
    });
}

#[test]
fn it_shows_the_relays_that_make_the_node_reachable() {
    run(false, async {
        let world = World::new().await;
        world.node_is("online").await;
        let (relay, address) = server().await;
        let popup = world.popup();
        popup.command(Command::Dial { address }).await.unwrap();
        let snapshot = popup
            .snapshot(|s| s.relays.iter().any(|relay| relay.reserved))
            .await;
        let peer = relay.local_peer_id().to_string();
        assert_eq!(snapshot.relays.len(), 1);
        assert_eq!(snapshot.relays[0].peer_id, peer);
        assert_eq!(
            (&snapshot.relays[0].cause, snapshot.relays[0].retry_in_ms),
            (&None, None)
        );
        popup.command(Command::HangUp { peer }).await.unwrap();
        popup.snapshot(|s| s.relays.is_empty()).await;
    });
}

#[test]
fn a_pause_lasts() {
    run(true, async {
        let platform = Memory::new();
        let world = World::on(platform.clone()).await;
        world.node_is("online").await;
        let page = world.page("https://a.example");
        page.call("events.subscribe", json!({"events": ["node.stateChanged"]}))
            .await
            .unwrap();
        let popup = world.popup();
        popup
            .command(Command::SetPaused { paused: true })
            .await
            .unwrap();
        let (changed, _) = page.notification("node.stateChanged").await;
        assert_eq!(changed["state"], "offline");
        let snapshot = popup.snapshot(|s| s.paused).await;
        assert_eq!(snapshot.state, NodeState::Offline);
        world.grant(&page, json!([{"name": "dial"}])).await;
        let address = "/dns4/example.com/tcp/443/tls/ws/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
        let dial = json!({"addresses": [address]});
        assert_eq!(page.fails("connections.dial", dial).await, 5001);
        let again = World::on(platform.clone()).await;
        again.node_is("offline").await;
        again
            .popup()
            .command(Command::SetPaused { paused: false })
            .await
            .unwrap();
        again.node_is("online").await;
    });
}

#[test]
fn a_network_that_is_lost_is_told_and_so_is_its_return() {
    run(true, async {
        let world = World::new().await;
        // Before the node runs: it starts offline.
        world.host.set_network(false);
        world.node_is("offline").await;
        world.host.set_network(true);
        world.node_is("online").await;
        let page = world.page("https://a.example");
        page.call("events.subscribe", json!({"events": ["node.stateChanged"]}))
            .await
            .unwrap();
        let popup = world.popup();
        world.host.set_network(false);
        let (changed, _) = page.notification("node.stateChanged").await;
        assert_eq!(
            changed,
            json!({"state": "offline", "reason": "The network is lost."})
        );
        let snapshot = popup.snapshot(|s| s.state == NodeState::Offline).await;
        assert!(!snapshot.paused);
        tokio::time::sleep(crate::limits::SNAPSHOT_EVERY * 2).await;
        assert_eq!(world.platform.badge.borrow().0, "offline");
        // The user's pause is another matter, and outlasts it.
        let pause = |paused| popup.command(Command::SetPaused { paused });
        pause(true).await.unwrap();
        world.host.set_network(true);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        world.node_is("offline").await;
        world.host.set_network(false);
        pause(false).await.unwrap();
        let reason = world.host.core().node.status().reason;
        assert_eq!(reason.as_deref(), Some("The network is lost."));
        world.host.set_network(true);
        world.node_is("online").await;
        assert_eq!(world.host.core().node.status().reason, None);
    });
}

#[test]
fn bad_commands_are_answered_or_dropped() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let popup = world.popup();
        for (command, code) in [
            (
                Command::Dial {
                    address: "junk".into(),
                },
                5006,
            ),
            (
                Command::Dial {
                    address: "/ip4/127.0.0.1/udp/1/utp".into(),
                },
                5006,
            ),
            (
                Command::HangUp {
                    peer: "junk".into(),
                },
                -32602,
            ),
            (Command::NewIdentity, -32600),
            (Command::RetryIdentity, -32600),
        ] {
            assert_eq!(popup.command(command).await.unwrap_err().code.code(), code);
        }
        for junk in [
            Value::Null,
            Value::text("x"),
            json!({"id": 1}).into(),
            json!({"id": -1, "command": "setPaused"}).into(),
        ] {
            popup.port.receive(junk);
        }
        assert!(
            popup
                .command(Command::ForgetSite {
                    origin: "nobody".into()
                })
                .await
                .is_ok()
        );
    });
}
