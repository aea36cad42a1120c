//! Documents: who is served, and what ends with them.

use std::{rc::Rc, time::Duration};

use mooring_api::{port::FromHost, prompt::Duration as Choice};
use serde_json::{Value as Json, json};

use super::support::{Inbox, Memory, World, run};
use crate::{Area, Sender, Value, from_value, limits};

const SITE: &str = "https://site.example";

#[test]
fn others_meet_silence() {
    run(true, async {
        let world = World::new().await;
        let sender = Sender {
            name: "page".into(),
            origin: Some("null".into()),
            frame_id: Some(0),
            ..Sender::default()
        };
        let (port, inbox) = world.connect(&sender);
        let ready = inbox.messages.borrow_mut().pop_front().unwrap();
        assert_eq!(
            ready,
            Value::object([("t", Value::text("ready")), ("available", Value::Null)])
        );
        let hello = json!({"t": "rpc", "m": {"jsonrpc": "2.0", "id": 1, "method": "node.hello"}});
        port.receive(hello.into());
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(inbox.messages.borrow().is_empty());
        assert!(!inbox.closed.get());
    });
}

#[test]
fn only_our_own_pages_are_popup_and_prompt() {
    run(true, async {
        let world = World::new().await;
        let own = "chrome-extension://abcdef";
        for (name, url, extension) in [
            ("popup", format!("{own}/popup.html"), false),
            ("popup", format!("{own}/prompt.html"), true),
            ("popup", format!("{own}/popup.html.evil"), true),
            ("popup", "https://site.example/popup.html".into(), true),
            ("popup", format!("{own}.evil.example/popup.html"), true),
            ("prompt", format!("{own}/popup.html"), true),
            ("page", format!("{own}/popup.html"), true),
            ("admin", format!("{own}/popup.html"), true),
        ] {
            let sender = Sender {
                name: name.into(),
                url: Some(url.clone()),
                origin: Some(own.into()),
                extension,
                ..Sender::default()
            };
            let (_port, inbox) = world.connect(&sender);
            assert!(inbox.closed.get(), "{name} {url} {extension}");
            assert!(inbox.messages.borrow().is_empty());
        }
    });
}

#[test]
fn documents_are_bounded() {
    run(true, async {
        let world = World::new().await;
        let pages: Vec<_> = (0..limits::MAX_SESSIONS_PER_ORIGIN)
            .map(|_| world.page(SITE))
            .collect();
        let sender = Sender {
            name: "page".into(),
            origin: Some(SITE.into()),
            frame_id: Some(0),
            ..Sender::default()
        };
        let (_port, inbox) = world.connect(&sender);
        assert_eq!(
            inbox.messages.borrow()[0].get("available"),
            Some(&Value::Null)
        );
        world.page("https://other.example");
        drop(pages);
        world.page(SITE);
    });
}

#[test]
fn a_document_takes_what_was_its_own_with_it() {
    run(true, async {
        let world = World::new().await;
        let page = world.page(SITE);
        let other = world.page(SITE);
        let id = page.send(
            "permissions.request",
            json!({"permissions": [{"name": "peers"}]}),
        );
        world.prompt().await.allow(Choice::Once);
        page.answer(&id).await.unwrap();
        assert_eq!(
            page.call("permissions.query", json!({})).await.unwrap()["granted"],
            json!([{"name": "peers"}])
        );
        assert_eq!(
            other.call("permissions.query", json!({})).await.unwrap()["granted"],
            json!([])
        );
        // Its question goes with it.
        page.send(
            "permissions.request",
            json!({"permissions": [{"name": "identity"}]}),
        );
        world.prompt().await;
        page.port.closed();
        world.no_window().await;
        let core = world.host.core();
        assert_eq!(core.sessions.documents(SITE), 1);
        let site = &core.sessions.of_origin(SITE)[0].site;
        assert_eq!(site.in_flight.get(), 0);
        assert!(
            core.grants
                .borrow()
                .sites(world.platform.now_ms())
                .is_empty()
        );
        // What comes late is dropped.
        page.send("node.hello", json!({}));
        page.port.closed();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(core.sessions.documents(SITE), 1);
    });
}

