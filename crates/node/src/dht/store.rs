//! What a server keeps for others, within bounds, and what this node provides itself.
//!
//! libp2p's own store keeps provider records of others for ever once nobody asks for them, takes as many addresses as fit into a
//! message, and takes nothing new when it is full. This one forgets what has expired, and then what is farthest
//! from this node, which is what the DHT has it for the least: filling it with keys from anywhere drives out no key nearby.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, hash_map::Entry},
    vec,
};

use libp2p::{
    PeerId,
    kad::{
        K_VALUE, KBucketDistance, KBucketKey, ProviderRecord, Record, RecordKey,
        store::{Error, RecordStore, Result},
    },
};
use web_time::Instant;

use super::record;
use crate::{
    Limits,
    limits::{ADDRESS_BYTES, KAD_ADDRESSES, KAD_KEY, KAD_SWEEP},
};

/// The records of one node.
pub(crate) struct Store {
    local: PeerId,
    value_bytes: usize,
    own_keys: usize,
    records: Nearest<Record>,
    providers: Nearest<Vec<ProviderRecord>>,
    /// What this node provides; others drive none of it out.
    provided: HashMap<RecordKey, ProviderRecord>,
    swept: Option<Instant>,
}

impl Store {
    pub(crate) fn new(local: PeerId, limits: &Limits) -> Self {
        Self {
            local,
            value_bytes: limits.kad_record_bytes,
            own_keys: limits.kad_provided_keys,
            records: Nearest::new(local, limits.kad_records),
            providers: Nearest::new(local, limits.kad_provided_keys),
            provided: HashMap::new(),
            swept: None,
        }
    }

    /// Forgets what has expired, when it is full; not more often than it is worth.
    fn make_room(&mut self) {
        if !self.records.is_full() && !self.providers.is_full() {
            return;
        }
        let now = Instant::now();
        if self
            .swept
            .is_some_and(|at| now.saturating_duration_since(at) < KAD_SWEEP)
        {
            return;
        }
        self.swept = Some(now);
        self.records.retain(|record| !record.is_expired(now));
        self.providers.retain(|providers| {
            providers.retain(|provider| !provider.is_expired(now));
            !providers.is_empty()
        });
    }
}

impl RecordStore for Store {
    type RecordsIter<'a> = vec::IntoIter<Cow<'a, Record>>;
    type ProvidedIter<'a> = vec::IntoIter<Cow<'a, ProviderRecord>>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        self.records.get(key).map(Cow::Borrowed)
    }

    fn put(&mut self, record: Record) -> Result<()> {
        let key = record.key.as_ref();
        // What is wrong with it is told to nobody: the remote's stream is reset.
        if record.value.len() > self.value_bytes
            || !(1..=KAD_KEY).contains(&key.len())
            || !record::may_hold(key, &record.value)
        {
            return Err(Error::ValueTooLarge);
        }
        self.make_room();
        if self.records.insert(record.key.clone(), record) {
            Ok(())
        } else {
            Err(Error::MaxRecords)
        }
    }

    fn remove(&mut self, key: &RecordKey) {
        self.records.remove(key);
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        let all: Vec<_> = self.records.values().map(Cow::Borrowed).collect();
        all.into_iter()
    }

    fn add_provider(&mut self, mut record: ProviderRecord) -> Result<()> {
        if !(1..=KAD_KEY).contains(&record.key.as_ref().len()) {
            return Err(Error::ValueTooLarge);
        }
        if record.provider == self.local {
            let full = self.provided.len() >= self.own_keys;
            return match self.provided.entry(record.key.clone()) {
                Entry::Vacant(_) if full => Err(Error::MaxProvidedKeys),
                entry => {
                    entry.insert_entry(record);
                    Ok(())
                }
            };
        }
        record
            .addresses
            .retain(|address| address.len() <= ADDRESS_BYTES);
        record.addresses.truncate(KAD_ADDRESSES);
        self.make_room();
        let Some(known) = self.providers.get_mut(&record.key) else {
            return if self.providers.insert(record.key.clone(), vec![record]) {
                Ok(())
            } else {
                Err(Error::MaxProvidedKeys)
            };
        };
        if let Some(again) = known
            .iter_mut()
            .find(|known| known.provider == record.provider)
        {
            *again = record;
            return Ok(());
        }
        let now = Instant::now();
        known.retain(|known| !known.is_expired(now));
        if known.len() >= K_VALUE.get() {
            // Who is there first stays until it expires: newer ones may be made up to drive it out.
            return Err(Error::MaxProvidedKeys);
        }
        known.push(record);
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let own = self.provided.get(key).into_iter();
        let others = self.providers.get(key).into_iter().flatten();
        own.chain(others).cloned().collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        let all: Vec<_> = self.provided.values().map(Cow::Borrowed).collect();
        all.into_iter()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if *provider == self.local {
            self.provided.remove(key);
        } else if let Some(known) = self.providers.get_mut(key) {
            known.retain(|known| known.provider != *provider);
            if known.is_empty() {
                self.providers.remove(key);
            }
        }
    }
}

/// A bounded map that keeps the keys nearest to a peer.
struct Nearest<V> {
    local: KBucketKey<PeerId>,
    limit: usize,
    entries: HashMap<RecordKey, V>,
    by_distance: BTreeMap<KBucketDistance, RecordKey>,
}

impl<V> Nearest<V> {
    fn new(local: PeerId, limit: usize) -> Self {
        Self {
            local: KBucketKey::from(local),
            limit,
            entries: HashMap::new(),
            by_distance: BTreeMap::new(),
        }
    }

