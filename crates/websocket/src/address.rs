//! From a multiaddr to a URL.

use libp2p_core::multiaddr::{Multiaddr, Protocol};

/// The URL of `/<host>/tcp/<port>` with `/ws`, `/wss` or `/tls/ws` behind it, and perhaps `/p2p/<peer>`; `None` for every other
/// address, and for a host or path that could make another host of the URL.
pub fn url(address: &Multiaddr) -> Option<String> {
    let mut protocols = address.iter();
    let host = match protocols.next()? {
        Protocol::Ip4(ip) => ip.to_string(),
        Protocol::Ip6(ip) => format!("[{ip}]"),
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) if is_name(&name) => {
            name.into_owned()
        }
        _ => return None,
    };
    let Protocol::Tcp(port) = protocols.next()? else {
        return None;
    };
    let (scheme, path) = match protocols.next()? {
        Protocol::Ws(path) => ("ws", path),
        Protocol::Wss(path) => ("wss", path),
        Protocol::Tls => match protocols.next()? {
            Protocol::Ws(path) => ("wss", path),
            _ => return None,
        },
        _ => return None,
    };
    let ends = match protocols.next() {
        None => true,
        Some(Protocol::P2p(_)) => protocols.next().is_none(),
        Some(_) => false,
    };
    (ends && path.starts_with('/')).then(|| format!("{scheme}://{host}:{port}{path}"))
}

/// Letters, digits, hyphens, underscores and dots: nothing that means something else in a URL.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use libp2p_identity::PeerId;

    use super::*;

    fn of(address: &str) -> Option<String> {
        url(&address.parse().unwrap())
    }

    #[test]
    fn hosts_and_schemes() {
        for (address, expected) in [
            ("/ip4/192.0.2.1/tcp/80/ws", "ws://192.0.2.1:80/"),
            ("/ip6/2001:db8::1/tcp/443/wss", "wss://[2001:db8::1]:443/"),
            ("/dns/example.com/tcp/443/wss", "wss://example.com:443/"),
            ("/dns4/example.com/tcp/443/tls/ws", "wss://example.com:443/"),
            ("/dns6/a-b_c.example/tcp/1/ws", "ws://a-b_c.example:1/"),
        ] {
            assert_eq!(of(address).as_deref(), Some(expected));
            let with_peer = format!("{address}/p2p/{}", PeerId::random());
            assert_eq!(of(&with_peer).as_deref(), Some(expected));
        }
    }

    #[test]
    fn anything_else_is_none() {
        for address in [
            "/ip4/192.0.2.1/tcp/80",
            "/ip4/192.0.2.1/udp/80/ws",
            "/ip4/192.0.2.1/tcp/80/tls",
            "/ip4/192.0.2.1/tcp/80/tls/wss",
            "/ip4/192.0.2.1/tcp/80/ws/p2p-circuit",
            "/dnsaddr/example.com/tcp/80/ws",
            "/ip4/192.0.2.1",
            "",
        ] {
            assert_eq!(of(address), None, "{address}");
        }
    }

    #[test]
    fn no_name_or_path_makes_another_host() {
        for name in ["a@b", "a:1", "a#", "a?", "a%2eb", "a\\b", "ä", "", "a b"] {
            let address = Multiaddr::empty()
                .with(Protocol::Dns(name.into()))
                .with(Protocol::Tcp(80))
                .with(Protocol::Ws("/".into()));
            assert_eq!(url(&address), None, "{name:?}");
        }
        for path in ["@192.0.2.9/", "0/", ""] {
            let address = Multiaddr::empty()
                .with(Protocol::Dns("example.com".into()))
                .with(Protocol::Tcp(80))
                .with(Protocol::Ws(path.into()));
            assert_eq!(url(&address), None, "{path:?}");
        }
    }
}
