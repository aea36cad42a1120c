//! Topics, through the host: among documents, and with a real node on loopback.

use std::time::Duration;

use futures::StreamExt;
use mooring_api::results::PubsubMessage;
use mooring_node::{Handle, TopicMessages};
use serde_json::{Value as Json, json};

use super::{
    remote::{SITE, connected, only_peer},
    support::{Answer, Page, SOON, World, run},
};
use crate::{Value, from_value, limits};

const OTHER: &str = "https://other.example";

fn pubsub(topics: &[&str]) -> Json {
    json!([{"name": "dial", "privateNetwork": true}, {"name": "pubsub", "topics": topics}])
}

fn news() -> Json {
    json!({"topic": "news"})
}

/// Publishes bytes, which JSON has no word for.
async fn publish(page: &Page, topic: &str, data: impl Into<Vec<u8>>) -> Answer {
    page.raw(Value::object([
        ("jsonrpc", Value::text("2.0")),
        ("id", Value::text("publish")),
        ("method", Value::text("pubsub.publish")),
        (
            "params",
            Value::object([
                ("topic", Value::text(topic)),
                ("data", Value::Bytes(data.into())),
            ]),
        ),
    ]));
    page.answer("publish").await
}

fn is_message(message: &Value) -> Option<PubsubMessage> {
    let m = message.get("m")?;
    (m.get("method")?.as_text() == Some("pubsub.message"))
        .then(|| from_value(m.get("params").unwrap().clone()).unwrap())
}

/// The next message that a page is told of.
async fn message(page: &Page) -> PubsubMessage {
    page.inbox.take(is_message).await
}

/// How many messages wait for a page.
fn waiting(page: &Page) -> usize {
    let messages = page.inbox.messages.borrow();
    messages.iter().filter_map(is_message).count()
}

async fn next(messages: &mut TopicMessages) -> Vec<u8> {
    let next = tokio::time::timeout(SOON, messages.next()).await;
    next.unwrap().unwrap().message.data.clone()
}

