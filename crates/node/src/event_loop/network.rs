//! What is dialed again after it was lost: relays, and with the machine's network whatever sites wanted.
//!
//! Nothing is closed when it goes: the browser's word for it may be wrong, and connections that really are lost end by
//! themselves, some of them long after. What sites wanted when that happened is dialed again once the network is back. A relay that made this node
//! reachable is dialed again also when it went away by itself, as it does to be started anew.

use std::collections::{BTreeSet, HashMap};

use futures::channel::oneshot;
use libp2p::{Multiaddr, PeerId};
use web_time::Instant;

use super::{EventLoop, backoff::backoff};
use crate::{
    Error, Scope,
    limits::{
        LOST_PEERS, NETWORK_SETTLE, REDIAL_ATTEMPTS, REDIAL_BACKOFF, REDIAL_BACKOFF_MAX,
        REDIAL_TIMEOUT, RELAY_REDIAL_ATTEMPTS,
    },
    types::{Connection, DialRequest, Direction, Owner},
};

/// Who wants a lost peer back.
#[derive(Debug)]
struct Wish {
    owner: Owner,
    /// How far it may reach.
    scope: Scope,
    /// While it is dialed.
    dial: Option<oneshot::Receiver<Result<Connection, Error>>>,
}

/// A peer whose connection ended with the network.
#[derive(Debug)]
struct Lost {
    /// Where it was connected. Only that is dialed: somebody was allowed to.
    address: Multiaddr,
    wishes: Vec<Wish>,
    attempts: u32,
    /// How many there may be.
    patience: u32,
    due: Instant,
}

/// What is known of the network, and what to do once it is back.
#[derive(Debug, Default)]
pub(super) struct Network {
    away: bool,
    /// When it last came back.
    back: Option<Instant>,
    lost: HashMap<PeerId, Lost>,
}

impl Network {
    pub(super) fn is_away(&self) -> bool {
        self.away
    }

    /// Is a connection that ends now likely to have ended because of the network?
    fn is_cause(&self, now: Instant) -> bool {
        self.away
            || self
                .back
                .is_some_and(|at| now.saturating_duration_since(at) < NETWORK_SETTLE)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        // A dial under way ends by its own deadline, at the latest a housekeeping later.
        self.lost
            .values()
            .filter(|lost| !self.away && !lost.is_dialing())
            .map(|lost| lost.due)
            .min()
    }

    /// A connection broke that its owners still wanted. `private`: those who may reach private addresses; `relay`: this node had a
    /// reservation there.
    pub(super) fn on_lost(
        &mut self,
        connection: &Connection,
        private: &BTreeSet<Owner>,
        relay: bool,
        now: Instant,
    ) {
        if connection.direction != Direction::Outbound
            || connection.owners.is_empty()
            || !(relay || self.is_cause(now))
            || (self.lost.len() >= LOST_PEERS && !self.lost.contains_key(&connection.peer))
        {
            return;
        }
        self.lost.insert(
            connection.peer,
            Lost {
                address: connection.remote_address.clone(),
                wishes: connection
                    .owners
                    .iter()
                    .map(|owner| Wish {
                        owner: owner.clone(),
                        scope: Scope {
                            private_network: private.contains(owner),
                        },
                        dial: None,
                    })
                    .collect(),
                attempts: 0,
                patience: if relay {
                    RELAY_REDIAL_ATTEMPTS
                } else {
                    REDIAL_ATTEMPTS
                },
                due: now,
            },
        );
    }

    /// Somebody does not want this peer any more.
    pub(super) fn release(&mut self, peer: &PeerId, owner: &Owner) {
        if let Some(lost) = self.lost.get_mut(peer) {
            lost.wishes.retain(|wish| wish.owner != *owner);
            if lost.wishes.is_empty() {
                self.lost.remove(peer);
            }
        }
    }

    /// Somebody does not want any peer any more.
    pub(super) fn release_all(&mut self, owner: &Owner) {
        let peers: Vec<PeerId> = self.lost.keys().copied().collect();
        for peer in peers {
            self.release(&peer, owner);
        }
    }

