//! The quotas of an origin: over each there is 5005 with its name and a time, and others do not notice.

use mooring_api::limits::{MAX_ADDRESSES, MAX_NAMES};
use serde_json::{Value as Json, json};

use super::{
    remote::{ECHO, SITE, connected, private, server},
    support::{Answer, Page, World, run},
};
use crate::limits;

const OTHER: &str = "https://other.example";
const CID: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";

/// Over that quota, and told when to try again.
fn full(answer: Answer, what: &str) {
    let (code, data) = answer.unwrap_err();
    assert_eq!((code, data["detail"].as_str()), (5005, Some(what)));
    assert!(data["retryAfterMs"].as_u64().unwrap() > 0);
}

fn stranger() -> Json {
    json!({"peer": libp2p::PeerId::random().to_string(), "timeoutMs": 1000})
}

/// A page of each of the two sites, with these permissions.
async fn two_sites(world: &World, permissions: Json) -> (Page, Page) {
    let (page, other) = (world.page(SITE), world.page(OTHER));
    world.grant(&page, permissions.clone()).await;
    world.grant(&other, permissions).await;
    (page, other)
}

/// Sends so many at once, so that no time passes between them; their answers.
async fn at_once(page: &Page, count: u32, method: &str, params: impl Fn() -> Json) -> Vec<Answer> {
    let ids: Vec<String> = (0..count).map(|_| page.send(method, params())).collect();
    let mut answers = Vec::new();
    for id in ids {
        answers.push(page.answer(&id).await);
    }
    answers
}

#[test]
fn dials_have_a_rate_that_refusals_do_not_touch() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let (page, other) = two_sites(&world, json!([{"name": "dial"}])).await;
        for _ in 0..limits::DIAL_BURST + 1 {
            for (address, code) in [("/ip4/10.0.0.1/tcp/1/ws", 5007), ("nowhere", 5006)] {
                let dial = json!({"addresses": [address]});
                assert_eq!(page.fails("connections.dial", dial).await, code);
            }
        }
        let mut answers =
            at_once(&page, limits::DIAL_BURST + 5, "connections.dial", stranger).await;
        for answer in answers.split_off(usize::try_from(limits::DIAL_BURST).unwrap()) {
            full(answer, "dialsPerSecond");
        }
        for answer in answers {
            assert_ne!(answer.unwrap_err().0, 5005);
        }
        let theirs = other.fails("connections.dial", stranger()).await;
        assert!([5001, 5004].contains(&theirs), "{theirs}");
    });
}

#[test]
fn a_dial_takes_as_many_addresses_as_the_contract_says() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let page = world.page(SITE);
        world
            .grant(&page, json!([{"name": "dial", "privateNetwork": true}]))
            .await;
        let peer = libp2p::PeerId::random();
        // Nobody listens on the lowest ports.
        let dial = |count: usize| {
            let addresses: Vec<String> = (1..=count)
                .map(|port| format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}"))
                .collect();
            json!({"addresses": addresses})
        };
        assert_eq!(
            page.fails("connections.dial", dial(MAX_ADDRESSES)).await,
            5001
        );
        assert_eq!(
            page.fails("connections.dial", dial(MAX_ADDRESSES + 1))
                .await,
            -32602
        );
    });
}

