use libp2p::PeerId;
use mooring_api::popup::IdentityState;
use mooring_node::KnownPeer;
use proptest::prelude::*;

use super::*;
use crate::{
    Value,
    slots::Slot,
    tests::support::{Memory, World, run, until},
};

/// Not of the DHT, so that no node dials it by itself.
fn peer(n: u64) -> KnownPeer {
    KnownPeer {
        peer: PeerId::random(),
        addresses: vec![format!("/ip4/9.9.9.9/tcp/{}/ws", n + 1).parse().unwrap()],
        seen: n,
        dht: false,
        failures: 0,
    }
}

fn peers(count: u64) -> KnownPeers {
    KnownPeers::new((0..count).rev().map(peer))
}

async fn stored(memory: &Memory) -> KnownPeers {
    match SLOTS.read(memory).await.unwrap() {
        Found::Record(text) => KnownPeers::decode(&text).unwrap(),
        found => panic!("{found:?}"),
    }
}

/// A memory in which these were stored, twice as after some time.
async fn memory_with(before: &KnownPeers) -> Rc<Memory> {
    let memory = Memory::new();
    let remembered = Remembered::default();
    let older = KnownPeers::new(before.iter().skip(1).cloned());
    remembered.store(&*memory, older).await.unwrap();
    remembered.store(&*memory, before.clone()).await.unwrap();
    memory
}

#[test]
fn a_node_begins_with_what_the_last_one_knew() {
    run(false, async {
        let before = peers(3);
        let memory = memory_with(&before).await;
        let world = World::on(memory.clone()).await;
        world.node_is("online").await;
        let node = world.host.core().node.running().unwrap();
        let known = node.known_peers().await.unwrap();
        let ids = |all: &KnownPeers| all.iter().map(|it| it.peer).collect::<Vec<_>>();
        assert_eq!(ids(&known), ids(&before));
        assert_eq!(world.host.core().remembered.trouble(), None);
        // Peers that were never connected are not in its list.
        assert!(node.peers().await.unwrap().is_empty());
    });
}

#[test]
fn only_what_has_changed_is_written() {
    run(true, async {
        let before = peers(3);
        let memory = memory_with(&before).await;
        let remembered = Remembered::default();
        remembered.read(&*memory).await;
        // A write would fail.
        memory.writes_left.set(Some(0));
        remembered.store(&*memory, before.clone()).await.unwrap();
        let more = KnownPeers::new([peer(9)]);
        assert!(remembered.store(&*memory, more.clone()).await.is_err());
        memory.broken.set(false);
        memory.writes_left.set(None);
        // That was torn, and the other copy is as it was.
        let old = stored(&memory).await;
        assert!(old == before || old.len() == 2, "{old:?}");
        remembered.store(&*memory, more.clone()).await.unwrap();
        assert_eq!(stored(&memory).await, more);
        // Nothing at all is no reason to write where nothing was.
        let memory = Memory::new();
        let remembered = Remembered::default();
        remembered
            .store(&*memory, KnownPeers::default())
            .await
            .unwrap();
        assert!(memory.stored.borrow().is_empty());
    });
}

#[test]
fn a_crash_in_any_write_leaves_the_last_or_the_one_before() {
    run(true, async {
        for writes in 0..3 {
            let before = peers(2);
            let memory = memory_with(&before).await;
            let remembered = Remembered::default();
            remembered.read(&*memory).await;
            memory.writes_left.set(Some(writes));
            let after = peers(5);
            let written = remembered.store(&*memory, after.clone()).await.is_ok();
            memory.writes_left.set(None);
            memory.broken.set(false);
            let now = stored(&memory).await;
            assert_eq!(now, if written { after } else { before });
        }
    });
}

#[test]
fn storage_that_cannot_be_read_is_not_written_over() {
    run(true, async {
        let before = peers(3);
        let memory = memory_with(&before).await;
        memory.broken.set(true);
        let remembered = Remembered::default();
        assert!(remembered.read(&*memory).await.is_empty());
        assert!(remembered.trouble().is_some());
        let new = KnownPeers::new([peer(7)]);
        remembered.store(&*memory, new.clone()).await.unwrap();
        memory.broken.set(false);
        assert_eq!(stored(&memory).await, before);
        // Once it can be read, both count, and the trouble is over.
        remembered.store(&*memory, new.clone()).await.unwrap();
        assert_eq!(stored(&memory).await, new.clone().and(&before));
        assert_eq!(remembered.trouble(), None);
        remembered.store(&*memory, new.clone()).await.unwrap();
        assert_eq!(stored(&memory).await.len(), 4);
        // A node that begins now has them all.
        assert_eq!(remembered.read(&*memory).await.len(), 4);
    });
}

