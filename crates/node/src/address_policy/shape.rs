//! Which addresses a set of transports could dial, by their shape.

use libp2p::{Multiaddr, multiaddr::Protocol};

use crate::types::TransportKind;

/// A named transport must be among these, and all parts it needs must be there.
pub(super) fn check(address: &Multiaddr, supported: &[TransportKind]) -> Result<(), &'static str> {
    let protocols: Vec<Protocol<'_>> = address.iter().collect();
    let circuit = protocols.iter().position(|p| *p == Protocol::P2pCircuit);
    let (direct, relayed) = match circuit {
        Some(at) => protocols.split_at_checked(at).unwrap_or((&protocols, &[])),
        None => (protocols.as_slice(), &[] as &[_]),
    };
    let relay = check_direct(direct, supported)?;
    match relayed {
        [] => Ok(()),
        _ if !supported.contains(&TransportKind::Relay) => Err("no relay transport"),
        _ if relay != Peer::Named => Err("the relay's /p2p/ part is missing"),
        [Protocol::P2pCircuit] | [Protocol::P2pCircuit, Protocol::P2p(_)] => Ok(()),
        [Protocol::P2pCircuit, Protocol::WebRTC, ..]
            if !supported.contains(&TransportKind::Webrtc) =>
        {
            Err("browser-to-browser WebRTC is not in this build")
        }
        [Protocol::P2pCircuit, Protocol::WebRTC]
        | [Protocol::P2pCircuit, Protocol::WebRTC, Protocol::P2p(_)] => Ok(()),
        _ => Err("unknown parts after /p2p-circuit"),
    }
}

#[derive(PartialEq)]
enum Peer {
    Named,
    Unnamed,
}

fn check_direct(
    protocols: &[Protocol<'_>],
    supported: &[TransportKind],
) -> Result<Peer, &'static str> {
    let (protocols, peer) = match protocols {
        [rest @ .., Protocol::P2p(_)] => (rest, Peer::Named),
        all => (all, Peer::Unnamed),
    };
    let (host, rest) = protocols.split_first().ok_or("it names no host")?;
    // A node with sockets of its own resolves names; a browser does it only where a URL goes in.
    let resolver = supported.contains(&TransportKind::Tcp);
    let is_name = match host {
        Protocol::Ip4(_) | Protocol::Ip6(_) => false,
        Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) => true,
        Protocol::Dnsaddr(_) if resolver && rest.is_empty() => return Ok(peer),
        Protocol::Dnsaddr(_) => return Err("/dnsaddr cannot be resolved in a browser"),
        Protocol::Ip6zone(_) => return Err("zones are not supported"),
        _ => return Err("it does not begin with a host"),
    };
    let kind = match rest {
        [Protocol::Tcp(0), ..] | [Protocol::Udp(0), ..] => return Err("port 0 cannot be dialed"),
        [Protocol::Udp(_), Protocol::WebRTCDirect, hashes @ ..] => {
            if hashes.is_empty() || !hashes.iter().all(is_certhash) {
                return Err("webrtc-direct needs /certhash/ and nothing else");
            }
            if is_name {
                return Err("webrtc-direct needs an IP address");
            }
            TransportKind::WebrtcDirect
        }
        [
            Protocol::Udp(_),
            Protocol::QuicV1,
            Protocol::WebTransport,
            hashes @ ..,
        ] if hashes.iter().all(is_certhash) => TransportKind::Webtransport,
        [Protocol::Udp(_), Protocol::QuicV1] => TransportKind::Quic,
        [Protocol::Tcp(_), Protocol::Ws(path) | Protocol::Wss(path)]
        | [Protocol::Tcp(_), Protocol::Tls, Protocol::Ws(path)] => {
            // It is put behind host and port as it is: `@10.0.0.1/` there would be another host's URL.
            if path != "/" {
                return Err("a WebSocket address has no path but `/`");
            }
            TransportKind::Websocket
        }
        [Protocol::Tcp(_)] => TransportKind::Tcp,
        _ => return Err("it names no transport this node knows"),
    };
    if supported.contains(&kind) {
        Ok(peer)
    } else {
        Err("its transport is not available here")
    }
}

fn is_certhash(protocol: &Protocol<'_>) -> bool {
    matches!(protocol, Protocol::Certhash(_))
}
