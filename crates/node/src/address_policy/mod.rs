//! Which addresses may be dialed, and for whom.

use libp2p::Multiaddr;

use crate::{Error, Scope};

/// Judges one address for one scope. Pure.
///
/// The class is judged before the transport: a private address is `Refused` also when this node
/// has no transport for it.
///
/// # Errors
/// `Refused` for a non-global address without `private_network`; `BadAddress` when no transport
/// of this node could ever dial it.
pub fn judge(_address: &Multiaddr, _scope: Scope) -> Result<(), Error> {
    todo!()
}

/// As [`judge`], for addresses as text.
///
/// # Errors
/// Those of [`judge`]; `BadAddress` for what is no multiaddr.
pub fn parse(_address: &str) -> Result<Multiaddr, Error> {
    todo!()
}
