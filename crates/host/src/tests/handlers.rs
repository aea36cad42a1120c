//! Streams that remotes open, through the host from a real node on loopback.

use std::time::Duration;

use mooring_api::prompt::Duration as Choice;
use mooring_node::{DialRequest, Scope};
use serde_json::json;

use super::{
    remote::{ECHO, SITE, chat, connected, credit, data, kind, only_peer, private, say},
    support::{SOON, World, run},
};
use crate::{Value, limits};

#[test]
fn inbound_streams_reach_the_tab_that_handled_last() {
    run(false, async {
        let world = World::new().await;
        let (page, server, _) = connected(&world, private(&["/chat/1", ECHO])).await;
        let other = world.page("https://other.example");
        world.grant(&other, private(&["/chat/1"])).await;
        let handle = json!({"protocols": ["/chat/1"]});
        page.call("streams.handle", handle.clone()).await.unwrap();
        assert_eq!(other.fails("streams.handle", handle.clone()).await, 5007);
        let tab = world.page(SITE);
        tab.call("streams.handle", handle.clone()).await.unwrap();
        let node = only_peer(&server).await;
        let open = || chat(node);
        let mut opened = server.open_stream(open()).await.unwrap();
        let (incoming, stream) = tab.notification("streams.incoming").await;
        let stream = stream.unwrap();
        let peer = server.local_peer_id().to_string();
        assert_eq!(
            incoming,
            json!({"stream": stream, "protocol": "/chat/1", "peer": peer})
        );
        // Half-closed by the remote with its last bytes, which need credit; the end comes without any more.
        use futures::{AsyncReadExt, AsyncWriteExt};
        opened.stream.write_all(b"hello").await.unwrap();
        opened.stream.close().await.unwrap();
        assert_eq!(kind(&tab.hear(&stream).await), "credit");
        tab.say(&stream, credit(5));
        assert_eq!(tab.hear(&stream).await, data(b"hello".to_vec()));
        assert_eq!(kind(&tab.hear(&stream).await), "closeWrite");
        tab.say(&stream, data(b"bye".to_vec()));
        tab.say(&stream, say("closeWrite"));
        let mut rest = Vec::new();
        opened.stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"bye");
        loop {
            match kind(&tab.hear(&stream).await) {
                "credit" => {}
                "closed" => break,
                other => panic!("{other}"),
            }
        }
        // The tab goes; the one before takes over. When that unhandles, another origin may.
        drop(tab);
        server.open_stream(open()).await.unwrap();
        page.notification("streams.incoming").await;
        page.call("streams.unhandle", handle.clone()).await.unwrap();
        other.call("streams.handle", handle).await.unwrap();
        server.open_stream(open()).await.unwrap();
        other.notification("streams.incoming").await;
        // What belongs to the node cannot be handled.
        world
            .grant(
                &other,
                json!([{"name": "streams", "protocols": ["/ipfs/*"]}]),
            )
            .await;
        assert_eq!(
            other
                .fails("streams.handle", json!({"protocols": ["/ipfs/ping/1.0.0"]}))
                .await,
            5007
        );
        let scope = Scope::PRIVATE;
        let again = DialRequest {
            peer: Some(node),
            addresses: vec![],
            owner: None,
            scope,
            timeout: Duration::from_secs(1),
        };
        assert!(server.dial(again).await.is_ok());
    });
}

