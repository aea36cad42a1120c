//! Peers that the node keeps a connection to by itself.

use std::{collections::HashMap, time::Duration};

use futures::channel::oneshot;
use libp2p::{Multiaddr, PeerId};
use web_time::Instant;

use super::{EventLoop, backoff::backoff};
use crate::{
    Error,
    address_policy::{bad, peer_of},
    limits::{
        BOOTSTRAP_BACKOFF, BOOTSTRAP_BACKOFF_MAX, BOOTSTRAP_PEERS, BOOTSTRAP_TIMEOUT,
        DIAL_ADDRESSES,
    },
    types::{Connection, DialRequest},
};

#[derive(Debug)]
struct Target {
    addresses: Vec<Multiaddr>,
    failures: u32,
    due: Instant,
    dial: Option<oneshot::Receiver<Result<Connection, Error>>>,
    /// Should the dial under way fail, is it to be repeated at once? It may have begun without a network.
    again: bool,
}

/// Peers that the node keeps a connection to by itself.
#[derive(Debug)]
pub(super) struct Bootstrap {
    targets: HashMap<PeerId, Target>,
}

impl Bootstrap {
    pub(super) fn new(addresses: &[Multiaddr]) -> Result<Self, Error> {
        let mut targets = HashMap::new();
        for address in addresses {
            let peer = peer_of(address)
                .ok_or_else(|| bad(&address.to_string(), "a bootstrap address needs /p2p/"))?;
            let target = targets.entry(peer).or_insert_with(|| Target {
                addresses: Vec::new(),
                failures: 0,
                due: Instant::now(),
                dial: None,
                again: false,
            });
            if target.addresses.len() >= DIAL_ADDRESSES {
                return Err(Error::Config(
                    "too many addresses of one bootstrap peer".into(),
                ));
            }
            target.addresses.push(address.clone());
        }
        if targets.len() > BOOTSTRAP_PEERS {
            return Err(Error::Config(format!(
                "more than {BOOTSTRAP_PEERS} bootstrap peers"
            )));
        }
        Ok(Self { targets })
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        // A dial under way ends by its own deadline, at the latest a housekeeping later.
        self.targets
            .values()
            .filter(|target| target.dial.is_none())
            .map(|target| target.due)
            .min()
    }

    /// A peer is no longer connected.
    pub(super) fn on_disconnected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(target) = self.targets.get_mut(peer) {
            target.due = now.checked_add(pause(target.failures)).unwrap_or(now);
        }
    }
}

fn pause(failures: u32) -> Duration {
    backoff(BOOTSTRAP_BACKOFF, BOOTSTRAP_BACKOFF_MAX, failures)
}

impl EventLoop {
    pub(super) fn tick_bootstrap(&mut self, now: Instant) {
        let mut due = Vec::new();
        for (peer, target) in &mut self.bootstrap.targets {
            if let Some(dial) = &mut target.dial {
                match dial.try_recv() {
                    Ok(None) => continue,
                    Ok(Some(Ok(_))) => target.failures = 0,
                    Ok(Some(Err(error))) => {
                        tracing::debug!(%peer, %error, "bootstrap peer not reached");
                        target.failures = target.failures.saturating_add(1);
                    }
                    Err(oneshot::Canceled) => target.failures = target.failures.saturating_add(1),
                }
                target.dial = None;
                let pause = if std::mem::take(&mut target.again) {
                    Duration::ZERO
                } else {
                    pause(target.failures)
                };
                target.due = now.checked_add(pause).unwrap_or(now);
            }
            if target.due > now {
                continue;
            }
            if self.paused || self.connections.is_connected(peer) {
                // Looked at again now and then; a disconnect is noticed at once.
                target.due = now.checked_add(BOOTSTRAP_BACKOFF_MAX).unwrap_or(now);
                continue;
            }
            let (reply, answer) = oneshot::channel();
            target.dial = Some(answer);
            due.push((*peer, target.addresses.clone(), reply));
        }
        for (peer, addresses, reply) in due {
            let request = DialRequest {
                peer: Some(peer),
                addresses,
                owner: None,
                scope: self.scope,
                timeout: BOOTSTRAP_TIMEOUT,
            };
            self.dial(request, false, reply);
        }
    }

    /// The user lets the node go on, or the network is back.
    pub(super) fn bootstrap_now(&mut self) {
        self.swarm.behaviour_mut().kad.forget_dead();
        let now = Instant::now();
        for target in self.bootstrap.targets.values_mut() {
            target.due = now;
            target.failures = 0;
            target.again = target.dial.is_some();
        }
        self.known.begin_anew(now);
    }
}
