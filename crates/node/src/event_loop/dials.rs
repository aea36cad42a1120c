//! Requests to dial, from the first judgement to their one answer.

use std::collections::HashMap;

use libp2p::{
    Multiaddr, PeerId, TransportError, connection_limits,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use mooring_webrtc::core::signalling::address::is_signalled;
use web_time::Instant;

use super::EventLoop;
use crate::{
    Error, Scope,
    address_policy::{Approval, PeerApproval, bad, judge, peer_of},
    handle::Reply,
    limits::{CAUSE_CHARS, DIAL_ADDRESSES, DIAL_CAUSES, DIAL_WAITERS, MAX_TIMEOUT, RETRY_AFTER},
    types::{Connection, DialRequest, Owner, Path, TransportKind},
};

/// One request that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) owner: Option<Owner>,
    pub(super) reply: Reply<Connection>,
    deadline: Instant,
}

/// Attempts that belong together, and who waits for them.
#[derive(Debug)]
struct Dial {
    peer: Option<PeerId>,
    addresses: Vec<Multiaddr>,
    /// Is a relayed connection no answer?
    direct: bool,
    /// Does every address lead to a direct connection that is signalled over a circuit? Then the circuit is no answer while that may
    /// still come.
    signalled: bool,
    /// May private addresses be used?
    private: bool,
    attempts: usize,
    causes: Vec<String>,
    waiters: Vec<Waiter>,
    /// As long as somebody waits.
    approvals: Option<(Approval, Option<PeerApproval>)>,
}

impl Dial {
    /// Those who wait for it and may reach private addresses.
    fn private_owners(&self) -> impl Iterator<Item = Owner> {
        self.waiters
            .iter()
            .filter(|waiter| self.private && !waiter.reply.is_canceled())
            .filter_map(|waiter| waiter.owner.clone())
    }
}

/// Dials under way. Those that nobody waits for any more stay until the swarm is done with them,
/// so that a late connection is recognised as one that nobody wants.
#[derive(Debug, Default)]
pub(super) struct Dials {
    next: u64,
    dials: HashMap<u64, Dial>,
    attempts: HashMap<ConnectionId, u64>,
}

/// What the table says of a new connection.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Was it dialed for a request?
    pub(super) requested: bool,
    /// Who has waited for it.
    pub(super) waiters: Vec<Waiter>,
    /// Those of them who may reach private addresses.
    pub(super) private: Vec<Owner>,
}

impl Dials {
    /// A connection opened: takes out everybody it is an answer for.
    pub(super) fn settle(&mut self, id: ConnectionId, peer: PeerId, path: Path) -> Settled {
        let own = self.attempts.remove(&id);
        let mut settled = Settled {
            requested: own.is_some(),
            ..Settled::default()
        };
        for (key, dial) in &mut self.dials {
            let fits = own == Some(*key) || dial.peer == Some(peer);
            if fits && (path == Path::Direct || !(dial.direct || dial.signalled)) {
                settled.private.extend(dial.private_owners());
                settled.waiters.append(&mut dial.waiters);
            }
        }
        if let Some(key) = own {
            self.attempt_ended(key);
        }
        settled.waiters.retain(|waiter| !waiter.reply.is_canceled());
        settled
    }

    /// Is a direct connection to this peer being signalled for a request?
    pub(super) fn signals(&self, peer: &PeerId) -> bool {
        self.dials
            .values()
            .any(|dial| dial.signalled && dial.peer == Some(*peer))
    }

    /// The dial that ends with this attempt.
    fn ending_with(&mut self, id: &ConnectionId) -> Option<&mut Dial> {
        let key = self.attempts.get(id)?;
        self.dials.get_mut(key).filter(|dial| dial.attempts <= 1)
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, id: &ConnectionId, causes: Vec<String>) {
        let Some(key) = self.attempts.remove(id) else {
            return;
        };
        if let Some(dial) = self.dials.get_mut(&key) {
            let room = DIAL_CAUSES.saturating_sub(dial.causes.len());
            dial.causes.extend(causes.into_iter().take(room));
        }
        self.attempt_ended(key);
    }