/// Until a page's node and the server know that the other is in a topic.
async fn meet(page: &Page, server: &Handle, topic: &str) {
    let node = only_peer(server).await;
    let met = async {
        loop {
            let seen = server.topic_peers(topic).await.unwrap();
            let sees = page.call("pubsub.peers", json!({"topic": topic})).await;
            let peer = server.local_peer_id().to_string();
            if seen.contains(&node) && sees.unwrap() == json!({"peers": [peer]}) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, met).await.unwrap();
}

fn node_of(world: &World) -> Handle {
    world.host.core().node.running().unwrap()
}

/// Until everything that is in the node has been read: what the same node publishes now comes after it.
async fn settled(world: &World) {
    let node = node_of(world);
    let mut marks = node.subscribe("a mark").await.unwrap();
    node.publish("a mark", vec![], None).await.unwrap();
    next(&mut marks).await;
    tokio::task::yield_now().await;
}

#[test]
fn pages_and_peers_hear_each_other_and_nobody_hears_himself() {
    run(false, async {
        let world = World::new().await;
        let (page, server, peer) = connected(&world, pubsub(&["news"])).await;
        let mut theirs = server.subscribe("news").await.unwrap();
        assert_eq!(
            page.call("pubsub.subscribe", news()).await.unwrap(),
            json!({})
        );
        meet(&page, &server, "news").await;
        let tab = world.page(SITE);
        // Again the same changes nothing.
        for _ in 0..2 {
            tab.call("pubsub.subscribe", news()).await.unwrap();
        }
        let other = world.page(OTHER);
        world.grant(&other, pubsub(&["new*"])).await;
        other.call("pubsub.subscribe", news()).await.unwrap();

        let hello = vec![0, 255, 7];
        let published = publish(&page, "news", hello.clone()).await.unwrap();
        assert_eq!(published["recipients"], 1);
        assert_eq!(next(&mut theirs).await, hello);
        let own = node_of(&world).local_peer_id().to_string();
        for listener in [&tab, &other] {
            let heard = message(listener).await;
            assert_eq!((&heard.topic, &heard.from), (&"news".into(), &own));
            assert_eq!(*heard.data, hello);
            assert_eq!(json!(heard.message_id), published["messageId"]);
            assert_eq!(heard.dropped, None);
        }
        server.publish("news", b"hi".to_vec(), None).await.unwrap();
        for listener in [&page, &tab, &other] {
            let heard = message(listener).await;
            assert_eq!((&heard.from, &*heard.data), (&peer, &b"hi".to_vec()));
            let number: u64 = heard.sequence_number.unwrap().parse().unwrap();
            assert!(heard.message_id.ends_with(&format!("{number:016x}")));
            assert_eq!(waiting(listener), 0);
        }
        // Who left hears nothing and may still speak.
        tab.call("pubsub.unsubscribe", news()).await.unwrap();
        publish(&tab, "news", b"bye".to_vec()).await.unwrap();
        assert_eq!(&*message(&page).await.data, b"bye");
        assert_eq!(&*message(&other).await.data, b"bye");
        assert_eq!(waiting(&tab), 0);
        // With nobody there it is no error.
        world.grant(&page, pubsub(&["empty"])).await;
        let alone = publish(&page, "empty", b"anybody?".to_vec()).await.unwrap();
        assert_eq!(alone["recipients"], 0);
        assert_ne!(alone["messageId"], published["messageId"]);
    });
}

#[test]
fn what_is_taken_back_ends_at_once() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world.grant(&page, pubsub(&["news", "room-*"])).await;
        let room = json!({"topic": "room-7"});
        page.call("pubsub.subscribe", news()).await.unwrap();
        page.call("pubsub.subscribe", room.clone()).await.unwrap();
        let node = node_of(&world);
        let say = async |topic: &str| {
            node.publish(topic, b"x".to_vec(), None).await.unwrap();
        };
        let revoke = async |permission: Json| {
            let permissions = json!({"permissions": [permission]});
            page.call("permissions.revoke", permissions).await.unwrap();
        };
        revoke(json!({"name": "pubsub", "topics": ["news"]})).await;
        assert_eq!(page.fails("pubsub.subscribe", news()).await, 4100);
        assert_eq!(publish(&page, "news", [1]).await.unwrap_err().0, 4100);
        say("news").await;
        say("room-7").await;
        assert_eq!(message(&page).await.topic, "room-7");
        assert_eq!(waiting(&page), 0);
        revoke(json!({"name": "pubsub"})).await;
        say("room-7").await;
        settled(&world).await;
        assert_eq!(waiting(&page), 0);
        assert!(world.host.core().topics.is_empty());
        // Held again, nothing comes back by itself.
        world.grant(&page, pubsub(&["news", "room-*"])).await;
        say("room-7").await;
        settled(&world).await;
        assert_eq!(waiting(&page), 0);
        // Nothing outlives its document, or its hour.
        page.call("pubsub.subscribe", room.clone()).await.unwrap();
        drop(page);
        assert!(world.host.core().topics.is_empty());
        let hourly = world.page(OTHER);
        let hour = mooring_api::prompt::Duration::Hour;
        world.allow(&hourly, pubsub(&["news"]), hour).await;
        hourly.call("pubsub.subscribe", news()).await.unwrap();
        world.platform.clock.set(3_600_001);
        say("news").await;
        settled(&world).await;
        assert_eq!(waiting(&hourly), 0);
    });
}

#[test]
fn what_a_site_takes_of_the_node_is_bounded() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world.grant(&page, pubsub(&["room-*", "news"])).await;
        let other = world.page(OTHER);
        world.grant(&other, pubsub(&["room-*", "news"])).await;
        let room = |n: usize| json!({"topic": format!("room-{n}")});
        let full = async |what: &str, answer: Answer| {
            let (code, data) = answer.unwrap_err();
            assert_eq!((code, data["detail"].as_str()), (5005, Some(what)));
            data["retryAfterMs"].as_u64()
        };
        for n in 0..limits::MAX_TOPICS_PER_ORIGIN {
            page.call("pubsub.subscribe", room(n)).await.unwrap();
        }
        let more = page.call("pubsub.subscribe", news()).await;
        assert!(full("subscriptions", more).await.is_some());
        page.call("pubsub.subscribe", room(0)).await.unwrap();
        other.call("pubsub.subscribe", news()).await.unwrap();
        // Peers are told of each new one: a page that comes and goes is made to wait.
        page.call("pubsub.unsubscribe", room(0)).await.unwrap();
        let again = page.call("pubsub.subscribe", room(0)).await;
        let wait = full("newSubscriptionsPerSecond", again).await.unwrap();
        tokio::time::advance(Duration::from_millis(wait)).await;
        page.call("pubsub.subscribe", room(0)).await.unwrap();

        let largest = vec![7; limits::MAX_PUBLISH_BYTES];
        publish(&page, "news", largest.clone()).await.unwrap();
        assert_eq!(*message(&other).await.data, largest);
        let larger = vec![7; limits::MAX_PUBLISH_BYTES + 1];
        let larger = publish(&page, "news", larger).await;
        assert_eq!(full("publishBytes", larger).await, None);
        for _ in 1..limits::PUBLISHES_PER_SECOND {
            publish(&page, "news", []).await.unwrap();
        }
        let much = publish(&page, "news", []).await;
        let wait = full("publishesPerSecond", much).await.unwrap();
        publish(&other, "news", []).await.unwrap();
        tokio::time::advance(Duration::from_millis(wait)).await;
        publish(&page, "news", []).await.unwrap();

        let status = page.call("node.status", json!({})).await.unwrap();
        for (name, limit) in [
            ("subscriptions", 64),
            ("newSubscriptionsPerSecond", 4),
            ("publishesPerSecond", 250),
            ("publishBytes", 63 * 1024),
        ] {
            assert_eq!(status["limits"][name], limit, "{name}");
        }
    });
}

