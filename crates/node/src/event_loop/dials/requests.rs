//! Requests to dial, from the first judgement to their one answer.

use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use web_time::Instant;

use super::{
    super::EventLoop,
    Dial, Waiter,
    addresses::{all_signalled, usable},
    causes,
};
use crate::{
    Error, Scope,
    address_policy::{bad, peer_of},
    handle::Reply,
    limits::{DIAL_ADDRESSES, MAX_TIMEOUT, RETRY_AFTER},
    types::{Connection, DialRequest, Effort, Path},
};

/// What is to be done for a request.
enum Plan {
    Reuse(ConnectionId, PeerId),
    Dial(Option<PeerId>, Vec<Multiaddr>),
}

impl EventLoop {
    /// Carries out a request to dial; `direct`: a relayed connection is no answer.
    pub(in crate::event_loop) fn dial(
        &mut self,
        request: DialRequest,
        direct: bool,
        reply: Reply<Connection>,
    ) {
        let now = Instant::now();
        let deadline = now
            .checked_add(request.timeout.min(MAX_TIMEOUT))
            .unwrap_or(now);
        let owner = request.owner.clone();
        let scope = request.scope;
        match self.plan(request, direct) {
            Err(error) => {
                let _ = reply.send(Err(error));
            }
            Ok(Plan::Reuse(id, peer)) => {
                if scope.private_network
                    && let Some(owner) = &owner
                {
                    self.upgrades.requested(peer, [owner.clone()]);
                }
                let result = self.interests.add(peer, owner).and_then(|()| {
                    self.update_wanted(&peer);
                    self.on_relay_wanted(&peer);
                    self.snapshot(&id).ok_or(Error::NotConnected)
                });
                let _ = reply.send(result);
            }
            Ok(Plan::Dial(peer, addresses)) => {
                self.start_dial(
                    scope,
                    peer,
                    addresses,
                    direct,
                    Waiter {
                        owner,
                        reply,
                        deadline,
                    },
                );
            }
        }
    }

    /// An attempt failed. A peer that is connected by now all the same, by its own dial or by the circuit for signalling, is an
    /// answer.
    pub(in crate::event_loop) fn on_dial_failed(&mut self, id: ConnectionId, causes: Vec<String>) {
        let reached = self.dials.ending_with(&id).and_then(|dial| {
            let peer = dial.peer?;
            let connection = self.connections.best(&peer, !dial.direct)?;
            let later = dial
                .signalled
                .then(|| dial.private_owners().collect::<Vec<_>>());
            Some((peer, connection, later, std::mem::take(&mut dial.waiters)))
        });
        self.dials.failed(&id, causes);
        let Some((peer, connection, later, waiters)) = reached else {
            return;
        };
        for waiter in waiters {
            // Whoever gave up wants nothing any more.
            if waiter.reply.is_canceled() {
                continue;
            }
            let result = self.interests.add(peer, waiter.owner).and_then(|()| {
                self.update_wanted(&peer);
                self.snapshot(&connection).ok_or(Error::NotConnected)
            });
            let _ = waiter.reply.send(result);
        }
        if let Some(private) = later
            && !self.connections.has_path(&peer, Path::Direct)
        {
            self.upgrade_later(peer, private);
        }
    }

    /// What carrying out this request would take.
    pub(in crate::event_loop) fn effort(&self, request: DialRequest) -> Result<Effort, Error> {
        // What the node wants for itself it does not look up: its own upkeep knows addresses.
        let by_id = request.addresses.is_empty() && request.owner.is_some();
        if let Some(peer) = request.peer
            && by_id
            && !self.is_known(peer, request.scope)
        {
            return Ok(Effort::LookUp);
        }
        Ok(match self.plan(request, false)? {
            Plan::Reuse(..) => Effort::Nothing,
            Plan::Dial(..) => Effort::Dial,
        })
    }

    /// Is there no need to look this peer up?
    fn is_known(&self, peer: PeerId, scope: Scope) -> bool {
        let known = || usable(self.peers.addresses(&peer), Some(peer), scope, false);
        peer == *self.swarm.local_peer_id()
            || self.connections.is_connected(&peer)
            || known().is_ok_and(|addresses| !addresses.is_empty())
    }

