//! `/webrtc` multiaddrs: `<relay>/p2p/<relay's id>/p2p-circuit/webrtc/p2p/<peer>`.

use libp2p_core::multiaddr::{Multiaddr, Protocol};
use libp2p_identity::PeerId;

use crate::Error;

/// Whom to dial by `/webrtc`, and how to signal to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialAddress {
    /// The peer.
    pub peer: PeerId,
    /// The circuit to it, peer id included.
    pub circuit: Multiaddr,
}

impl DialAddress {
    /// Reads an address. `Ok(None)`: it is not `/webrtc`.
    ///
    /// # Errors
    /// It is, but cannot be dialed.
    pub fn parse(address: &Multiaddr) -> Result<Option<Self>, Error> {
        if !is_signalled(address) {
            return Ok(None);
        }
        let circuit: Multiaddr = address
            .iter()
            .filter(|protocol| *protocol != Protocol::WebRTC)
            .collect();
        match address.iter().last() {
            Some(Protocol::P2p(peer)) => Ok(Some(Self { peer, circuit })),
            _ => Err(Error::Address("/webrtc without the peer's id")),
        }
    }
}

/// Whether this is the address of a direct connection that was signalled over a circuit, or of none yet: `…/p2p-circuit/webrtc…`.
pub fn is_signalled(address: &Multiaddr) -> bool {
    let mut after_circuit = false;
    for protocol in address {
        match protocol {
            Protocol::P2pCircuit => after_circuit = true,
            Protocol::WebRTC => return after_circuit,
            _ => {}
        }
    }
    false
}

/// Whether a connection at this address runs through a relay.
pub fn is_circuit(address: &Multiaddr) -> bool {
    address
        .iter()
        .any(|protocol| protocol == Protocol::P2pCircuit)
        && !is_signalled(address)
}

/// The address at which a node that is reached through `circuit` is reached by `/webrtc`: `/webrtc` comes after
/// `/p2p-circuit`. `None`: it is no circuit.
pub fn signalled_over(circuit: &Multiaddr) -> Option<Multiaddr> {
    if !is_circuit(circuit) {
        return None;
    }
    let mut address = Multiaddr::empty();
    for protocol in circuit {
        let relayed = protocol == Protocol::P2pCircuit;
        address.push(protocol);
        if relayed {
            address.push(Protocol::WebRTC);
        }
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str =
        "/ip4/1.2.3.4/tcp/9/ws/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    const PEER: &str = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo";

    fn parse(address: &str) -> Result<Option<DialAddress>, Error> {
        DialAddress::parse(&address.parse().unwrap())
    }

    #[test]
    fn finds_peer_and_circuit() {
        let address = parse(&format!("{RELAY}/p2p-circuit/webrtc/p2p/{PEER}"))
            .unwrap()
            .unwrap();
        assert_eq!(address.peer, PEER.parse().unwrap());
        assert_eq!(
            address.circuit.to_string(),
            format!("{RELAY}/p2p-circuit/p2p/{PEER}")
        );
        assert!(parse(&format!("{RELAY}/p2p-circuit/webrtc")).is_err());
    }

    #[test]
    fn tells_circuits_from_what_was_signalled_over_them() {
        let circuit: Multiaddr = format!("{RELAY}/p2p-circuit/p2p/{PEER}").parse().unwrap();
        let signalled = signalled_over(&circuit).unwrap();
        assert_eq!(
            signalled.to_string(),
            format!("{RELAY}/p2p-circuit/webrtc/p2p/{PEER}")
        );
        assert!(is_circuit(&circuit) && !is_circuit(&signalled));
        assert!(is_signalled(&signalled) && !is_signalled(&circuit));
        assert_eq!(signalled_over(&signalled), None);
        assert_eq!(signalled_over(&RELAY.parse().unwrap()), None);
        for other in [RELAY, "/webrtc", "/ip4/1.2.3.4/udp/9/webrtc-direct"] {
            assert!(parse(other).unwrap().is_none());
        }
    }
}