/// Peers that take a connection and say nothing keep a dial for all its time.
#[test]
fn a_site_whose_dials_hang_leaves_other_sites_theirs() {
    run(false, async {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let world = World::new().await;
        world.node_is("online").await;
        let (server, address) = server().await;
        let (page, other) = two_sites(&world, private(&[ECHO])).await;
        let hangs = || {
            let peer = libp2p::PeerId::random();
            json!({"addresses": [format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}")]})
        };
        let hanging: Vec<String> = (0..60)
            .map(|_| page.send("connections.dial", hangs()))
            .collect();
        let mut held = Vec::new();
        for _ in 0..mooring_node::Limits::client().dialing.each {
            held.push(silent.accept().await.unwrap());
        }
        let dial = json!({"addresses": [address], "timeoutMs": 5000});
        other.call("connections.dial", dial.clone()).await.unwrap();
        // Its own wait, and are not refused …
        for id in &hanging {
            assert!(!page.has_answer(id));
        }
        // … and go on as soon as there is room.
        for id in &hanging {
            page.raw(
                json!({"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": id}}).into(),
            );
        }
        for id in &hanging {
            assert_eq!(page.answer(id).await.unwrap_err().0, 5008);
        }
        page.call("connections.dial", dial).await.unwrap();
        server.shutdown().await;
    });
}

/// A stream to a peer that is not connected dials it, and may look it up before.
#[test]
fn streams_are_no_way_around_the_rate_of_dials() {
    run(false, async {
        let world = World::new().await;
        let (page, server, peer) = connected(&world, private(&[ECHO])).await;
        let other = world.page(OTHER);
        world.grant(&other, private(&[ECHO])).await;
        let open = |peer: &str| json!({"peer": peer, "protocols": [ECHO], "timeoutMs": 1000});
        let stranger = || open(&libp2p::PeerId::random().to_string());
        let core = world.host.core();
        let site = core.sessions.of_origin(SITE)[0].site.clone();
        while site.dials.take(core.platform.uptime()).is_ok() {}
        full(
            page.call("streams.open", stranger()).await,
            "dialsPerSecond",
        );
        let theirs = other.fails("streams.open", stranger()).await;
        assert!([5001, 5004].contains(&theirs), "{theirs}");
        // To a peer that is connected nothing is dialed.
        let id = page.send("streams.open", open(&peer));
        assert!(page.answer_with_stream(&id).await.1.is_some());
        server.shutdown().await;
    });
}

#[test]
fn requests_have_a_rate() {
    run(true, async {
        let world = World::new().await;
        let (page, other) = (world.page(SITE), world.page(OTHER));
        let nothing = || json!({"events": []});
        let mut refused = 0;
        for _ in 0..limits::REQUESTS_PER_SECOND + 10 {
            let answer = page.call("events.unsubscribe", nothing()).await;
            if answer.is_err() {
                full(answer, "requestsPerSecond");
                refused += 1;
                assert!(other.call("events.unsubscribe", nothing()).await.is_ok());
            }
        }
        assert_eq!(refused, 10);
    });
}

#[test]
fn lookups_in_flight_are_counted_for_each_site() {
    run(true, async {
        let world = World::new().await;
        world.node_is("online").await;
        let (page, other) = two_sites(&world, json!([{"name": "routing"}])).await;
        let site = world.host.core().sessions.of_origin(SITE)[0].site.clone();
        site.lookups_in_flight.set(limits::MAX_LOOKUPS_PER_ORIGIN);
        let lookup = || json!({"key": CID});
        full(
            page.call("dht.closestPeers", lookup()).await,
            "lookupsInFlight",
        );
        // Nobody is there to be asked.
        assert_eq!(other.fails("dht.closestPeers", lookup()).await, 5009);
        site.lookups_in_flight.set(0);
        assert_eq!(page.fails("dht.closestPeers", lookup()).await, 5009);
        assert_eq!(site.lookups_in_flight.get(), 0);
    });
}

#[test]
fn streams_are_counted_for_each_site() {
    run(false, async {
        let world = World::new().await;
        let (page, server, peer) = connected(&world, private(&[ECHO])).await;
        let other = world.page(OTHER);
        world.grant(&other, private(&[ECHO])).await;
        let site = world.host.core().sessions.of_origin(SITE)[0].site.clone();
        // As many as were open.
        site.streams.set(limits::MAX_STREAMS_PER_ORIGIN);
        let open = json!({"peer": peer, "protocols": [ECHO]});
        full(page.call("streams.open", open.clone()).await, "streams");
        let id = other.send("streams.open", open.clone());
        assert!(other.answer_with_stream(&id).await.1.is_some());
        site.streams.set(limits::MAX_STREAMS_PER_ORIGIN - 1);
        let id = page.send("streams.open", open);
        assert!(page.answer_with_stream(&id).await.1.is_some());
        assert_eq!(site.streams.get(), limits::MAX_STREAMS_PER_ORIGIN);
        server.shutdown().await;
    });
}

#[test]
fn what_a_site_holds_is_bounded() {
    run(true, async {
        let world = World::new().await;
        let (page, other) = (world.page(SITE), world.page(OTHER));
        let names = |prefix: &str, round: usize| -> Vec<String> {
            (0..MAX_NAMES)
                .map(|n| format!("/{prefix}/{round}/{n}"))
                .collect()
        };
        let rounds = limits::MAX_VALUES_PER_ORIGIN / (2 * MAX_NAMES);
        for round in 0..rounds {
            let all = json!([
                {"name": "streams", "protocols": names("stream", round)},
                {"name": "pubsub", "topics": names("topic", round)}
            ]);
            world.grant(&page, all).await;
        }
        let before = page.held().await;
        let more = json!({"permissions": [{"name": "peers"}]});
        let id = page.send("permissions.request", more.clone());
        world
            .prompt()
            .await
            .allow(mooring_api::prompt::Duration::Session);
        full(page.answer(&id).await, "heldPermissions");
        assert_eq!(page.held().await, before);
        world.no_window().await;
        world.grant(&other, more["permissions"].clone()).await;
        // What is given back makes room.
        let back = json!({"permissions": [{"name": "pubsub"}]});
        page.call("permissions.revoke", back).await.unwrap();
        world.grant(&page, more["permissions"].clone()).await;
    });
}
