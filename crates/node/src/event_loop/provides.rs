//! The keys that this node tells the DHT it provides, for whom, and when it does so again.

use std::collections::HashMap;

use libp2p::kad::QueryId;
use web_time::Instant;

use super::EventLoop;
use crate::{
    DhtKey, Error, Owner,
    limits::{
        PROVIDE_INTERVAL, PROVIDE_MOVED, PROVIDE_RETRY, PROVIDED_PER_OWNER, PROVIDES_AT_ONCE,
        RETRY_AFTER,
    },
};

struct Provided {
    owners: Vec<Owner>,
    /// When it was announced last.
    last: Instant,
    due: Instant,
    /// Being announced anew.
    query: Option<QueryId>,
}

/// The provided keys.
pub(super) struct Provides {
    limit: usize,
    keys: HashMap<DhtKey, Provided>,
}

impl Provides {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            keys: HashMap::new(),
        }
    }

    pub(super) fn holds(&self, key: &DhtKey) -> bool {
        self.keys.contains_key(key)
    }

    /// Is there room for one more?
    pub(super) fn check(&self, key: &DhtKey, owner: &Owner) -> Result<(), Error> {
        let full = |what| {
            Err(Error::LimitExceeded {
                what,
                retry_after: RETRY_AFTER,
            })
        };
        let known = self.keys.get(key);
        if known.is_some_and(|it| it.owners.contains(owner)) {
            return Ok(());
        }
        if known.is_none() && self.keys.len() >= self.limit {
            return full("kad_provided_keys");
        }
        let own = self.keys.values().filter(|it| it.owners.contains(owner));
        if own.count() >= PROVIDED_PER_OWNER {
            return full("keys that one site provides");
        }
        Ok(())
    }

    /// It has been announced for an owner, who provides it from now on.
    pub(super) fn hold(&mut self, key: DhtKey, owner: Owner, now: Instant) -> Result<(), Error> {
        self.check(&key, &owner)?;
        let due = now.checked_add(PROVIDE_INTERVAL).unwrap_or(now);
        let provided = self.keys.entry(key).or_insert_with(|| Provided {
            owners: Vec::new(),
            last: now,
            due,
            query: None,
        });
        provided.last = now;
        provided.due = due;
        if !provided.owners.contains(&owner) {
            provided.owners.push(owner);
        }
        Ok(())
    }

    /// The owner provides it no more; whether nobody does, who did.
    pub(super) fn release(&mut self, key: &DhtKey, owner: &Owner) -> bool {
        let Some(provided) = self.keys.get_mut(key) else {
            return false;
        };
        provided.owners.retain(|it| it != owner);
        let over = provided.owners.is_empty();
        if over {
            self.keys.remove(key);
        }
        over
    }

    /// As [`release`](Self::release) of all; those that nobody provides any more.
    pub(super) fn release_all(&mut self, owner: &Owner) -> Vec<DhtKey> {
        let keys: Vec<DhtKey> = self.keys.keys().cloned().collect();
        keys.into_iter()
            .filter(|key| self.release(key, owner))
            .collect()
    }

    /// This node is reached elsewhere: what is said of it is soon to be said anew.
    pub(super) fn moved(&mut self, now: Instant) {
        for provided in self.keys.values_mut() {
            // Addresses that come and go all the time are not worth as many lookups.
            let earliest = [
                now.checked_add(PROVIDE_MOVED),
                provided.last.checked_add(PROVIDE_RETRY),
            ];
            if let Some(earliest) = earliest.into_iter().flatten().max() {
                provided.due = provided.due.min(earliest);
            }
        }
    }

    /// An announcement is over; whether anybody heard it.
    pub(super) fn announced(&mut self, id: QueryId, heard: bool, now: Instant) {
        let ours = self.keys.values_mut().find(|it| it.query == Some(id));
        if let Some(provided) = ours {
            let pause = if heard {
                PROVIDE_INTERVAL
            } else {
                PROVIDE_RETRY
            };
            provided.query = None;
            provided.last = now;
            provided.due = now.checked_add(pause).unwrap_or(now);
        }
    }

    /// What is to be announced now.
    fn due(&self, now: Instant) -> Vec<DhtKey> {
        let running = self.keys.values().filter(|it| it.query.is_some()).count();
        self.keys
            .iter()
            .filter(|(_, it)| it.query.is_none() && it.due <= now)
            .map(|(key, _)| key.clone())
            .take(PROVIDES_AT_ONCE.saturating_sub(running))
            .collect()
    }

    fn began(&mut self, key: &DhtKey, id: QueryId) {
        if let Some(provided) = self.keys.get_mut(key) {
            provided.query = Some(id);
        }
    }
}

