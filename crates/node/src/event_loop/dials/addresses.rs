//! Which addresses a request may dial.

use libp2p::{Multiaddr, PeerId};
use mooring_webrtc::core::signalling::address::is_signalled;

use crate::{
    Error, Scope,
    address_policy::{bad, judge, peer_of},
    types::TransportKind,
};

/// Does each of them lead to a direct connection that is signalled over a circuit?
pub(super) fn all_signalled(addresses: &[Multiaddr]) -> bool {
    !addresses.is_empty() && addresses.iter().all(is_signalled)
}

/// The addresses that may be dialed; an error when there were some and none may.
pub(super) fn usable(
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