    fn plan(&self, request: DialRequest, direct: bool) -> Result<Plan, Error> {
        if self.paused {
            return Err(Error::Paused);
        }
        if request.addresses.len() > DIAL_ADDRESSES {
            return Err(Error::LimitExceeded {
                what: "addresses of one dial",
                retry_after: RETRY_AFTER,
            });
        }
        let known = request.addresses.is_empty();
        let addresses = match request.peer {
            Some(peer) if known => self.peers.addresses(&peer),
            _ => request.addresses,
        };
        let peer = request.peer.or_else(|| addresses.iter().find_map(peer_of));
        if peer == Some(*self.swarm.local_peer_id()) {
            let text = addresses
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            return Err(bad(&text, "it is this node itself"));
        }
        // Who asks for a signalled connection by its address has no use for the circuit.
        let relayed = !direct && (known || !all_signalled(&addresses));
        let connected = peer.and_then(|peer| {
            self.connections
                .best(&peer, relayed)
                .map(|id| Plan::Reuse(id, peer))
        });
        if known && let Some(plan) = connected {
            return Ok(plan);
        }
        let addresses = match usable(addresses, peer, request.scope, direct) {
            // Nobody gave this address: the peer claims it.
            Err(Error::BadAddress { .. }) if known => {
                return Err(Error::DialFailed {
                    causes: vec!["no known address of this peer can be dialed".into()],
                });
            }
            result => result?,
        };
        if let Some(plan) = connected {
            return Ok(plan);
        }
        if addresses.is_empty() {
            return Err(Error::DialFailed {
                causes: vec!["no address of this peer is known".into()],
            });
        }
        if peer.is_none()
            && let Some((id, peer)) = addresses
                .iter()
                .find_map(|address| self.connections.dialed_at(address))
        {
            return Ok(Plan::Reuse(id, peer));
        }
        Ok(Plan::Dial(peer, addresses))
    }

    /// Joins a dial, or lets a new one wait for its turn, which may be at once.
    fn start_dial(
        &mut self,
        scope: Scope,
        peer: Option<PeerId>,
        addresses: Vec<Multiaddr>,
        direct: bool,
        waiter: Waiter,
    ) {
        let owner = waiter.owner.as_ref();
        if let Some(peer) = peer
            && let Some(dial) = self.dials.covering(owner, peer, &addresses, scope, direct)
        {
            dial.waiters.push(waiter);
            return;
        }
        if !self.dials.may_wait(self.limits.waiting_dials, owner) {
            let _ = waiter.reply.send(Err(Error::LimitExceeded {
                what: "dialsWaiting",
                retry_after: RETRY_AFTER,
            }));
            return;
        }
        let key = self.dials.next;
        self.dials.next = key.wrapping_add(1);
        self.dials.dials.insert(
            key,
            Dial {
                owner: waiter.owner.clone(),
                begun: false,
                peer,
                attempts: 0,
                direct,
                causes: Vec::new(),
                waiters: vec![waiter],
                signalled: all_signalled(&addresses),
                private: scope.private_network,
                approvals: None,
                addresses,
            },
        );
        // At once if there is room, so that whoever else wants the same, now, finds it begun and joins it.
        self.begin_dials();
    }

    /// Begins the dials that there is room for.
    pub(in crate::event_loop) fn begin_dials(&mut self) {
        while let Some(key) = self.dials.next_to_begin(self.limits.dialing) {
            self.begin_dial(key);
        }
    }

    fn begin_dial(&mut self, key: u64) {
        let Some(dial) = self.dials.dials.get_mut(&key) else {
            return;
        };
        let options: Vec<DialOpts> = match dial.peer {
            Some(peer) => vec![
                // `Always`: another dial to the same peer may be stuck on a bad address.
                DialOpts::peer_id(peer)
                    .condition(PeerCondition::Always)
                    .addresses(dial.addresses.clone())
                    .build(),
            ],
            None => dial
                .addresses
                .iter()
                .map(|address| DialOpts::unknown_peer_id().address(address.clone()).build())
                .collect(),
        };
        dial.begun = true;
        dial.attempts = options.len();
        // What the request may not dial needs no way through: global addresses pass by themselves, and
        // names are then checked again for what they resolve to.
        dial.approvals = dial.private.then(|| {
            let peer = dial.peer.map(|peer| self.gate.approve_peer(peer));
            (self.gate.approve(&dial.addresses), peer)
        });
        for options in &options {
            self.dials.attempts.insert(options.connection_id(), key);
        }
        for options in options {
            let id = options.connection_id();
            if let Err(error) = self.swarm.dial(options) {
                self.dials.failed(&id, causes(&error));
            }
        }
    }
}