#[test]
fn a_node_without_them_runs_says_so_and_is_itself() {
    run(false, async {
        let memory = memory_with(&peers(3)).await;
        let first = World::on(memory.clone()).await;
        first.node_is("online").await;
        let own = first.host.core().node.running().unwrap().local_peer_id();
        first.host.shutdown().await;
        for slot in ["peers.a", "peers.b"] {
            memory.put(Area::Storage, slot, Value::Bool(true));
        }
        let world = World::on(memory.clone()).await;
        world.node_is("online").await;
        let node = world.host.core().node.running().unwrap();
        assert_eq!(node.local_peer_id(), own);
        assert!(node.known_peers().await.unwrap().is_empty());
        let popup = world.popup();
        let said = |reason: &Option<String>| {
            reason
                .as_ref()
                .is_some_and(|it| it.contains("peers known from before cannot be read"))
        };
        let snapshot = popup.snapshot(|it| said(&it.reason)).await;
        assert!(matches!(snapshot.identity, IdentityState::Ready { .. }));
        until("kept aside", async || memory.text("peers.a.aside.0")).await;
    });
}

#[test]
fn a_later_versions_peers_are_kept_aside() {
    run(true, async {
        let memory = Memory::new();
        let newer = r#"{"version":2,"peers":{}}"#;
        SLOTS.write(&*memory, newer).await.unwrap();
        let remembered = Remembered::default();
        assert!(remembered.read(&*memory).await.is_empty());
        assert!(remembered.trouble().unwrap().contains("version 2"));
        assert!(memory.text("peers.a.aside.0").unwrap().ends_with(newer));
        let new = peers(1);
        remembered.store(&*memory, new.clone()).await.unwrap();
        assert_eq!(stored(&memory).await, new);
    });
}

/// What may have become of a stored text.
#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Gone,
    Number(f64),
    Bytes(Vec<u8>),
    Text(String),
    List,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<usize>(), 1..=255_u8).prop_map(|(at, with)| Damage::Flip(at, with)),
        any::<usize>().prop_map(Damage::Cut),
        Just(Damage::Gone),
        any::<f64>().prop_map(Damage::Number),
        any::<Vec<u8>>().prop_map(Damage::Bytes),
        ".*".prop_map(Damage::Text),
        Just(Damage::List),
    ]
}

fn apply(memory: &Memory, slot: &str, damage: &Damage) {
    let text = memory.text(slot).unwrap();
    let value = match damage {
        Damage::Flip(at, with) => {
            let mut bytes = text.into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= with;
            Value::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
        Damage::Cut(at) => Value::Text(text[..at % text.len()].to_owned()),
        Damage::Gone => Value::Null,
        Damage::Number(number) => Value::Number(*number),
        Damage::Bytes(bytes) => Value::Bytes(bytes.clone()),
        Damage::Text(text) => Value::Text(text.clone()),
        Damage::List => Value::List(vec![Value::Text(text)]),
    };
    memory.put(Area::Storage, slot, value);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_damaged_copy_leaves_the_other(which: bool, damage in damage()) {
        run(true, async {
            let before = peers(3);
            let memory = memory_with(&before).await;
            apply(&memory, if which { "peers.a" } else { "peers.b" }, &damage);
            let remembered = Remembered::default();
            let read = remembered.read(&*memory).await;
            assert!(read == before || read == KnownPeers::new(before.iter().skip(1).cloned()));
            assert_eq!(remembered.trouble(), None);
        });
    }

    #[test]
    fn two_damaged_copies_are_none_and_it_goes_on(a in damage(), b in damage()) {
        run(true, async {
            let memory = memory_with(&peers(3)).await;
            apply(&memory, "peers.a", &a);
            apply(&memory, "peers.b", &b);
            let gone = matches!((&a, &b), (Damage::Gone, Damage::Gone));
            let remembered = Remembered::default();
            assert!(remembered.read(&*memory).await.is_empty());
            assert_eq!(remembered.trouble().is_none(), gone);
            let new = peers(2);
            remembered.store(&*memory, new.clone()).await.unwrap();
            assert_eq!(stored(&memory).await, new);
            let slots = SLOTS.read_slots(&*memory).await.unwrap();
            assert!(slots.iter().any(|slot| matches!(slot, Slot::Valid { .. })));
        });
    }

    #[test]
    fn whatever_a_sound_record_says(payload in ".{0,200}") {
        run(true, async {
            let memory = Memory::new();
            SLOTS.write(&*memory, &payload).await.unwrap();
            let remembered = Remembered::default();
            assert!(remembered.read(&*memory).await.is_empty());
            assert!(remembered.trouble().is_some());
        });
    }
}