/// Grants end by the clock, and those who see to it look at it only now and then.
#[test]
fn a_stream_that_comes_after_the_hour_is_not_delivered() {
    run(false, async {
        use futures::AsyncReadExt;
        let world = World::new().await;
        let (page, server, _) = connected(&world, private(&[ECHO])).await;
        let hour = json!([{"name": "streams", "protocols": ["/chat/1"]}]);
        world.allow(&page, hour, Choice::Hour).await;
        page.call("streams.handle", json!({"protocols": ["/chat/1"]}))
            .await
            .unwrap();
        let node = only_peer(&server).await;
        let _taken = server.open_stream(chat(node)).await.unwrap();
        page.notification("streams.incoming").await;
        world.platform.clock.set(3_600_001);
        let mut late = server.open_stream(chat(node)).await.unwrap();
        let mut byte = [0];
        let reset = tokio::time::timeout(SOON, late.stream.read(&mut byte)).await;
        assert!(!matches!(reset.expect("a reset"), Ok(1..)));
        let told = |message: &Value| message.get("m")?.get("method").cloned();
        assert!(
            page.inbox
                .messages
                .borrow()
                .iter()
                .all(|m| told(m).is_none())
        );
    });
}

/// With `background` a site's handlers outlive its last tab, and the next one gets what came meanwhile.
#[test]
fn streams_wait_for_the_next_tab_of_a_site_that_may_work_in_the_background() {
    run(false, async {
        use futures::{AsyncReadExt, AsyncWriteExt};
        let world = World::new().await;
        let mut permissions = private(&["/chat/1"]);
        permissions
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "background"}));
        let (page, server, _) = connected(&world, permissions).await;
        let node = only_peer(&server).await;
        let handle = json!({"protocols": ["/chat/1"]});
        page.call("streams.handle", handle.clone()).await.unwrap();
        let site = world.host.core().sessions.of_origin(SITE)[0].site.clone();
        drop(page);

        let too_many = limits::MAX_WAITING_STREAMS + 2;
        let mut remotes = Vec::new();
        for n in 0..too_many {
            let mut opened = server.open_stream(chat(node)).await.unwrap();
            opened
                .stream
                .write_all(&[u8::try_from(n).unwrap()])
                .await
                .unwrap();
            opened.stream.flush().await.unwrap();
            remotes.push(opened.stream);
        }
        // Those over the bound are reset at once.
        for mut reset in remotes.drain(limits::MAX_WAITING_STREAMS..) {
            assert!(!matches!(reset.read(&mut [0]).await, Ok(1..)));
        }
        assert_eq!(site.streams.get() as usize, limits::MAX_WAITING_STREAMS);

        // Another site gets neither the protocol nor the streams.
        let other = world.page("https://other.example");
        world.grant(&other, private(&["/chat/1"])).await;
        assert_eq!(other.fails("streams.handle", handle.clone()).await, 5007);
        let tab = world.page(SITE);
        tab.call("streams.handle", handle.clone()).await.unwrap();
        for n in 0..limits::MAX_WAITING_STREAMS {
            let (incoming, stream) = tab.notification("streams.incoming").await;
            let dropped = (n == 0).then_some(2);
            assert_eq!(
                incoming.get("dropped").and_then(serde_json::Value::as_u64),
                dropped
            );
            let stream = stream.unwrap();
            assert_eq!(kind(&tab.hear(&stream).await), "credit");
            tab.say(&stream, credit(1));
            assert_eq!(
                tab.hear(&stream).await,
                data(vec![u8::try_from(n).unwrap()])
            );
        }
        // Taken back, nothing outlives the tab any more.
        let background = json!({"permissions": [{"name": "background"}]});
        tab.call("permissions.revoke", background).await.unwrap();
        drop(tab);
        other.call("streams.handle", handle).await.unwrap();
    });
}

