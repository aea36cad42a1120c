//! `/webrtc-direct` multiaddrs.

use std::{fmt, net::IpAddr};

use libp2p_core::multiaddr::{Multiaddr, Protocol};
use libp2p_identity::PeerId;

use super::certhash::Fingerprint;
use crate::Error;

/// Where a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// `/ip4` or `/ip6`.
    Ip(IpAddr),
    /// `/dns`, `/dns4` or `/dns6`: a name to resolve.
    Dns(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Dns(name) => name.fmt(f),
        }
    }
}

/// An address that can be dialed:
/// `/ip4|ip6|dns|dns4|dns6/…/udp/<port>/webrtc-direct/certhash/<hash>[/p2p/<peer>]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialAddress {
    /// The server.
    pub host: Host,
    /// Its UDP port, not 0.
    pub port: u16,
    /// Its certificate.
    pub fingerprint: Fingerprint,
    /// Who it is, if the address says so.
    pub peer: Option<PeerId>,
}

impl DialAddress {
    /// Reads an address. `Ok(None)`: it is none of ours (another transport, or relayed through
    /// such an address). `Err`: it is webrtc-direct, but cannot be dialed.
    ///
    /// Of several certhashes the first SHA-256 one counts.
    pub fn parse(address: &Multiaddr) -> Result<Option<Self>, Error> {
        let mut protocols = address.iter();
        let host = match protocols.next() {
            Some(Protocol::Ip4(ip)) => Host::Ip(ip.into()),
            Some(Protocol::Ip6(ip)) => Host::Ip(ip.into()),
            Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => {
                Host::Dns(name.into_owned())
            }
            _ => return Ok(None),
        };
        let (Some(Protocol::Udp(port)), Some(Protocol::WebRTCDirect)) =
            (protocols.next(), protocols.next())
        else {
            return Ok(None);
        };
        let mut hashes = Vec::new();
        let mut peer = None;
        for protocol in protocols {
            match protocol {
                Protocol::Certhash(hash) if peer.is_none() => hashes.push(hash),
                Protocol::P2p(id) if peer.is_none() => peer = Some(id),
                Protocol::P2pCircuit => return Ok(None),
                _ => return Err(Error::Address("unexpected part after /webrtc-direct")),
            }
        }
        if port == 0 {
            return Err(Error::Address("port 0"));
        }
        // The name goes into a session description: nothing but host name characters.
        if let Host::Dns(name) = &host {
            let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-._".contains(&c);
            if name.is_empty() || name.len() > MAX_HOST_NAME || !name.bytes().all(allowed) {
                return Err(Error::Address("not a host name"));
            }
        }
        if hashes.is_empty() {
            return Err(Error::Address("no /certhash"));
        }
        let fingerprint = hashes
            .iter()
            .find_map(|hash| Fingerprint::from_multihash(hash).ok())
            .ok_or(Error::Certhash)?;
        Ok(Some(Self {
            host,
            port,
            fingerprint,
            peer,
        }))
    }
}

/// RFC 1035, section 2.3.4.
const MAX_HOST_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "/certhash/uEiAwtr7G7d4WcW9Lu9Oa_LhAE60VB5z4sA4HQ1n7vr4tmQ";
    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    fn parse(address: &str) -> Result<Option<DialAddress>, Error> {
        DialAddress::parse(&address.parse().unwrap())
    }

    #[test]
    fn reads_what_can_be_dialed() {
        let address = parse(&format!(
            "/ip4/1.2.3.4/udp/9/webrtc-direct{HASH}/p2p/{PEER}"
        ));
        let address = address.unwrap().unwrap();
        assert_eq!(address.host, Host::Ip("1.2.3.4".parse().unwrap()));
        assert_eq!((address.port, address.peer), (9, PEER.parse().ok()));
        let address = parse(&format!("/ip6/::1/udp/9/webrtc-direct{HASH}")).unwrap();
        assert_eq!(address.unwrap().peer, None);
        let address = parse(&format!("/dns4/a.example/udp/9/webrtc-direct{HASH}")).unwrap();
        assert_eq!(address.unwrap().host, Host::Dns("a.example".into()));
    }

    #[test]
    fn leaves_other_transports_alone() {
        for other in [
            "/ip4/1.2.3.4/udp/9/quic-v1".to_owned(),
            "/ip4/1.2.3.4/tcp/9".to_owned(),
            "/webrtc-direct".to_owned(),
            "".to_owned(),
            format!("/ip4/1.2.3.4/udp/9/webrtc-direct{HASH}/p2p/{PEER}/p2p-circuit"),
            format!("/p2p/{PEER}"),
        ] {
            assert!(parse(&other).unwrap().is_none(), "{other}");
        }
    }

    #[test]
    fn says_why_ours_cannot_be_dialed() {
        for bad in [
            "/ip4/1.2.3.4/udp/9/webrtc-direct".to_owned(),
            format!("/ip4/1.2.3.4/udp/0/webrtc-direct{HASH}"),
            format!("/ip4/1.2.3.4/udp/9/webrtc-direct{HASH}/ws"),
            format!("/ip4/1.2.3.4/udp/9/webrtc-direct/p2p/{PEER}{HASH}"),
            format!("/ip4/1.2.3.4/udp/9/webrtc-direct{HASH}/p2p/{PEER}/p2p/{PEER}"),
            format!("/dns4/a b/udp/9/webrtc-direct{HASH}"),
            format!("/dns4/a\r\na=x/udp/9/webrtc-direct{HASH}"),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }
}