/// A page cannot say that it does not keep up: it is given so much, and told of the rest.
#[test]
fn a_flood_reaches_a_page_as_a_bounded_number_of_messages() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world.grant(&page, pubsub(&["news"])).await;
        page.call("pubsub.subscribe", news()).await.unwrap();
        let node = node_of(&world);
        let heavy = usize::try_from(limits::MESSAGE_BYTES_BURST).unwrap()
            / (limits::MAX_PUBLISH_BYTES + limits::MESSAGE_COST);
        for (size, most) in [
            (1, usize::try_from(limits::MESSAGE_BURST).unwrap()),
            (limits::MAX_PUBLISH_BYTES, heavy),
        ] {
            for n in 0..most + 5 {
                node.publish("news", vec![1; size], None).await.unwrap();
                if n < most {
                    assert_eq!(message(&page).await.dropped, None);
                }
            }
            settled(&world).await;
            assert_eq!(waiting(&page), 0);
            tokio::time::advance(Duration::from_secs(5)).await;
            node.publish("news", vec![2], None).await.unwrap();
            let after = message(&page).await;
            assert_eq!((&**after.data, after.dropped), (&[2][..], Some(5)));
            tokio::time::advance(Duration::from_secs(5)).await;
        }
    });
}

#[test]
fn a_subscription_goes_on_when_the_node_is_started_anew() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world.grant(&page, pubsub(&["news"])).await;
        page.call("pubsub.subscribe", news()).await.unwrap();
        node_of(&world).shutdown().await;
        let heard = async {
            while waiting(&page) == 0 {
                if let Some(node) = world.host.core().node.running() {
                    // One that has ended publishes nothing.
                    let _ = node.publish("news", vec![1], None).await;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON, heard).await.unwrap();
        page.call("pubsub.unsubscribe", news()).await.unwrap();
        assert!(world.host.core().topics.is_empty());
    });
}

fn in_background(topics: &[&str]) -> Json {
    let mut all = pubsub(topics);
    let background = json!({"name": "background"});
    all.as_array_mut().unwrap().push(background);
    all
}