#[test]
fn a_stream_does_not_wait_for_its_tab_for_ever() {
    run(false, async {
        use futures::AsyncReadExt;
        let world = World::new().await;
        let mut permissions = private(&["/chat/1"]);
        permissions
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "background"}));
        let (page, server, _) = connected(&world, permissions).await;
        let node = only_peer(&server).await;
        let handle = json!({"protocols": ["/chat/1"]});
        page.call("streams.handle", handle.clone()).await.unwrap();
        let site = world.host.core().sessions.of_origin(SITE)[0].site.clone();
        drop(page);
        let mut waits = server.open_stream(chat(node)).await.unwrap().stream;
        let arrived = async {
            while site.streams.get() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(super::support::SOON, arrived)
            .await
            .unwrap();
        tokio::time::pause();
        tokio::time::advance(limits::STREAM_PATIENCE + Duration::from_secs(1)).await;
        tokio::time::resume();
        assert!(!matches!(waits.read(&mut [0]).await, Ok(1..)));
        assert_eq!(site.streams.get(), 0);
        // The next tab hears of it with the next stream.
        let tab = world.page(SITE);
        tab.call("streams.handle", handle).await.unwrap();
        for dropped in [Some(1), None] {
            let _next = server.open_stream(chat(node)).await.unwrap();
            let (incoming, _) = tab.notification("streams.incoming").await;
            assert_eq!(
                incoming.get("dropped").and_then(serde_json::Value::as_u64),
                dropped
            );
        }
    });
}

#[test]
fn a_handler_does_not_outlive_its_grant() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        let chat = || json!({"protocols": ["/chat/1"]});
        let wanted = json!([{"name": "streams", "protocols": ["/chat/1"]}, {"name": "background"}]);
        world.grant(&page, wanted.clone()).await;
        page.call("streams.handle", chat()).await.unwrap();
        drop(page);
        let other = world.page("https://other.example");
        world.grant(&other, wanted).await;
        assert_eq!(other.fails("streams.handle", chat()).await, 5007);
        // Without a tab the user can still take it back.
        let forget = mooring_api::popup::Command::ForgetSite {
            origin: SITE.into(),
        };
        world.popup().command(forget).await.unwrap();
        other.call("streams.handle", chat()).await.unwrap();
        // A tab that unhandles leaves nothing behind either.
        other.call("streams.unhandle", chat()).await.unwrap();
        drop(other);
        let third = world.page("https://third.example");
        world
            .grant(
                &third,
                json!([{"name": "streams", "protocols": ["/chat/1"]}]),
            )
            .await;
        third.call("streams.handle", chat()).await.unwrap();
    });
}

/// The node tells every peer all that is handled, and so takes little of it: no site may have it all.
#[test]
fn a_site_that_handles_all_it_can_leaves_other_sites_their_share() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let named = |from: usize, count: usize, bytes: usize| -> Vec<String> {
            (from..from + count)
                .map(|n| format!("/{n:0>width$}", width = bytes - 1))
                .collect()
        };
        // Anything there is.
        let all = json!([{"name": "streams", "protocols": ["/00*"]}]);
        let greedy = world.page(SITE);
        world.grant(&greedy, all.clone()).await;
        let handle = |protocols: Vec<String>| json!({"protocols": protocols});
        let (most, bytes) = (
            limits::MAX_HANDLED_PER_ORIGIN,
            limits::MAX_HANDLED_BYTES_PER_ORIGIN,
        );
        for (protocols, what) in [
            (named(0, most + 1, 8), "handledProtocols"),
            (named(0, bytes / 100 + 1, 100), "handledProtocolBytes"),
        ] {
            let (code, data) = greedy
                .call("streams.handle", handle(protocols))
                .await
                .unwrap_err();
            assert_eq!((code, data["detail"].as_str()), (5005, Some(what)));
        }
        greedy
            .call("streams.handle", handle(named(0, most, bytes / most)))
            .await
            .unwrap();
        let more = handle(named(100, 1, 8));
        assert_eq!(greedy.fails("streams.handle", more.clone()).await, 5005);
        // Again what it handles is no more; another tab of it has no share of its own.
        let tab = world.page(SITE);
        tab.call("streams.handle", handle(named(0, 2, bytes / most)))
            .await
            .unwrap();
        assert_eq!(tab.fails("streams.handle", more).await, 5005);
        let other = world.page("https://other.example");
        world.grant(&other, all).await;
        other
            .call("streams.handle", handle(named(200, most, bytes / most)))
            .await
            .unwrap();
    });
}
