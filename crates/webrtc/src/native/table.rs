//! Which connection a datagram on a listener's socket belongs to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc;

use super::admission::{Admission, PerSource, Refusal, Source};
use super::driver::Input;
use super::limits;

/// What a listener has seen. All counts start at 0 and only grow, but for `connections`.
#[derive(Debug, Default)]
pub struct Counters {
    admitted: AtomicU64,
    refused: AtomicU64,
    unverified: AtomicU64,
    ignored: AtomicU64,
    connections: AtomicU64,
}

impl Counters {
    /// Peers whose first STUN request was accepted.
    pub fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Relaxed)
    }

    /// First STUN requests dropped for a limit on their rate or number.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// STUN requests with bad credentials or integrity.
    pub fn unverified(&self) -> u64 {
        self.unverified.load(Ordering::Relaxed)
    }

    /// Datagrams that belong to nothing.
    pub fn ignored(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
    }

    /// Connections there are now, with those in their handshake.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_unverified(&self) {
        self.unverified.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_ignored(&self) {
        self.ignored.fetch_add(1, Ordering::Relaxed);
    }
}

/// The connections of one socket. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Table {
    inner: Arc<Mutex<Inner>>,
    counters: Arc<Counters>,
}

struct Inner {
    admission: Admission,
    /// By STUN USERNAME.
    slots: HashMap<Arc<str>, Slot>,
    addresses: HashMap<SocketAddr, Arc<str>>,
}

struct Slot {
    queue: mpsc::Sender<Input>,
    addresses: Vec<SocketAddr>,
    source: Source,
    pending: bool,
}

/// A connection's place in the table, given back when dropped.
pub(crate) struct Place {
    table: Table,
    username: Arc<str>,
}

/// What to do with a verified STUN request.
pub(crate) enum Check {
    /// It belongs to a connection, which has been told. Answer it.
    Known,
    /// It is from a new peer, which now has a place.
    New(Place, mpsc::Receiver<Input>),
    /// Do not answer.
    Refused,
}

