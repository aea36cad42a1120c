//! Lookups in the DHT, from the request to its one answer.

use std::collections::HashMap;

use libp2p::{
    PeerId,
    kad::{self, GetClosestPeersError, GetRecordOk, PutRecordError, QueryId, QueryResult},
};
use web_time::Instant;

use super::EventLoop;
use crate::{
    Error, FoundPeer, LookupOptions, Owner, Scope,
    address_policy::is_refused,
    dht::{self, record},
    handle::{
        Reply,
        dht::{Ask, Command},
    },
    limits::{
        LOOKUP_MARGIN, LOOKUP_PATIENCE, LOOKUPS_WAITING, PROVIDE_SETTLE, PROVIDERS, PUT_PATIENCE,
        RETRY_AFTER,
    },
};

/// One that waits or runs.
struct Lookup {
    owner: Owner,
    scope: Scope,
    ask: Ask,
    deadline: Instant,
    /// Until when it waits for somebody to ask, where nobody is known.
    patience: Instant,
    /// Is nobody known?
    lonely: bool,
    found: Vec<FoundPeer>,
    /// Has somebody taken the record?
    taken: bool,
}

impl Lookup {
    fn new(options: LookupOptions, ask: Ask, now: Instant) -> Self {
        let timeout = match options.timeout.checked_sub(LOOKUP_MARGIN) {
            Some(less) if less > LOOKUP_MARGIN => less,
            _ => options.timeout,
        };
        Self {
            owner: options.owner,
            scope: options.scope,
            ask,
            deadline: now.checked_add(timeout).unwrap_or(now),
            patience: now.checked_add(LOOKUP_PATIENCE).unwrap_or(now),
            lonely: false,
            found: Vec::new(),
            taken: false,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.deadline <= now || self.ask.is_abandoned()
    }

    /// What is told of a peer.
    fn told(&self, mut peer: FoundPeer) -> FoundPeer {
        // As it may dial it, whether or not this node has the transport.
        peer.addresses
            .retain(|address| !is_refused(address, self.scope));
        peer
    }

    /// Adds providers; whether there are enough.
    fn add(&mut self, providers: Vec<FoundPeer>) -> bool {
        let Ask::Providers(_, limit, _) = &self.ask else {
            return false;
        };
        let limit = (*limit).min(PROVIDERS);
        for provider in providers {
            let provider = self.told(provider);
            let room = self.found.len() < limit;
            match self.found.iter_mut().find(|it| it.peer == provider.peer) {
                Some(known) if known.addresses.is_empty() => *known = provider,
                Some(_) => {}
                None if room => self.found.push(provider),
                None => {}
            }
        }
        self.found.len() >= limit
    }
}

/// How a lookup ended.
enum End {
    /// Its time is up.
    Late,
    /// There is nobody else to ask; whether anybody answered, and who was closest.
    Done {
        answered: bool,
        closest: Vec<PeerId>,
    },
}

/// Lookups under way and in line.
#[derive(Default)]
pub(super) struct Lookups {
    running: HashMap<QueryId, Lookup>,
    waiting: Vec<Lookup>,
    /// Announcements on their way, and when they have arrived.
    settling: Vec<(Instant, Reply<()>)>,
}

impl Lookups {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let waiting = self.waiting.iter().map(|it| {
            if it.lonely {
                it.deadline.min(it.patience)
            } else {
                it.deadline
            }
        });
        let running = self.running.values().map(|it| it.deadline);
        let settling = self.settling.iter().map(|(at, _)| *at);
        running.chain(waiting).chain(settling).min()
    }

    /// Who is next: of those that could begin, the first of the owner with the fewest under way.
    fn next(&self, could: impl Fn(&Lookup) -> bool) -> Option<usize> {
        let running = |owner: &Owner| {
            self.running
                .values()
                .filter(|it| it.owner == *owner)
                .count()
        };
        self.waiting
            .iter()
            .enumerate()
            .filter(|(_, it)| could(it))
            .min_by_key(|(place, it)| (running(&it.owner), *place))
            .map(|(place, _)| place)
    }

    fn is_announcing(&self, key: &dht::DhtKey) -> bool {
        self.running
            .values()
            .any(|it| matches!(&it.ask, Ask::Provide(other, _) if other == key))
    }
}

