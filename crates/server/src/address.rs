//! Which addresses a server can listen on, announce and bootstrap from.

use std::{fmt, net::IpAddr};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

/// What an address was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To listen on.
    Listen,
    /// To be announced to others.
    External,
    /// To connect to at start.
    Bootstrap,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listen => "listen",
            Self::External => "external",
            Self::Bootstrap => "bootstrap",
        })
    }
}

/// What is wrong with an address, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not one of the shapes that can be listened on.
    #[error(
        "it must be /ip4/… or /ip6/… followed by /udp/<port>/webrtc-direct, /tcp/<port>/ws or /tcp/<port>"
    )]
    ListenShape,
    /// An address as the server prints it.
    #[error("leave out /certhash/… and /p2p/…, the server adds its own")]
    ListenIdentity,
    /// A listener that needs a certificate of a public authority.
    #[error("the server does no TLS; listen on /ws and put a proxy that does TLS in front")]
    ListenTls,
    /// QUIC or WebTransport.
    #[error("the server does not listen on QUIC or WebTransport; use /udp/<port>/webrtc-direct")]
    ListenQuic,
    /// The same port twice.
    #[error("another address to listen on has the same port; give each its own")]
    PortTwice,
    /// No transport that anybody could dial.
    #[error(
        "it must be an address that others can dial, such as /ip4/<public address>/udp/<port>/webrtc-direct"
    )]
    NotDialable,
    /// 0.0.0.0 or ::, which is no address of anybody.
    #[error("an unspecified address (0.0.0.0 or ::) cannot be dialed; write the real one")]
    Unspecified,
    /// Port 0.
    #[error("port 0 cannot be dialed; write the real one")]
    PortZero,
    /// An external address with a peer id; only one's own could be right.
    #[error("leave out /p2p/…, the server adds its own peer id")]
    ExternalPeerId,
    /// No `/p2p/…` at the end.
    #[error("it must end in /p2p/<peer id>")]
    NoPeerId,
    /// A transport that this server cannot dial.
    #[error("the server can dial only /tcp, /ws, /wss and /webrtc-direct addresses")]
    BootstrapTransport,
    /// webrtc-direct without certificate hash.
    #[error("a webrtc-direct address needs the /certhash/… that its server prints")]
    NoCerthash,
}

/// Can the server listen there, beside those it listens on already?
///
/// # Errors
/// The first [`Problem`].
pub fn check_listen(address: &Multiaddr, earlier: &[Multiaddr]) -> Result<(), Problem> {
    let socket = listen_socket(address)?;
    let clash = earlier
        .iter()
        .filter_map(|other| listen_socket(other).ok())
        .any(|other| socket.clashes_with(other));
    if clash {
        return Err(Problem::PortTwice);
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Socket {
    host: IpAddr,
    udp: bool,
    port: u16,
}

impl Socket {
    fn clashes_with(self, other: Self) -> bool {
        self.udp == other.udp
            && self.port == other.port
            && self.port != 0
            && self.host.is_ipv4() == other.host.is_ipv4()
            && (self.host == other.host
                || self.host.is_unspecified()
                || other.host.is_unspecified())
    }
}

fn listen_socket(address: &Multiaddr) -> Result<Socket, Problem> {
    for part in address {
        match part {
            Protocol::P2p(_) | Protocol::Certhash(_) => return Err(Problem::ListenIdentity),
            Protocol::Wss(_) | Protocol::Tls => return Err(Problem::ListenTls),
            Protocol::Quic | Protocol::QuicV1 | Protocol::WebTransport => {
                return Err(Problem::ListenQuic);
            }
            _ => {}
        }
    }
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => IpAddr::V4(ip),
        Some(Protocol::Ip6(ip)) => IpAddr::V6(ip),
        _ => return Err(Problem::ListenShape),
    };
    let (udp, port) = match (parts.next(), parts.next()) {
        (Some(Protocol::Udp(port)), Some(Protocol::WebRTCDirect)) => (true, port),
        (Some(Protocol::Tcp(port)), None | Some(Protocol::Ws(_))) => (false, port),
        _ => return Err(Problem::ListenShape),
    };
    match parts.next() {
        None => Ok(Socket { host, udp, port }),
        Some(_) => Err(Problem::ListenShape),
    }
}

/// Is this an address that others could dial?
///
/// # Errors
/// The first [`Problem`].
pub fn check_external(address: &Multiaddr) -> Result<(), Problem> {
    if address.iter().any(|part| matches!(part, Protocol::P2p(_))) {
        return Err(Problem::ExternalPeerId);
    }
    check_dialable(address)
}

/// Is this a peer to connect to at start?
///
/// # Errors
/// The first [`Problem`].
pub fn check_bootstrap(address: &Multiaddr) -> Result<(), Problem> {
    if peer_of(address).is_none() {
        return Err(Problem::NoPeerId);
    }
    check_dialable(address)?;
    let has = |wanted: fn(&Protocol<'_>) -> bool| address.iter().any(|part| wanted(&part));
    if has(|part| {
        matches!(
            part,
            Protocol::Quic | Protocol::QuicV1 | Protocol::WebTransport | Protocol::WebRTC
        )
    }) {
        return Err(Problem::BootstrapTransport);
    }
    if has(|part| matches!(part, Protocol::WebRTCDirect)) {
        if !has(|part| matches!(part, Protocol::Certhash(_))) {
            return Err(Problem::NoCerthash);
        }
    } else if !has(|part| matches!(part, Protocol::Tcp(_))) {
        return Err(Problem::BootstrapTransport);
    }
    Ok(())
}

/// The peer that an address ends in.
pub(crate) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// Can an address be dialed only from this machine or its own network?
pub(crate) fn is_private(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(Protocol::Ip6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        _ => false,
    }
}

fn check_dialable(address: &Multiaddr) -> Result<(), Problem> {
    let mut parts = address.iter();
    match parts.next() {
        Some(Protocol::Ip4(ip)) if ip.is_unspecified() => return Err(Problem::Unspecified),
        Some(Protocol::Ip6(ip)) if ip.is_unspecified() => return Err(Problem::Unspecified),
        Some(
            Protocol::Ip4(_)
            | Protocol::Ip6(_)
            | Protocol::Dns(_)
            | Protocol::Dns4(_)
            | Protocol::Dns6(_),
        ) => {}
        _ => return Err(Problem::NotDialable),
    }
    match parts.next() {
        Some(Protocol::Tcp(0) | Protocol::Udp(0)) => Err(Problem::PortZero),
        Some(Protocol::Tcp(_)) => Ok(()),
        Some(Protocol::Udp(_)) => match parts.next() {
            Some(Protocol::WebRTCDirect | Protocol::QuicV1) => Ok(()),
            _ => Err(Problem::NotDialable),
        },
        _ => Err(Problem::NotDialable),
    }
}

#[cfg(test)]
mod tests;
