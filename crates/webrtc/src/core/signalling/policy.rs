//! Which candidates may be used.

use std::fmt;

use libp2p_identity::PeerId;

use super::candidate::Address;

/// Decides which candidates are used and told. It is asked for each candidate at the time, so that what it allows may change.
pub trait Policy: fmt::Debug + Send + Sync {
    /// May a candidate at this address be used when `peer` names it, and be told to `peer` when it is ours?
    ///
    /// Addresses of private networks and mDNS names deserve care: using a peer's makes this machine send to its own
    /// network, and telling ours shows the peer how that network looks.
    fn allows(&self, peer: &PeerId, address: &Address) -> bool;

    /// Does somebody here want this peer connected? Its offers do not count towards what everybody's may be.
    fn expects(&self, _peer: &PeerId) -> bool {
        false
    }
}

/// Uses and tells every candidate: for tests, and for nodes of one network.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Policy for AllowAll {
    fn allows(&self, _: &PeerId, _: &Address) -> bool {
        true
    }
}
