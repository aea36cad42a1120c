//! Which addresses may be dialed, and for whom.
//!
//! A site may reach globally reachable hosts. Everything else (loopback, the home network, other
//! special-purpose addresses, names that cannot be public) needs a scope that says so, in
//! whatever spelling it comes. The [`Gate`] applies the same to what the node dials by itself.

mod candidates;
mod gate;
mod ip;
mod name;
mod shape;
#[cfg(test)]
mod tests;

pub(crate) use gate::{Approval, Gate, GatedTransport, PeerApproval};
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

use crate::{
    Error, Scope,
    limits::{ADDRESS_IN_ERROR, ADDRESS_TEXT},
    transport,
    types::TransportKind,
};

/// What a host is, by its spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Globally reachable unicast, or a name that can be public.
    Global,
    /// Anything else.
    NonGlobal,
    /// A name that could mean anything.
    Unclear,
    /// No name at all.
    Malformed,
}

/// Judges one address for one scope. Pure.
///
/// The class is judged before the transport: a private address is `Refused` also when this node
/// has no transport for it.
///
/// # Errors
/// `Refused` for a non-global address without `private_network`; `BadAddress` when no transport
/// of this node could ever dial it.
pub fn judge(address: &Multiaddr, scope: Scope) -> Result<(), Error> {
    judge_with(address, scope, transport::SUPPORTED)
}

/// As [`judge`], for addresses as text.
///
/// # Errors
/// Those of [`judge`]; `BadAddress` for what is no multiaddr.
pub fn parse(address: &str, scope: Scope) -> Result<Multiaddr, Error> {
    if address.len() > ADDRESS_TEXT {
        return Err(bad(address, "it is too long"));
    }
    let parsed: Multiaddr = address
        .parse()
        .map_err(|_| bad(address, "it is no multiaddr"))?;
    judge(&parsed, scope)?;
    Ok(parsed)
}

/// Is it one that this scope does not reach? Another question than whether it could be dialed at all.
pub(crate) fn is_refused(address: &Multiaddr, scope: Scope) -> bool {
    matches!(judge(address, scope), Err(Error::Refused { .. }))
}

/// The peer that an address leads to: its last `/p2p/`, unless that is the relay's.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

fn judge_with(address: &Multiaddr, scope: Scope, supported: &[TransportKind]) -> Result<(), Error> {
    // Every host in it counts, wherever it stands: that is also the relay's.
    for class in address.iter().filter_map(|protocol| class_of(&protocol)) {
        match class {
            Class::Global => {}
            Class::NonGlobal | Class::Unclear if !scope.private_network => {
                return Err(Error::Refused {
                    reason: format!("{} is not a global address", short(&address.to_string())),
                });
            }
            Class::NonGlobal => {}
            Class::Unclear | Class::Malformed => {
                return Err(bad(&address.to_string(), "its host is no domain name"));
            }
        }
    }
    shape::check(address, supported).map_err(|reason| bad(&address.to_string(), reason))
}

fn class_of(protocol: &Protocol<'_>) -> Option<Class> {
    let global = |is_global| {
        if is_global {
            Class::Global
        } else {
            Class::NonGlobal
        }
    };
    match protocol {
        Protocol::Ip4(address) => Some(global(ip::is_global_v4(*address))),
        Protocol::Ip6(address) => Some(global(ip::is_global_v6(*address))),
        Protocol::Dns(name)
        | Protocol::Dns4(name)
        | Protocol::Dns6(name)
        | Protocol::Dnsaddr(name) => Some(name::class_of_name(name)),
        _ => None,
    }
}

pub(crate) fn bad(address: &str, reason: &'static str) -> Error {
    Error::BadAddress {
        address: short(address),
        reason,
    }
}

/// Enough of an address to recognise it by, for an error.
fn short(address: &str) -> String {
    if address.len() <= ADDRESS_IN_ERROR {
        return address.to_owned();
    }
    let mut text: String = address.chars().take(ADDRESS_IN_ERROR).collect();
    text.push('…');
    text
}