    /// Nobody shall have this peer back.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.lost.remove(peer);
    }

    /// Nobody shall have anything back.
    pub(super) fn forget_all(&mut self) {
        self.lost.clear();
    }
}

impl Lost {
    fn is_dialing(&self) -> bool {
        self.wishes.iter().any(|wish| wish.dial.is_some())
    }

    /// Looks at the dials under way; true when they are all over and nothing is left to do.
    fn is_over(&mut self, now: Instant) -> bool {
        let was_dialing = self.is_dialing();
        self.wishes.retain_mut(|wish| {
            let Some(answer) = &mut wish.dial else {
                return true;
            };
            match answer.try_recv() {
                Ok(None) => true,
                Ok(Some(Ok(_))) => false,
                Ok(Some(Err(_))) | Err(oneshot::Canceled) => {
                    wish.dial = None;
                    true
                }
            }
        });
        if self.wishes.is_empty() {
            return true;
        }
        if was_dialing && !self.is_dialing() {
            self.attempts = self.attempts.saturating_add(1);
            let doublings = self.attempts.saturating_sub(1);
            let pause = backoff(REDIAL_BACKOFF, REDIAL_BACKOFF_MAX, doublings);
            self.due = now.checked_add(pause).unwrap_or(now);
        }
        self.attempts >= self.patience
    }
}

impl EventLoop {
    /// The network went away, or is there (again).
    pub(super) fn set_network(&mut self, available: bool) {
        let now = Instant::now();
        self.network.away = !available;
        if !available || self.paused {
            return;
        }
        self.network.back = Some(now);
        for lost in self.network.lost.values_mut() {
            lost.due = now;
            lost.attempts = 0;
        }
        self.upgrades.network_is_back(now);
        self.bootstrap_now();
        self.tick_network(now);
        self.tick_bootstrap(now);
    }

    pub(super) fn tick_network(&mut self, now: Instant) {
        self.network.lost.retain(|_, lost| !lost.is_over(now));
        if self.network.away {
            return;
        }
        let mut due = Vec::new();
        for (peer, lost) in &mut self.network.lost {
            if lost.is_dialing() || lost.due > now {
                continue;
            }
            for wish in &mut lost.wishes {
                let (reply, answer) = oneshot::channel();
                wish.dial = Some(answer);
                let address = lost.address.clone();
                due.push((*peer, address, wish.owner.clone(), wish.scope, reply));
            }
        }
        for (peer, address, owner, scope, reply) in due {
            let request = DialRequest {
                peer: Some(peer),
                addresses: vec![address],
                owner: Some(owner),
                scope,
                timeout: REDIAL_TIMEOUT,
            };
            self.dial(request, false, reply);
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::types::{Path, TransportKind};

    #[test]
    fn who_wants_a_peer_back_reaches_no_further_than_before() {
        let (near, far) = (
            Owner::new("https://a.example"),
            Owner::new("https://b.example"),
        );
        let connection = Connection {
            id: "1".into(),
            peer: PeerId::random(),
            remote_address: "/ip4/9.9.9.9/tcp/9/ws".parse().unwrap(),
            direction: Direction::Outbound,
            path: Path::Direct,
            transport: TransportKind::Websocket,
            private: false,
            opened_at_ms: 0,
            rtt: None,
            owners: vec![near.clone(), far.clone()],
        };
        let mut network = Network {
            away: true,
            ..Network::default()
        };
        network.on_lost(
            &connection,
            &BTreeSet::from([near.clone()]),
            false,
            Instant::now(),
        );
        let wishes = &network.lost[&connection.peer].wishes;
        let scopes: Vec<_> = wishes
            .iter()
            .map(|wish| (&wish.owner, wish.scope))
            .collect();
        assert_eq!(scopes, [(&near, Scope::PRIVATE), (&far, Scope::GLOBAL)]);
    }
}