    fn distance(&self, key: &RecordKey) -> KBucketDistance {
        self.local.distance(&KBucketKey::new(key.clone()))
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    fn get(&self, key: &RecordKey) -> Option<&V> {
        self.entries.get(key)
    }

    fn get_mut(&mut self, key: &RecordKey) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values()
    }

    /// Whether there was room for it, or a farther one to make some.
    fn insert(&mut self, key: RecordKey, value: V) -> bool {
        if let Some(known) = self.entries.get_mut(&key) {
            *known = value;
            return true;
        }
        let distance = self.distance(&key);
        if self.is_full() {
            match self.by_distance.last_entry() {
                Some(farthest) if *farthest.key() > distance => {
                    self.entries.remove(&farthest.remove());
                }
                _ => return false,
            }
        }
        self.by_distance.insert(distance, key.clone());
        self.entries.insert(key, value);
        true
    }

    fn remove(&mut self, key: &RecordKey) {
        if self.entries.remove(key).is_some() {
            self.by_distance.remove(&self.distance(key));
        }
    }

    fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        self.entries.retain(|_, value| keep(value));
        self.by_distance
            .retain(|_, key| self.entries.contains_key(key));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn store(records: usize, keys: usize) -> Store {
        Store::new(
            PeerId::random(),
            &Limits {
                kad_records: records,
                kad_record_bytes: 100,
                kad_provided_keys: keys,
                ..Limits::server()
            },
        )
    }

    fn key(n: u32) -> RecordKey {
        RecordKey::from(n.to_be_bytes().to_vec())
    }

    fn ago() -> Option<Instant> {
        Instant::now().checked_sub(Duration::from_secs(1))
    }

    fn provider(n: u32) -> ProviderRecord {
        ProviderRecord::new(key(n), PeerId::random(), Vec::new())
    }

    #[test]
    fn a_full_store_keeps_the_nearest() {
        let mut store = store(8, 8);
        for n in 0..200 {
            let _ = store.put(Record::new(key(n), vec![1]));
            let _ = store.add_provider(provider(n));
        }
        let mut all: Vec<_> = (0..200).map(key).collect();
        all.sort_by_key(|key| store.records.distance(key));
        for (place, key) in all.iter().enumerate() {
            assert_eq!(store.get(key).is_some(), place < 8, "{place}");
            assert_eq!(store.providers(key).len(), usize::from(place < 8));
        }
        assert_eq!(store.records.by_distance.len(), 8);
        assert_eq!(store.records().count(), 8);
    }

    #[test]
    fn what_has_expired_makes_room() {
        let mut store = store(4, 4);
        for n in 0..4 {
            let mut old = Record::new(key(n), vec![1]);
            old.expires = ago();
            store.put(old).unwrap();
            let mut old = provider(n);
            old.expires = ago();
            store.add_provider(old).unwrap();
        }
        // It looked when the first of the two was full.
        store.swept = None;
        for n in 4..8 {
            store.put(Record::new(key(n), vec![1])).unwrap();
            store.add_provider(provider(n)).unwrap();
        }
        assert!((4..8).all(|n| store.get(&key(n)).is_some()));
        assert!((0..4).all(|n| store.providers(&key(n)).is_empty()));
    }

    #[test]
    fn one_key_has_so_many_providers_and_each_so_many_addresses() {
        let mut store = store(1, 4);
        for _ in 0..100 {
            let mut record = provider(1);
            record.addresses = (1..100)
                .map(|n| format!("/ip4/9.9.9.9/tcp/{n}").parse().unwrap())
                .collect();
            let _ = store.add_provider(record);
        }
        let kept = store.providers(&key(1));
        assert_eq!(kept.len(), K_VALUE.get());
        assert!(kept.iter().all(|it| it.addresses.len() == KAD_ADDRESSES));
        // The same one again is no other one.
        store.add_provider(kept[3].clone()).unwrap();
        assert_eq!(store.providers(&key(1)).len(), K_VALUE.get());
    }

    #[test]
    fn others_drive_out_nothing_of_ones_own() {
        let mut store = store(1, 2);
        let local = store.local;
        let own = |n| ProviderRecord::new(key(n), local, Vec::new());
        store.add_provider(own(1)).unwrap();
        store.add_provider(own(2)).unwrap();
        assert!(store.add_provider(own(3)).is_err());
        store.add_provider(own(2)).unwrap();
        for n in 10..100 {
            let _ = store.add_provider(provider(n));
        }
        assert_eq!(store.provided().count(), 2);
        store.remove_provider(&key(1), &local);
        assert_eq!(store.provided().count(), 1);
        assert!(store.providers(&key(1)).is_empty());
    }

    #[test]
    fn what_is_too_large_or_false_is_not_kept() {
        let mut store = store(8, 8);
        assert!(store.put(Record::new(key(1), vec![0; 101])).is_err());
        assert!(store.put(Record::new(key(1), vec![0; 100])).is_ok());
        for long in [Vec::new(), vec![0; KAD_KEY + 1]] {
            assert!(store.put(Record::new(long.clone(), vec![1])).is_err());
            let record = ProviderRecord::new(long, PeerId::random(), Vec::new());
            assert!(store.add_provider(record).is_err());
        }
        let named = [b"/pk/".as_slice(), &PeerId::random().to_bytes()].concat();
        assert!(store.put(Record::new(named, vec![1])).is_err());
        let key = key(1);
        store.remove(&key);
        assert!(store.get(&key).is_none());
        assert!(store.records.by_distance.is_empty());
    }
}