impl EventLoop {
    /// Announces what is due. It is the node's own upkeep, whoever asked for it once: it reaches no private
    /// address that the node's own scope does not allow.
    pub(super) fn tick_provides(&mut self, now: Instant) {
        let due = self.provides.due(now);
        if due.is_empty() || self.paused || self.swarm.external_addresses().next().is_none() {
            return;
        }
        let kad = &mut self.swarm.behaviour_mut().kad;
        if !kad.has_somebody(self.scope) {
            return;
        }
        for key in due {
            // It has its place in the store.
            if let Ok(id) = kad.provide(&key, self.scope) {
                self.provides.began(&key, id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use libp2p::PeerId;

    use super::*;

    fn key() -> DhtKey {
        DhtKey::from(PeerId::random())
    }

    #[test]
    fn a_key_lives_as_long_as_one_of_its_owners() {
        let mut provides = Provides::new(10);
        let (one, two) = (Owner::new("one"), Owner::new("two"));
        let (shared, own) = (key(), key());
        let now = Instant::now();
        provides.hold(shared.clone(), one.clone(), now).unwrap();
        provides.hold(shared.clone(), one.clone(), now).unwrap();
        provides.hold(shared.clone(), two.clone(), now).unwrap();
        provides.hold(own.clone(), two.clone(), now).unwrap();
        assert!(!provides.release(&shared, &one));
        assert!(!provides.release(&shared, &one));
        assert!(provides.holds(&shared));
        let mut gone = provides.release_all(&two);
        assert_eq!(gone.len(), 2);
        gone.retain(|key| *key != own && *key != shared);
        assert!(gone.is_empty());
        assert!(!provides.holds(&shared));
        assert!(!provides.release(&shared, &two));
    }

    #[test]
    fn keys_are_bounded_for_each_owner_and_for_all() {
        let mut provides = Provides::new(PROVIDED_PER_OWNER + 1);
        let (one, two) = (Owner::new("one"), Owner::new("two"));
        let now = Instant::now();
        let first = key();
        provides.hold(first.clone(), one.clone(), now).unwrap();
        for _ in 1..PROVIDED_PER_OWNER {
            provides.hold(key(), one.clone(), now).unwrap();
        }
        assert!(provides.hold(key(), one.clone(), now).is_err());
        // What it provides already is no other one.
        provides.hold(first, one.clone(), now).unwrap();
        provides.hold(key(), two.clone(), now).unwrap();
        assert!(provides.hold(key(), two, now).is_err());
        assert_eq!(provides.keys.len(), PROVIDED_PER_OWNER + 1);
    }

    #[test]
    fn what_is_announced_is_announced_again_in_time() {
        let mut provides = Provides::new(10);
        let owner = Owner::new("one");
        let now = Instant::now();
        for _ in 0..5 {
            provides.hold(key(), owner.clone(), now).unwrap();
        }
        assert!(provides.due(now).is_empty());
        assert_eq!(provides.due(now + PROVIDE_INTERVAL).len(), PROVIDES_AT_ONCE);
        // Elsewhere: soon, but not over and over.
        provides.moved(now);
        assert!(provides.due(now + PROVIDE_MOVED).is_empty());
        let later = now + PROVIDE_RETRY;
        assert_eq!(provides.due(later).len(), PROVIDES_AT_ONCE);
        let much_later = now + PROVIDE_INTERVAL - Duration::from_secs(60);
        provides.moved(much_later);
        assert!(provides.due(much_later).len() == PROVIDES_AT_ONCE);
    }
}
