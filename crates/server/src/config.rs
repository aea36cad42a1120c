//! What a server is started with.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::PathBuf,
};

use libp2p::{Multiaddr, multiaddr::Protocol};
use mooring_node::{Limits, Services};

use crate::{BOUNDS, Error, address};

/// UDP port of webrtc-direct and TCP port of plain libp2p, unless others are named.
pub const DEFAULT_PORT: u16 = 4815;

/// TCP port of WebSocket, unless another is named. Not the same as [`DEFAULT_PORT`]: one listener
/// cannot yet tell the two apart.
pub const DEFAULT_WS_PORT: u16 = 4816;

/// Everything [`Server::start`](crate::Server::start) needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where identity and certificate are kept; made when it is missing. With `None` nothing is
    /// kept, and each start is a new peer.
    pub data_dir: Option<PathBuf>,
    /// `/ip4|ip6/<address>/` and then `udp/<port>/webrtc-direct`, `tcp/<port>/ws` or
    /// `tcp/<port>`. Port 0: any free one.
    pub listen: Vec<Multiaddr>,
    /// Addresses under which others reach the server, when they are not those it listens on. A
    /// webrtc-direct address without `/certhash/…` gets the server's own.
    pub external: Vec<Multiaddr>,
    /// Peers to connect to at start and to stay connected to, each ending in `/p2p/<peer id>`.
    pub bootstrap: Vec<Multiaddr>,
    /// What is offered beyond the common protocols.
    pub services: Services,
    /// The node's bounds, and what it gives to others as a relay. Those of [`BOUNDS`](crate::BOUNDS) have to be within them.
    pub limits: Limits,
    /// Where `GET /metrics` answers with the numbers for Prometheus; without, nobody listens. Port 0: any free one
    /// ([`Server::metrics_address`](crate::Server::metrics_address)). It tells no names, but is not meant for strangers: it takes few
    /// connections at a time.
    pub metrics: Option<SocketAddr>,
    /// Told to peers by identify.
    pub agent_version: String,
}

impl Config {
    /// The defaults, with identity and certificate kept in `data_dir`: listens on all interfaces,
    /// at [`DEFAULT_PORT`] and [`DEFAULT_WS_PORT`], and relays.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: Some(data_dir.into()),
            ..Self::in_memory()
        }
    }

    /// The same, with an identity that is gone with the server.
    pub fn in_memory() -> Self {
        Self {
            data_dir: None,
            listen: default_listen(),
            external: Vec::new(),
            bootstrap: Vec::new(),
            services: Services {
                relay_server: true,
                ..Services::default()
            },
            limits: Limits::server(),
            metrics: None,
            agent_version: concat!("mooring-server/", env!("CARGO_PKG_VERSION")).into(),
        }
    }

    /// Checks what can be checked without touching disk or network.
    ///
    /// # Errors
    /// [`Error::Address`] for the first address that cannot be used, [`Error::NothingToListenOn`], [`Error::Limit`].
    pub fn check(&self) -> Result<(), Error> {
        if self.listen.is_empty() {
            return Err(Error::NothingToListenOn);
        }
        let fail = |role, address: &Multiaddr, problem| Error::Address {
            role,
            address: address.clone(),
            problem,
        };
        for (index, address) in self.listen.iter().enumerate() {
            let earlier = self.listen.get(..index).unwrap_or_default();
            address::check_listen(address, earlier)
                .map_err(|problem| fail(address::Role::Listen, address, problem))?;
        }
        for address in &self.external {
            address::check_external(address)
                .map_err(|problem| fail(address::Role::External, address, problem))?;
        }
        for address in &self.bootstrap {
            address::check_bootstrap(address)
                .map_err(|problem| fail(address::Role::Bootstrap, address, problem))?;
        }
        for bound in BOUNDS {
            let value = bound.of(&self.limits);
            if !bound.range.contains(&value) {
                return Err(Error::Limit {
                    name: bound.name,
                    value,
                    least: *bound.range.start(),
                    most: *bound.range.end(),
                });
            }
        }
        Ok(())
    }
}

fn default_listen() -> Vec<Multiaddr> {
    let mut hosts = vec![Protocol::Ip4(Ipv4Addr::UNSPECIFIED)];
    // Many machines and most containers have no IPv6, and a default must not fail on them.
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        hosts.push(Protocol::Ip6(Ipv6Addr::UNSPECIFIED));
    }
    hosts
        .into_iter()
        .flat_map(|host| {
            let host = Multiaddr::empty().with(host);
            [
                host.clone()
                    .with(Protocol::Udp(DEFAULT_PORT))
                    .with(Protocol::WebRTCDirect),
                host.clone()
                    .with(Protocol::Tcp(DEFAULT_WS_PORT))
                    .with(Protocol::Ws("/".into())),
                host.with(Protocol::Tcp(DEFAULT_PORT)),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_check() {
        let config = Config::in_memory();
        config.check().unwrap();
        assert!(config.listen.len() >= 3);
    }

    #[test]
    fn a_server_must_listen() {
        let config = Config {
            listen: Vec::new(),
            ..Config::in_memory()
        };
        assert!(matches!(config.check(), Err(Error::NothingToListenOn)));
    }

    #[test]
    fn names_the_limit_that_is_wrong() {
        let mut config = Config::in_memory();
        config.limits.relay_server.circuit_bytes = 10;
        assert!(matches!(
            config.check(),
            Err(Error::Limit {
                name: "relay-circuit-bytes",
                value: 10,
                ..
            })
        ));
    }

    #[test]
    fn names_the_address_that_is_wrong() {
        let mut config = Config::in_memory();
        config.bootstrap = vec!["/ip4/192.0.2.1/tcp/1".parse().unwrap()];
        assert!(matches!(
            config.check(),
            Err(Error::Address {
                role: address::Role::Bootstrap,
                problem: address::Problem::NoPeerId,
                ..
            })
        ));
    }
}