impl EventLoop {
    pub(super) fn on_dht_command(&mut self, command: Command) {
        match command {
            Command::Begin(options, ask) => self.begin_lookup(options, ask),
            Command::StopProviding(key, owner, reply) => {
                if self.provides.release(&key, &owner) {
                    self.swarm.behaviour_mut().kad.stop_providing(&key);
                }
                let _ = reply.send(Ok(()));
            }
            Command::StopProvidingAll(owner, reply) => {
                for key in self.provides.release_all(&owner) {
                    self.swarm.behaviour_mut().kad.stop_providing(&key);
                }
                self.end_announcements(&owner);
                let _ = reply.send(Ok(()));
            }
            Command::Abandoned => self.tick_lookups(Instant::now()),
        }
    }

    /// What an owner is about to provide, it shall not: whoever waits for that is on its way out.
    fn end_announcements(&mut self, owner: &Owner) {
        let theirs = |it: &Lookup| it.owner == *owner && matches!(it.ask, Ask::Provide(..));
        self.lookups.waiting.retain(|it| !theirs(it));
        let running = self.lookups.running.iter();
        let ids: Vec<QueryId> = running
            .filter(|(_, it)| theirs(it))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.finish_lookup(id, End::Late);
        }
    }

    fn begin_lookup(&mut self, options: LookupOptions, ask: Ask) {
        if self.paused {
            return ask.fail(Error::Paused);
        }
        let now = Instant::now();
        let mut lookup = Lookup::new(options, ask, now);
        match &lookup.ask {
            Ask::Peer(peer, _) => {
                let known = self.known(*peer);
                let told = lookup.told(known);
                if self.connections.is_connected(&told.peer)
                    || told.peer == *self.swarm.local_peer_id()
                    || !told.addresses.is_empty()
                {
                    lookup.found.push(told);
                    return self.conclude(lookup, End::Late);
                }
            }
            Ask::Providers(key, ..) => {
                let kept = self.swarm.behaviour_mut().kad.kept_providers(key);
                let kept = kept
                    .into_iter()
                    .map(|provider| match provider.addresses.is_empty() {
                        true => self.known(provider.peer),
                        false => provider,
                    })
                    .collect();
                if lookup.add(kept) {
                    return self.conclude(lookup, End::Late);
                }
            }
            Ask::Provide(key, _) => {
                if self.swarm.external_addresses().next().is_none() {
                    return lookup.ask.fail(Error::NoPeers);
                }
                if let Err(error) = self.provides.check(key, &lookup.owner) {
                    return lookup.ask.fail(error);
                }
            }
            Ask::Closest(..) | Ask::Get(..) | Ask::Put(..) => {}
        }
        if self.lookups.waiting.len() >= LOOKUPS_WAITING {
            return lookup.ask.fail(Error::LimitExceeded {
                what: "lookups that wait",
                retry_after: RETRY_AFTER,
            });
        }
        self.lookups.waiting.push(lookup);
        self.tick_lookups(now);
    }

    /// What this node knows of a peer without asking anybody.
    fn known(&mut self, peer: PeerId) -> FoundPeer {
        let mut addresses = if peer == *self.swarm.local_peer_id() {
            self.swarm.external_addresses().cloned().collect()
        } else {
            self.peers.addresses(&peer)
        };
        // What an earlier run knew may be long past: whoever is asked knows better, if anybody does.
        if addresses.is_empty() && !self.known.is_past(&peer) {
            addresses = self.swarm.behaviour_mut().kad.addresses(peer);
        }
        FoundPeer {
            peer,
            addresses: crate::peer_store::usable_all(&addresses, peer),
        }
    }

    /// Ends what is over, and begins what may.
    pub(super) fn tick_lookups(&mut self, now: Instant) {
        let over: Vec<QueryId> = self
            .lookups
            .running
            .iter()
            .filter(|(_, lookup)| lookup.is_over(now))
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.finish_lookup(id, End::Late);
        }
        let waiting = std::mem::take(&mut self.lookups.waiting);
        let (over, waiting) = waiting.into_iter().partition(|it| it.is_over(now));
        self.lookups.waiting = waiting;
        for lookup in over {
            self.conclude(lookup, End::Late);
        }
        let settling = std::mem::take(&mut self.lookups.settling);
        for (at, reply) in settling {
            if at <= now {
                let _ = reply.send(Ok(()));
            } else {
                self.lookups.settling.push((at, reply));
            }
        }
        if !self.lookups.waiting.is_empty() {
            self.begin_waiting(now);
        }
    }

    fn begin_waiting(&mut self, now: Instant) {
        self.seed_lookups();
        let kad = &mut self.swarm.behaviour_mut().kad;
        let global = kad.has_somebody(Scope::GLOBAL);
        let private = global || kad.has_somebody(Scope::PRIVATE);
        let somebody = |scope: Scope| {
            if scope.private_network {
                private
            } else {
                global
            }
        };
        while self.lookups.running.len() < self.limits.lookups {
            let Some(next) = self.lookups.next(|it| somebody(it.scope)) else {
                break;
            };
            let lookup = self.lookups.waiting.remove(next);
            self.start_lookup(lookup);
        }
        // Somebody who is just being met may answer lookups.
        let hope = self.dials.next_deadline().is_some()
            || self
                .connections
                .peers()
                .iter()
                .any(|peer| !self.peers.is_identified(peer));
        let waiting = std::mem::take(&mut self.lookups.waiting);
        for mut lookup in waiting {
            lookup.lonely = !somebody(lookup.scope);
            if lookup.lonely && (!hope || lookup.patience <= now) {
                let end = End::Done {
                    answered: false,
                    closest: Vec::new(),
                };
                self.conclude(lookup, end);
            } else {
                self.lookups.waiting.push(lookup);
            }
        }
    }

    fn start_lookup(&mut self, mut lookup: Lookup) {
        let scope = lookup.scope;
        let kad = &mut self.swarm.behaviour_mut().kad;
        let begun = match &mut lookup.ask {
            Ask::Peer(peer, _) => Ok(kad.find(*peer, scope)),
            Ask::Closest(key, _) => Ok(kad.closest(key, scope)),
            Ask::Providers(key, ..) => Ok(kad.providers(key, scope)),
            Ask::Get(key, _) => Ok(kad.record(key, scope)),
            Ask::Put(key, value, _) => kad.put(key, std::mem::take(value), scope),
            Ask::Provide(key, _) => kad.provide(key, scope),
        };
        match begun {
            Ok(id) => {
                self.lookups.running.insert(id, lookup);
            }
            Err(error) => {
                let what = match error {
                    kad::store::Error::MaxProvidedKeys => "kad_provided_keys",
                    kad::store::Error::MaxRecords => "kad_records",
                    kad::store::Error::ValueTooLarge => "kad_record_bytes",
                };
                lookup.ask.fail(Error::LimitExceeded {
                    what,
                    retry_after: RETRY_AFTER,
                });
            }
        }
    }

    pub(super) fn on_dht_event(&mut self, event: dht::Event) {
        match event {
            dht::Event::Seen(id, peer) => {
                let Some(lookup) = self.lookups.running.get_mut(&id) else {
                    return;
                };
                let peer = lookup.told(peer);
                let enough = !peer.addresses.is_empty();
                if enough || lookup.found.is_empty() {
                    lookup.found = vec![peer];
                }
                if enough {
                    self.finish_lookup(id, End::Late);
                }
            }
            dht::Event::Providers(id, providers) => {
                let Some(lookup) = self.lookups.running.get_mut(&id) else {
                    return;
                };
                if lookup.add(providers) {
                    self.finish_lookup(id, End::Late);
                }
            }
            dht::Event::Took(id) => {
                if let Some(lookup) = self.lookups.running.get_mut(&id)
                    && !lookup.taken
                {
                    lookup.taken = true;
                    let now = Instant::now();
                    let soon = now.checked_add(PUT_PATIENCE).unwrap_or(now);
                    lookup.deadline = lookup.deadline.min(soon);
                }
            }
            dht::Event::Kad(event) => {
                if let kad::Event::OutboundQueryProgressed {
                    id,
                    result,
                    stats,
                    step,
                } = *event
                {
                    self.on_progress(id, result, stats.num_successes() > 0, step.last);
                }
            }
        }
    }

    fn on_progress(&mut self, id: QueryId, result: QueryResult, answered: bool, last: bool) {
        let closest = match result {
            QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) => {
                return self.on_record(id, found.record);
            }
            QueryResult::GetClosestPeers(Ok(ok)) => ok.peers,
            QueryResult::GetClosestPeers(Err(GetClosestPeersError::Timeout { peers, .. })) => peers,
            QueryResult::PutRecord(result) => {
                if let Some(lookup) = self.lookups.running.get_mut(&id) {
                    lookup.taken |= match result {
                        Ok(_) => true,
                        Err(
                            PutRecordError::QuorumFailed { success, .. }
                            | PutRecordError::Timeout { success, .. },
                        ) => !success.is_empty(),
                    };
                }
                Vec::new()
            }
            QueryResult::StartProviding(_) => {
                self.provides.announced(id, answered, Instant::now());
                Vec::new()
            }
            _ => Vec::new(),
        };
        if last {
            let closest = closest.into_iter().map(|it| it.peer_id).collect();
            self.finish_lookup(id, End::Done { answered, closest });
        }
    }

    /// A peer answered with a record; anything may be in it.
    fn on_record(&mut self, id: QueryId, record: kad::Record) {
        let Some(lookup) = self.lookups.running.get(&id) else {
            return;
        };
        let Ask::Get(key, _) = &lookup.ask else {
            return;
        };
        if record.key.as_ref() != key.as_bytes()
            || record.is_expired(Instant::now())
            || !record::may_hold(key.as_bytes(), &record.value)
        {
            return;
        }
        self.swarm.behaviour_mut().kad.end(id);
        if let Some(Lookup {
            ask: Ask::Get(_, reply),
            ..
        }) = self.lookups.running.remove(&id)
        {
            let _ = reply.send(Ok(record.value));
        }
        self.tick_lookups(Instant::now());
    }

    /// One that runs is over.
    fn finish_lookup(&mut self, id: QueryId, end: End) {
        let Some(lookup) = self.lookups.running.remove(&id) else {
            return;
        };
        // What one peer has taken, the others get too.
        let goes_on = lookup.taken && !lookup.ask.is_abandoned();
        if matches!(end, End::Late) && !goes_on {
            self.swarm.behaviour_mut().kad.end(id);
        }
        self.conclude(lookup, end);
        // Its place is free. Not by the tick that may have called: that looks at it afterwards itself.
        if !self.lookups.waiting.is_empty() {
            self.begin_waiting(Instant::now());
        }
    }

    /// Answers.
    fn conclude(&mut self, lookup: Lookup, end: End) {
        let Lookup {
            owner,
            scope,
            ask,
            mut found,
            taken,
            ..
        } = lookup;
        let nothing = |other: Error| match &end {
            End::Late => Error::Timeout,
            End::Done { answered: true, .. } => other,
            End::Done { .. } => Error::NoPeers,
        };
        if !matches!(end, End::Done { answered: true, .. }) && found.is_empty() {
            // Perhaps with others the next time.
            self.known.seed_more();
        }
        // Who has gone needs no answer.
        match ask {
            Ask::Peer(peer, reply) => {
                if found.is_empty() {
                    found.extend(self.known_before(peer, scope));
                }
                let _ = reply.send(found.pop().ok_or_else(|| nothing(Error::NotFound)));
            }
            Ask::Providers(_, _, reply) => {
                let empty = matches!(end, End::Done { answered: true, .. });
                let _ = reply.send(if empty || !found.is_empty() {
                    Ok(found)
                } else {
                    Err(nothing(Error::NoPeers))
                });
            }
            Ask::Closest(_, reply) => {
                let error = nothing(Error::NoPeers);
                let _ = reply.send(match end {
                    End::Done {
                        answered: true,
                        closest,
                    } => Ok(closest),
                    _ => Err(error),
                });
            }
            Ask::Get(_, reply) => {
                let _ = reply.send(Err(nothing(Error::NotFound)));
            }
            Ask::Put(_, _, reply) => {
                let _ = reply.send(if taken {
                    Ok(())
                } else {
                    Err(nothing(Error::NoPeers))
                });
            }
            Ask::Provide(key, reply) => {
                let now = Instant::now();
                let told = matches!(end, End::Done { answered: true, .. });
                let held = if !told || reply.is_canceled() {
                    Err(nothing(Error::NoPeers))
                } else {
                    self.provides.hold(key.clone(), owner, now)
                };
                if !self.provides.holds(&key) && !self.lookups.is_announcing(&key) {
                    self.swarm.behaviour_mut().kad.stop_providing(&key);
                }
                match held {
                    Ok(()) => {
                        let arrived = now.checked_add(PROVIDE_SETTLE).unwrap_or(now);
                        self.lookups.settling.push((arrived, reply));
                    }
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
        }
    }

    pub(super) fn fail_lookups(&mut self, error: &Error) {
        let lookups = std::mem::take(&mut self.lookups);
        for (id, lookup) in lookups.running {
            self.swarm.behaviour_mut().kad.end(id);
            if let Ask::Provide(key, _) = &lookup.ask
                && !self.provides.holds(key)
            {
                self.swarm.behaviour_mut().kad.stop_providing(key);
            }
            lookup.ask.fail(error.clone());
        }
        for lookup in lookups.waiting {
            lookup.ask.fail(error.clone());
        }
        for (_, reply) in lookups.settling {
            let _ = reply.send(Ok(()));
        }
    }
}

#[cfg(test)]
mod tests;