use crate::Platform as _;

#[test]
fn without_its_identity_the_node_does_not_run_until_the_user_chose() {
    run(true, async {
        let platform = Memory::new();
        let first = World::on(platform.clone()).await;
        first.node_is("online").await;
        let page = first.page(SITE);
        first.grant(&page, json!([{"name": "identity"}])).await;
        let peer = page.call("identity.get", json!({})).await.unwrap()["peerId"].clone();
        first.host.shutdown().await;
        drop((page, first));

        // The same identity after a restart.
        let second = World::on(platform.clone()).await;
        second.node_is("online").await;
        let page = second.page(SITE);
        assert_eq!(
            page.call("identity.get", json!({})).await.unwrap()["peerId"],
            peer
        );
        second.host.shutdown().await;
        drop((page, second));

        for slot in ["identity.a", "identity.b"] {
            let text = platform.text(slot).unwrap();
            platform.put(Area::Storage, slot, Value::Text(text.replace('0', "1")));
        }
        let third = World::on(platform.clone()).await;
        third.node_is("failed").await;
        let page = third.page(SITE);
        let (code, data) = page.call("identity.get", json!({})).await.unwrap_err();
        assert_eq!(code, 4900);
        assert!(data["detail"].as_str().unwrap().contains("damaged"));
        let popup = third.popup();
        let snapshot = popup.snapshot(|_| true).await;
        assert!(matches!(
            snapshot.identity,
            mooring_api::popup::IdentityState::Damaged { .. }
        ));
        // Trying again finds the same.
        popup
            .command(mooring_api::popup::Command::RetryIdentity)
            .await
            .unwrap();
        popup
            .snapshot(|s| {
                matches!(
                    s.identity,
                    mooring_api::popup::IdentityState::Damaged { .. }
                )
            })
            .await;
        let damaged = platform.text("identity.a").unwrap();
        popup
            .command(mooring_api::popup::Command::NewIdentity)
            .await
            .unwrap();
        third.node_is("online").await;
        let now = page.call("identity.get", json!({})).await.unwrap()["peerId"].clone();
        assert_ne!(now, peer);
        assert_eq!(platform.text("identity.a.aside.0"), Some(damaged));
        let refused = popup
            .command(mooring_api::popup::Command::NewIdentity)
            .await
            .unwrap_err();
        assert_eq!(refused.code.code(), -32600);
    });
}

#[test]
fn storage_that_cannot_be_read_makes_no_identity() {
    run(true, async {
        let platform: Rc<Memory> = Memory::new();
        platform.broken.set(true);
        let world = World::on(platform.clone()).await;
        world.node_is("failed").await;
        assert!(platform.stored.borrow().is_empty());
        let snapshot = world.popup().snapshot(|s| s.reason.is_some()).await;
        assert!(snapshot.reason.unwrap().contains("cannot be read"));
        platform.broken.set(false);
        world.node_is("online").await;
    });
}

fn served(world: &World, origin: &str) -> (crate::PortEnd, Rc<super::support::Inbox>) {
    world.connect(&Sender {
        name: "page".into(),
        origin: Some(origin.into()),
        frame_id: Some(0),
        ..Sender::default()
    })
}

/// What the first message says, where there is one: whether there is a node.
fn told(world: &World, origin: &str) -> Option<bool> {
    let (_port, inbox) = served(world, origin);
    let first = inbox.messages.borrow_mut().pop_front();
    assert!(inbox.messages.borrow().is_empty());
    assert_eq!(inbox.closed.get(), first.is_none());
    first.map(|ready| ready.get("available") != Some(&Value::Null))
}