impl Table {
    pub(crate) fn new(per_source: PerSource, counters: Arc<Counters>) -> Self {
        let inner = Inner {
            admission: Admission::new(per_source, Instant::now()),
            slots: HashMap::new(),
            addresses: HashMap::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            counters,
        }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a DTLS datagram to the connection at this address.
    pub(crate) fn deliver(&self, from: SocketAddr, input: Input) {
        let inner = self.lock();
        match inner
            .addresses
            .get(&from)
            .and_then(|username| inner.slots.get(username))
        {
            // A full queue drops it, as UDP may.
            Some(slot) => drop(slot.queue.try_send(input)),
            None => self.counters.count_ignored(),
        }
    }

    /// Takes a verified STUN request. `room`: a new peer could be reported.
    pub(crate) fn check(
        &self,
        username: &str,
        from: SocketAddr,
        nominated: bool,
        room: bool,
    ) -> Check {
        let mut inner = self.lock();
        let Inner {
            admission,
            slots,
            addresses,
        } = &mut *inner;
        if let Some((known, slot)) = slots
            .get_key_value(username)
            .map(|(known, _)| known.clone())
            .and_then(|known| {
                let slot = slots.get_mut(&known)?;
                Some((known, slot))
            })
        {
            match addresses.get(&from) {
                Some(holder) if *holder == known => {}
                // An address stays with its connection: source addresses can be forged.
                Some(_) => return Check::Refused,
                None if slot.addresses.len() >= limits::MAX_ADDRESSES_PER_CONNECTION => {
                    return Check::Refused;
                }
                None => {
                    slot.addresses.push(from);
                    addresses.insert(from, known);
                }
            }
            let _ = slot.queue.try_send(Input::Check { from, nominated });
            return Check::Known;
        }
        if !room || slots.len() >= limits::MAX_CONNECTIONS || addresses.contains_key(&from) {
            self.counters.count_refused();
            return Check::Refused;
        }
        let source = match admission.admit(from.ip(), Instant::now()) {
            Ok(source) => source,
            Err(Refusal::Rate | Refusal::Pending | Refusal::PerSource) => {
                self.counters.count_refused();
                return Check::Refused;
            }
        };
        let username: Arc<str> = username.into();
        let (queue, inputs) = mpsc::channel(limits::DATAGRAM_QUEUE);
        slots.insert(
            username.clone(),
            Slot {
                queue,
                addresses: vec![from],
                source,
                pending: true,
            },
        );
        addresses.insert(from, username.clone());
        self.counters.admitted.fetch_add(1, Ordering::Relaxed);
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        Check::New(
            Place {
                table: self.clone(),
                username,
            },
            inputs,
        )
    }
}

impl Place {
    /// The handshake has ended well.
    pub(crate) fn established(&self) {
        let mut inner = self.table.lock();
        let Inner {
            admission, slots, ..
        } = &mut *inner;
        if let Some(slot) = slots.get_mut(&self.username).filter(|slot| slot.pending) {
            slot.pending = false;
            admission.finished(slot.source);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.table.lock();
        let Inner {
            admission,
            slots,
            addresses,
        } = &mut *inner;
        let Some(slot) = slots.remove(&self.username) else {
            return;
        };
        for address in slot.addresses {
            addresses.remove(&address);
        }
        if slot.pending {
            admission.finished(slot.source);
        }
        admission.left(slot.source);
        self.table
            .counters
            .connections
            .fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(PerSource::default(), Arc::default())
    }

    fn at(host: u32, port: u16) -> SocketAddr {
        SocketAddr::new(std::net::Ipv4Addr::from(host).into(), port)
    }

    fn new_peer(table: &Table, name: &str, from: SocketAddr) -> (Place, mpsc::Receiver<Input>) {
        match table.check(name, from, false, true) {
            Check::New(place, inputs) => (place, inputs),
            Check::Known | Check::Refused => panic!("{name} was not let in"),
        }
    }

    #[test]
    fn a_connection_has_so_many_addresses_and_keeps_them() {
        let table = table();
        let (place, _inputs) = new_peer(&table, "one", at(1, 1));
        for port in 2..=u16::try_from(limits::MAX_ADDRESSES_PER_CONNECTION).unwrap() {
            assert!(matches!(
                table.check("one", at(1, port), true, true),
                Check::Known
            ));
        }
        assert!(matches!(
            table.check("one", at(1, 100), true, true),
            Check::Refused
        ));
        // Nobody else gets them while it lives, and all are free afterwards.
        assert!(matches!(
            table.check("two", at(1, 2), false, true),
            Check::Refused
        ));
        drop(place);
        drop(new_peer(&table, "two", at(1, 2)));
        assert_eq!(table.counters().connections(), 0);
    }

    #[test]
    fn connections_of_a_listener_are_bounded() {
        let table = table();
        let (place, _inputs) = new_peer(&table, "first", at(1, 1));
        // The others' places directly: their rate is bounded too, and it would take a while.
        for n in 1..limits::MAX_CONNECTIONS {
            let slot = Slot {
                queue: mpsc::channel(1).0,
                addresses: Vec::new(),
                source: Source::Rest,
                pending: false,
            };
            table.lock().slots.insert(n.to_string().into(), slot);
        }
        let elsewhere = at(2, 1);
        assert!(matches!(
            table.check("x", elsewhere, false, true),
            Check::Refused
        ));
        assert_eq!(table.counters().refused(), 1);
        drop(place);
        drop(new_peer(&table, "x", elsewhere));
    }

    #[test]
    fn datagrams_beyond_the_queue_are_dropped() {
        let table = table();
        let (_place, mut inputs) = new_peer(&table, "one", at(1, 1));
        for _ in 0..10 * limits::DATAGRAM_QUEUE {
            table.deliver(at(1, 1), Input::Dtls(bytes::Bytes::from_static(&[22])));
        }
        let mut queued = 0;
        while inputs.try_recv().is_ok() {
            queued += 1;
        }
        assert_eq!(queued, limits::DATAGRAM_QUEUE);
        // From elsewhere they reach nobody.
        table.deliver(at(1, 2), Input::Dtls(bytes::Bytes::from_static(&[22])));
        assert!(inputs.try_recv().is_err());
        assert_eq!(table.counters().ignored(), 1);
    }

    #[test]
    fn without_room_to_report_a_peer_nobody_is_let_in() {
        let table = table();
        assert!(matches!(
            table.check("one", at(1, 1), false, false),
            Check::Refused
        ));
        assert_eq!(table.counters().connections(), 0);
    }
}
