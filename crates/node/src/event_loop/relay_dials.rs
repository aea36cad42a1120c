//! Relays that are dialed because a circuit through them is wanted.

use std::collections::HashMap;

use futures::channel::oneshot;
use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};

use super::{EventLoop, dials::causes};
use crate::{transport::RelayNeeded, types::Path};

/// One dial of a relay.
#[derive(Debug)]
struct RelayDial {
    relay: PeerId,
    address: Multiaddr,
    waiters: Vec<oneshot::Sender<Result<(), String>>>,
}

/// Those under way. Each has at least one circuit's dial as its reason, and those are bounded.
#[derive(Debug, Default)]
pub(super) struct RelayDials {
    dials: HashMap<ConnectionId, RelayDial>,
}

impl RelayDials {
    /// The relay is connected, by whichever dial.
    pub(super) fn connected(&mut self, relay: &PeerId) {
        for dial in self.dials.values_mut() {
            if dial.relay == *relay {
                for waiter in dial.waiters.drain(..) {
                    // Whoever gave up does not want to know.
                    let _ = waiter.send(Ok(()));
                }
            }
        }
    }

    /// This dial has ended with a connection.
    pub(super) fn ended(&mut self, id: &ConnectionId) {
        self.dials.remove(id);
    }

    /// This dial has failed. Was it one of these?
    pub(super) fn failed(&mut self, id: &ConnectionId, causes: &[String]) -> bool {
        let Some(dial) = self.dials.remove(id) else {
            return false;
        };
        for waiter in dial.waiters {
            let _ = waiter.send(Err(causes.join("; ")));
        }
        true
    }
}

impl EventLoop {
    /// A dial through a relay waits for it.
    pub(super) fn on_relay_needed(&mut self, needed: RelayNeeded) {
        let RelayNeeded {
            relay,
            address,
            reply,
        } = needed;
        if self.connections.has_path(&relay, Path::Direct) {
            let _ = reply.send(Ok(()));
            return;
        }
        let same = |dial: &&mut RelayDial| dial.relay == relay && dial.address == address;
        if let Some(dial) = self.relay_dials.dials.values_mut().find(same) {
            dial.waiters.retain(|waiter| !waiter.is_canceled());
            dial.waiters.push(reply);
            return;
        }
        let options = DialOpts::peer_id(relay)
            // `Always`: another dial of the relay may be stuck on a bad address.
            .condition(PeerCondition::Always)
            .addresses(vec![address.clone()])
            .extend_addresses_through_behaviour()
            .build();
        let id = options.connection_id();
        self.relay_dials.dials.insert(
            id,
            RelayDial {
                relay,
                address,
                waiters: vec![reply],
            },
        );
        if let Err(error) = self.swarm.dial(options) {
            self.relay_dials.failed(&id, &causes(&error));
        }
    }
}
