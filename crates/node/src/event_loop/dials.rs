//! Dials under way: who waits for them, and what they may reach.

mod addresses;
mod causes;
mod requests;
mod shares;

use std::collections::{BTreeMap, HashMap};

use libp2p::{Multiaddr, PeerId, swarm::ConnectionId};
use web_time::Instant;

pub(super) use causes::{causes, root_cause};

use crate::{
    Error, Scope,
    address_policy::{Approval, PeerApproval},
    handle::Reply,
    limits::{DIAL_CAUSES, DIAL_CONCURRENCY, DIAL_WAITERS},
    types::{Connection, Owner, Path},
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
    /// Whose share it takes: of who asked first. `None`: the node itself.
    owner: Option<Owner>,
    /// Has the swarm got it? Else it waits for its turn.
    begun: bool,
    peer: Option<PeerId>,
    addresses: Vec<Multiaddr>,
    /// Is a relayed connection no answer?
    direct: bool,
    /// Does every address lead to a direct connection that is signalled over a circuit? Then the circuit is no answer while that may
    /// still come.
    signalled: bool,
    /// May private addresses be used?
    private: bool,
    /// Those that the swarm is not done with.
    attempts: usize,
    causes: Vec<String>,
    waiters: Vec<Waiter>,
    /// From its beginning, as long as somebody waits.
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
    /// In the order in which they were asked for.
    dials: BTreeMap<u64, Dial>,
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
            .any(|dial| dial.begun && dial.signalled && dial.peer == Some(*peer))
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

    /// A dial to the same peer that tries all these addresses already, and reaches as far. Another owner's only if none of them is
    /// still to come: it must not have to wait for whatever else that owner dials.
    fn covering(
        &mut self,
        owner: Option<&Owner>,
        peer: PeerId,
        addresses: &[Multiaddr],
        scope: Scope,
        direct: bool,
    ) -> Option<&mut Dial> {
        self.dials.values_mut().find(|dial| {
            let at_once = dial.begun && dial.addresses.len() <= DIAL_CONCURRENCY.get().into();
            dial.peer == Some(peer)
                && (at_once || dial.owner.as_ref() == owner)
                && dial.waiters.len() < DIAL_WAITERS
                && dial.direct == direct
                // One that nobody waits for any more has no approvals left.
                && (!scope.private_network
                    || (dial.private && (!dial.begun || dial.approvals.is_some())))
                && addresses
                    .iter()
                    .all(|address| dial.addresses.contains(address))
        })
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
