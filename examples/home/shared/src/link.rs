//! The link that the program prints and a person takes to the page.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Where the program is, and the key that opens it: `<multiaddr ending in /p2p/<peer id>>#<key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The program's multiaddr.
    pub address: String,
    /// The key.
    pub key: String,
}

/// It is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no link: the program at home prints one when it starts, /ip4/…/p2p/…#…")]
pub struct BadLink;

impl Link {
    /// Whether the address is on this machine or in its own network, as far as one sees it.
    pub fn is_private(&self) -> bool {
        let mut parts = self.address.split('/').skip(1);
        match (parts.next(), parts.next().unwrap_or_default()) {
            (Some("ip4"), ip) => ip.parse().is_ok_and(|ip: Ipv4Addr| {
                ip.is_private() || ip.is_loopback() || ip.is_link_local()
            }),
            (Some("ip6"), ip) => ip.parse().is_ok_and(|ip: Ipv6Addr| {
                ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local()
            }),
            _ => false,
        }
    }
}

impl FromStr for Link {
    type Err = BadLink;

    fn from_str(text: &str) -> Result<Self, BadLink> {
        let (address, key) = text.trim().split_once('#').ok_or(BadLink)?;
        let complete = address.starts_with('/') && address.contains("/p2p/") && !key.is_empty();
        complete.then_some(()).ok_or(BadLink)?;
        Ok(Link {
            address: address.to_owned(),
            key: key.to_owned(),
        })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.address, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_an_address_and_a_key() {
        let text = "/ip4/192.168.1.2/udp/1/webrtc-direct/certhash/uEi/p2p/12D3#00ff";
        let link: Link = format!(" {text}\n").parse().unwrap();
        assert_eq!(
            (link.key.as_str(), link.to_string().as_str()),
            ("00ff", text)
        );
        for bad in [
            "",
            "#",
            "/ip4/192.168.1.2#00ff",
            "/ip4/1.2.3.4/p2p/12D3#",
            "/ip4/1.2.3.4/p2p/12D3",
            "12D3/p2p/#00",
        ] {
            assert_eq!(bad.parse::<Link>(), Err(BadLink), "{bad}");
        }
    }

    #[test]
    fn only_what_is_private_needs_the_permission_for_it() {
        for (address, private) in [
            ("/ip4/192.168.1.2/udp/1", true),
            ("/ip4/127.0.0.1/udp/1", true),
            ("/ip6/fd00::1/udp/1", true),
            ("/ip4/203.0.113.7/udp/1", false),
            ("/ip6/2001:db8::1/udp/1", false),
            ("/dns4/home.example/udp/1", false),
        ] {
            let link = Link {
                address: address.to_owned(),
                key: String::new(),
            };
            assert_eq!(link.is_private(), private, "{address}");
        }
    }
}