#[test]
fn messages_wait_for_the_next_tab_of_a_site_that_may_work_in_the_background() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world.grant(&page, in_background(&["news", "olds"])).await;
        let olds = json!({"topic": "olds"});
        page.call("pubsub.subscribe", news()).await.unwrap();
        page.call("pubsub.subscribe", olds.clone()).await.unwrap();
        let node = node_of(&world);
        let say = async |topic: &str, data: &[u8]| {
            node.publish(topic, data.to_vec(), None).await.unwrap();
            settled(&world).await;
        };
        say("news", b"seen").await;
        message(&page).await;
        drop(page);
        say("olds", b"quiet").await;
        let most = limits::MAX_WAITING_MESSAGES;
        // One place is taken by the other topic, which does not lose it.
        for n in 0..most + 2 {
            say("news", n.to_string().as_bytes()).await;
        }
        // Another site has no part in it.
        let other = world.page(OTHER);
        world.grant(&other, in_background(&["news", "olds"])).await;
        other.call("pubsub.subscribe", news()).await.unwrap();
        settled(&world).await;
        assert_eq!(waiting(&other), 0);

        let tab = world.page(SITE);
        settled(&world).await;
        assert_eq!(waiting(&tab), 0, "it has not subscribed yet");
        let id = tab.send("pubsub.subscribe", news());
        settled(&world).await;
        // What waited comes after the answer, when the page looks out for it.
        let first = tab.inbox.messages.borrow().front().unwrap().clone();
        assert_eq!(
            first.get("m").unwrap().get("id").unwrap().as_text(),
            Some(&*id)
        );
        tab.answer(&id).await.unwrap();
        for n in 3..most + 2 {
            let heard = message(&tab).await;
            assert_eq!(&**heard.data, n.to_string().as_bytes());
            assert_eq!(heard.dropped, (n == 3).then_some(3));
        }
        say("news", b"now").await;
        assert_eq!(&**message(&tab).await.data, b"now");
        // A second tab gets what comes from now on, and nothing a second time.
        let second = world.page(SITE);
        second.call("pubsub.subscribe", news()).await.unwrap();
        second.call("pubsub.subscribe", olds).await.unwrap();
        let heard = message(&second).await;
        assert_eq!((&**heard.data, heard.dropped), (&b"quiet"[..], None));
        assert_eq!((waiting(&second), waiting(&tab)), (0, 0));
    });
}

#[test]
fn what_waits_is_bounded_in_bytes_too() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world.grant(&page, in_background(&["news"])).await;
        page.call("pubsub.subscribe", news()).await.unwrap();
        drop(page);
        let node = node_of(&world);
        let size = limits::MAX_PUBLISH_BYTES;
        let most = limits::MAX_WAITING_BYTES / (size + limits::MESSAGE_COST);
        for n in 0..most + 4 {
            let data = vec![u8::try_from(n).unwrap(); size];
            node.publish("news", data, None).await.unwrap();
            settled(&world).await;
        }
        let tab = world.page(SITE);
        tab.call("pubsub.subscribe", news()).await.unwrap();
        for n in 4..most + 4 {
            let heard = message(&tab).await;
            assert_eq!(usize::from(heard.data[0]), n);
            assert_eq!(heard.dropped, (n == 4).then_some(4));
        }
        assert_eq!(waiting(&tab), 0);
    });
}

#[test]
fn what_waits_ends_with_its_grant() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let topics = &world.host.core().topics;
        let node = node_of(&world);
        let say = async || {
            node.publish("news", b"x".to_vec(), None).await.unwrap();
            settled(&world).await;
        };
        // The user takes it back while no tab is open.
        let page = world.page(SITE);
        world.grant(&page, in_background(&["news"])).await;
        page.call("pubsub.subscribe", news()).await.unwrap();
        drop(page);
        say().await;
        let forget = mooring_api::popup::Command::ForgetSite {
            origin: SITE.into(),
        };
        world.popup().command(forget).await.unwrap();
        assert!(topics.is_empty());
        // The site gives it back, and its last tab goes; another one unsubscribes.
        let page = world.page(SITE);
        world.grant(&page, in_background(&["news"])).await;
        page.call("pubsub.subscribe", news()).await.unwrap();
        drop(page);
        say().await;
        let page = world.page(SITE);
        page.call("pubsub.unsubscribe", news()).await.unwrap();
        assert!(topics.is_empty());
        page.call("pubsub.subscribe", news()).await.unwrap();
        assert_eq!(waiting(&page), 0);
        let background = json!({"permissions": [{"name": "background"}]});
        page.call("permissions.revoke", background).await.unwrap();
        say().await;
        assert_eq!(waiting(&page), 1);
        drop(page);
        assert!(topics.is_empty());
        // Its hour is over, and nobody has noticed yet.
        let hourly = world.page(OTHER);
        let hour = mooring_api::prompt::Duration::Hour;
        world.allow(&hourly, in_background(&["news"]), hour).await;
        hourly.call("pubsub.subscribe", news()).await.unwrap();
        drop(hourly);
        say().await;
        world.platform.clock.set(3_600_001);
        say().await;
        let hourly = world.page(OTHER);
        world.grant(&hourly, in_background(&["news"])).await;
        hourly.call("pubsub.subscribe", news()).await.unwrap();
        settled(&world).await;
        assert!(
            waiting(&hourly) <= 1,
            "what came after the hour does not wait"
        );
    });
}
