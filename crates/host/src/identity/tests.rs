use proptest::prelude::*;

use super::*;
use crate::tests::support::{Memory, run};

fn peer(identity: Identity) -> String {
    match identity {
        Identity::Ready(keypair) => keypair.public().to_peer_id().to_string(),
        Identity::Damaged(detail) => panic!("damaged: {detail}"),
    }
}

#[test]
fn the_first_start_makes_one_and_the_next_finds_it() {
    run(true, async {
        let memory = Memory::new();
        let first = peer(load(&*memory).await.unwrap());
        assert_eq!(peer(load(&*memory).await.unwrap()), first);
        // Either copy is enough, and is doubled again.
        for slot in ["identity.a", "identity.b"] {
            memory.put(Area::Storage, slot, Value::Null);
            assert_eq!(peer(load(&*memory).await.unwrap()), first);
            assert!(memory.text(slot).is_some(), "{slot}");
        }
    });
}

#[test]
fn a_crash_in_any_write_loses_nothing() {
    run(true, async {
        for writes in 0..5 {
            // While the first one is made: afterwards there is one, whatever was left behind.
            let memory = Memory::new();
            memory.writes_left.set(Some(writes));
            let first = load(&*memory).await;
            memory.writes_left.set(None);
            memory.broken.set(false);
            let again = load(&*memory).await.unwrap();
            if let Ok(first) = first {
                assert_eq!(peer(first), peer(again));
            } else {
                // Nobody has seen it, so another would do as well; but there is one.
                peer(again);
            }
            // While a lost copy is replaced: what there was stays.
            let memory = Memory::new();
            let before = peer(load(&*memory).await.unwrap());
            memory.put(Area::Storage, "identity.b", Value::text("torn"));
            memory.writes_left.set(Some(writes));
            let _ = load(&*memory).await;
            memory.writes_left.set(None);
            memory.broken.set(false);
            assert_eq!(peer(load(&*memory).await.unwrap()), before);
        }
    });
}

#[test]
fn one_that_is_gone_is_not_replaced() {
    run(true, async {
        let memory = Memory::new();
        load(&*memory).await.unwrap();
        let mark = memory.text(MARK).unwrap();
        memory.stored.borrow_mut().clear();
        memory.put(Area::Storage, MARK, Value::Text(mark));
        assert!(matches!(
            load(&*memory).await.unwrap(),
            Identity::Damaged(_)
        ));
        // Neither is something without a mark.
        memory.stored.borrow_mut().clear();
        memory.put(Area::Storage, "identity.a", Value::text("something"));
        assert!(matches!(
            load(&*memory).await.unwrap(),
            Identity::Damaged(_)
        ));
        // Nor what a later version wrote.
        memory.stored.borrow_mut().clear();
        SLOTS.write(&*memory, "p256:abcdef").await.unwrap();
        assert!(matches!(
            load(&*memory).await.unwrap(),
            Identity::Damaged(_)
        ));
    });
}

#[test]
fn storage_that_fails_says_nothing_about_an_identity() {
    run(true, async {
        let memory = Memory::new();
        let first = peer(load(&*memory).await.unwrap());
        memory.broken.set(true);
        assert!(load(&*memory).await.is_err());
        assert!(renew(&*memory).await.is_err());
        memory.broken.set(false);
        assert_eq!(peer(load(&*memory).await.unwrap()), first);
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
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn one_damaged_copy_is_healed(which: bool, damage in damage()) {
        run(true, async {
            let memory = Memory::new();
            let before = peer(load(&*memory).await.unwrap());
            apply(&memory, if which { "identity.a" } else { "identity.b" }, &damage);
            assert_eq!(peer(load(&*memory).await.unwrap()), before);
            let slots = SLOTS.read_slots(&*memory).await.unwrap();
            assert!(slots.iter().all(|slot| matches!(slot, Slot::Valid { .. })));
        });
    }

    #[test]
    fn two_damaged_copies_never_become_another_identity(a in damage(), b in damage()) {
        run(true, async {
            let memory = Memory::new();
            load(&*memory).await.unwrap();
            apply(&memory, "identity.a", &a);
            apply(&memory, "identity.b", &b);
            let stored = memory.stored.borrow().clone();
            assert!(matches!(load(&*memory).await.unwrap(), Identity::Damaged(_)));
            // Compared in words, since NaN is not itself.
            assert_eq!(format!("{:?}", memory.stored.borrow().len()), format!("{:?}", stored.len()));
            renew(&*memory).await.unwrap();
            assert!(matches!(load(&*memory).await.unwrap(), Identity::Ready(_)));
        });
    }
}