    fn attempt_ended(&mut self, key: u64) {
        let Some(dial) = self.dials.get_mut(&key) else {
            return;
        };
        dial.attempts = dial.attempts.saturating_sub(1);
        if dial.attempts == 0
            && let Some(dial) = self.dials.remove(&key)
        {
            let error = Error::DialFailed {
                causes: dial.causes,
            };
            for waiter in dial.waiters {
                let _ = waiter.reply.send(Err(error.clone()));
            }
        }
    }

    /// Answers those whose time has passed, and forgets those who have gone.
    pub(super) fn expire(&mut self, now: Instant) {
        for dial in self.dials.values_mut() {
            let waiters = std::mem::take(&mut dial.waiters);
            for waiter in waiters {
                if waiter.reply.is_canceled() {
                    continue;
                }
                if waiter.deadline <= now {
                    let _ = waiter.reply.send(Err(Error::Timeout));
                } else {
                    dial.waiters.push(waiter);
                }
            }
            if dial.waiters.is_empty() {
                // The swarm cannot be told to end it. It may reach nothing private any more.
                dial.approvals = None;
            }
        }
    }

    pub(super) fn fail_all(&mut self, error: &Error) {
        for dial in self.dials.values_mut() {
            dial.approvals = None;
            for waiter in dial.waiters.drain(..) {
                let _ = waiter.reply.send(Err(error.clone()));
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.dials
            .values()
            .flat_map(|dial| &dial.waiters)
            .map(|waiter| waiter.deadline)
            .min()
    }

    /// A dial to the same peer that tries all these addresses already, and reaches as far.
    fn covering(
        &mut self,
        peer: PeerId,
        addresses: &[Multiaddr],
        scope: Scope,
        direct: bool,
    ) -> Option<&mut Dial> {
        self.dials.values_mut().find(|dial| {
            dial.peer == Some(peer)
                && dial.direct == direct
                // One that nobody waits for any more has no approvals left.
                && (!scope.private_network || (dial.private && dial.approvals.is_some()))
                && addresses
                    .iter()
                    .all(|address| dial.addresses.contains(address))
        })
    }
}

/// What is to be done for a request.
enum Plan {
    Reuse(ConnectionId, PeerId),
    Dial(Option<PeerId>, Vec<Multiaddr>),
}

impl EventLoop {
    /// Carries out a request to dial; `direct`: a relayed connection is no answer.
    pub(super) fn dial(&mut self, request: DialRequest, direct: bool, reply: Reply<Connection>) {
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
    pub(super) fn on_dial_failed(&mut self, id: ConnectionId, causes: Vec<String>) {
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

    fn start_dial(
        &mut self,
        scope: Scope,
        peer: Option<PeerId>,
        addresses: Vec<Multiaddr>,
        direct: bool,
        waiter: Waiter,
    ) {
        let full = |what, waiter: Waiter| {
            let error = Error::LimitExceeded {
                what,
                retry_after: RETRY_AFTER,
            };
            let _ = waiter.reply.send(Err(error));
        };
        if let Some(peer) = peer
            && let Some(dial) = self.dials.covering(peer, &addresses, scope, direct)
        {
            if dial.waiters.len() >= DIAL_WAITERS {
                return full("requests that wait for one dial", waiter);
            }
            dial.waiters.push(waiter);
            return;
        }
        if self.dials.dials.len() >= self.limits.pending_dials {
            return full("pending_dials", waiter);
        }
        let options: Vec<DialOpts> = match peer {
            Some(peer) => vec![
                // `Always`: another dial to the same peer may be stuck on a bad address.
                DialOpts::peer_id(peer)
                    .condition(PeerCondition::Always)
                    .addresses(addresses.clone())
                    .build(),
            ],
            None => addresses
                .iter()
                .map(|address| DialOpts::unknown_peer_id().address(address.clone()).build())
                .collect(),
        };
        let key = self.dials.next;
        self.dials.next = key.wrapping_add(1);
        for options in &options {
            self.dials.attempts.insert(options.connection_id(), key);
        }
        self.dials.dials.insert(
            key,
            Dial {
                peer,
                attempts: options.len(),
                direct,
                causes: Vec::new(),
                waiters: vec![waiter],
                signalled: all_signalled(&addresses),
                private: scope.private_network,
                // What the request may not dial needs no way through: global addresses pass by themselves, and
                // names are then checked again for what they resolve to.
                approvals: scope.private_network.then(|| {
                    let peer = peer.map(|peer| self.gate.approve_peer(peer));
                    (self.gate.approve(&addresses), peer)
                }),
                addresses,
            },
        );
        for options in options {
            let id = options.connection_id();
            if let Err(error) = self.swarm.dial(options) {
                self.dials.failed(&id, causes(&error));
            }
        }
    }
}

fn all_signalled(addresses: &[Multiaddr]) -> bool {
    !addresses.is_empty() && addresses.iter().all(is_signalled)
}

/// The addresses that may be dialed; an error when there were some and none may.
fn usable(
    addresses: Vec<Multiaddr>,
    peer: Option<PeerId>,
    scope: Scope,
    direct: bool,
) -> Result<Vec<Multiaddr>, Error> {
    let mut usable = Vec::new();
    let mut refused = None;
    let mut unusable = None;
    for address in addresses {
        match check(&address, peer, scope, direct) {
            Ok(()) if usable.contains(&address) => {}
            Ok(()) => usable.push(address),
            Err(error @ Error::Refused { .. }) => refused = refused.or(Some(error)),
            Err(error) => unusable = unusable.or(Some(error)),
        }
    }
    match refused.or(unusable) {
        Some(error) if usable.is_empty() => Err(error),
        _ => Ok(usable),
    }
}

fn check(
    address: &Multiaddr,
    peer: Option<PeerId>,
    scope: Scope,
    direct: bool,
) -> Result<(), Error> {
    judge(address, scope)?;
    let named = peer_of(address);
    let kind = TransportKind::of(address);
    let reason = if named.is_some() && named != peer {
        "it names another peer"
    } else if direct && kind == Some(TransportKind::Relay) {
        "it is relayed"
    } else if peer.is_none()
        && matches!(
            kind,
            Some(TransportKind::WebrtcDirect | TransportKind::Webrtc | TransportKind::Relay)
        )
    {
        "it names no peer"
    } else {
        return Ok(());
    };
    Err(bad(&address.to_string(), reason))
}

/// A failed dial in words, one sentence an address.
pub(super) fn causes(error: &DialError) -> Vec<String> {
    match error {
        DialError::LocalPeerId { .. } => vec!["the address leads to this node itself".into()],
        DialError::NoAddresses => vec!["there is no address to dial".into()],
        DialError::DialPeerConditionFalse(_) => vec!["a dial to this peer is under way".into()],
        DialError::Aborted => vec!["aborted".into()],
        DialError::WrongPeerId { obtained, .. } => {
            vec![format!("another peer answered: {obtained}")]
        }
        DialError::Denied { cause } => {
            let limit = cause.downcast_ref::<connection_limits::Exceeded>();
            vec![match limit {
                Some(_) => "the limit of connections is reached".into(),
                None => "denied by this node".into(),
            }]
        }
        DialError::Transport(errors) => errors
            .iter()
            .map(|(address, error)| match error {
                TransportError::MultiaddrNotSupported(_) => {
                    format!(
                        "{}: not supported",
                        TransportKind::of(address).map_or("?", TransportKind::as_str)
                    )
                }
                error @ TransportError::Other(_) => format!(
                    "{}: {}",
                    TransportKind::of(address).map_or("?", TransportKind::as_str),
                    root_cause(error)
                ),
            })
            .collect(),
    }
}

/// The innermost reason, which is the one that says something; cut to a sentence.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let text = mooring_webrtc::root_cause(error).to_string();
    text.chars()
        .filter(|c| !c.is_control())
        .take(CAUSE_CHARS)
        .collect()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