#[test]
fn the_user_may_keep_the_node_from_sites_that_hold_nothing() {
    run(true, async {
        let platform = Memory::new();
        let world = World::on(platform.clone()).await;
        let allowed = world.page(SITE);
        world.grant(&allowed, json!([{"name": "peers"}])).await;
        let stranger = world.page("https://stranger.example");
        let popup = world.popup();
        assert!(popup.snapshot(|_| true).await.announced_everywhere);
        let choose = |everywhere| mooring_api::popup::Command::SetAnnounced { everywhere };
        popup.command(choose(false)).await.unwrap();
        popup.snapshot(|s| !s.announced_everywhere).await;
        assert_eq!(told(&world, SITE), Some(true));
        assert_eq!(told(&world, "https://stranger.example"), Some(false));
        // What was told is not taken back: that would only leave its requests without an answer.
        assert!(stranger.call("node.hello", json!({})).await.is_ok());
        // It outlives the host, and who holds nothing any more is a stranger again.
        let again = World::on(platform.clone()).await;
        assert_eq!(told(&again, SITE), Some(true));
        assert_eq!(told(&again, "https://stranger.example"), Some(false));
        let forget = mooring_api::popup::Command::ForgetSite {
            origin: SITE.into(),
        };
        let popup = again.popup();
        popup.command(forget).await.unwrap();
        assert_eq!(told(&again, SITE), Some(false));
        popup.command(choose(true)).await.unwrap();
        assert_eq!(told(&again, SITE), Some(true));
        let last = World::on(platform.clone()).await;
        assert_eq!(told(&last, "https://stranger.example"), Some(true));
        // What nobody can read, nobody is told: such a port is closed, to be opened again.
        platform.put(Area::Storage, "announce", Value::Number(5.0));
        assert_eq!(told(&World::on(platform.clone()).await, SITE), Some(false));
        platform.remove(Area::Storage, "announce").await.unwrap();
        platform.broken.set(true);
        let unread = World::on(platform.clone()).await;
        assert_eq!(told(&unread, SITE), None);
        platform.broken.set(false);
        tokio::time::sleep(limits::RESTART_MAX).await;
        assert_eq!(told(&unread, SITE), Some(true));
    });
}

/// The host before is gone, and what it knew of the page with it; the content script says again what that had told it.
#[test]
fn subscriptions_go_on_with_a_new_host_and_give_nothing_that_is_not_held() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page("https://a.example");
        let events = json!({"events": ["node.stateChanged", "permissions.changed"]});
        page.call("events.subscribe", events).await.unwrap();
        let told = |inbox: &Inbox| {
            let messages = inbox.messages.borrow();
            let last = messages.iter().rev().find_map(|message| {
                match from_value::<FromHost<Json>>(message.clone()) {
                    Ok(FromHost::Events { events }) => Some(events),
                    _ => None,
                }
            });
            last.unwrap_or_default()
        };
        assert_eq!(
            told(&page.inbox),
            ["node.stateChanged", "permissions.changed"]
        );
        let gone = json!({"events": ["permissions.changed"]});
        page.call("events.unsubscribe", gone).await.unwrap();
        assert_eq!(told(&page.inbox), ["node.stateChanged"]);

        let again = world.page("https://a.example");
        let names = ["node.stateChanged", "peer.connected", "no.such"];
        again.port.receive(Value::object([
            ("t", Value::text("events")),
            ("events", Value::List(names.map(Value::text).to_vec())),
        ]));
        let (now, _) = again.notification("node.stateChanged").await;
        assert_eq!(now, json!({"state": "online"}));
        assert_eq!(told(&again.inbox), ["peer.connected", "node.stateChanged"]);
        world.host.set_network(false);
        let (changed, _) = again.notification("node.stateChanged").await;
        assert_eq!(changed["state"], "offline");
        // What is no list of names changes nothing.
        for events in [
            Value::Null,
            Value::text("x"),
            Value::List(vec![Value::Null; 9]),
        ] {
            again.port.receive(Value::object([
                ("t", Value::text("events")),
                ("events", events),
            ]));
        }
        assert_eq!(told(&again.inbox), ["peer.connected", "node.stateChanged"]);
    });
}
