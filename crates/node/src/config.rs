//! What a node is started with.

use std::{net::IpAddr, sync::Arc};

use libp2p::{Multiaddr, identity::Keypair};

use mooring_webrtc::signalled::IceServers;

use crate::{known_peers::KnownPeers, limits::Limits, meter::Meter};

/// The DHT that everybody is in.
pub const DEFAULT_KAD_PROTOCOL: &str = "/ipfs/kad/1.0.0";

/// What kind of node this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// In a browser: dials, asks, reserves on relays.
    Client,
    /// Reachable: listens, answers DHT queries, may relay.
    Server,
}

/// What the node offers to others beyond the common protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// `/mooring/echo/1.0.0`: every byte back.
    pub echo: bool,
    /// `/perf/1.0.0`, the throughput test of libp2p/specs.
    pub perf: bool,
    /// Circuit relay v2, hop side. Only with [`Role::Server`].
    pub relay_server: bool,
}

/// Everything [`new`](crate::new) needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's identity.
    pub keypair: Keypair,
    /// Client or server.
    pub role: Role,
    /// Addresses to listen on; a browser has none.
    pub listen: Vec<Multiaddr>,
    /// Addresses under which others reach this node. A server that names none announces what it
    /// listens on.
    pub external: Vec<Multiaddr>,
    /// Peers to keep a connection to; each address ends in `/p2p/<id>`.
    pub bootstrap: Vec<Multiaddr>,
    /// Peers from an earlier run ([`Handle::known_peers`](crate::Handle::known_peers)): lookups may begin with them, and a few are
    /// connected.
    pub known_peers: KnownPeers,
    /// May the node's own upkeep (DHT, bootstrap, relays) dial non-global addresses? Requests
    /// bring a [`Scope`](crate::Scope) of their own.
    pub allow_private_network: bool,
    /// Told to peers by identify.
    pub agent_version: String,
    /// The DHT's protocol id.
    pub kad_protocol: String,
    /// The node's bounds.
    pub limits: Limits,
    /// The WebRTC listener's certificate. Without one, a new one is made at every start, and with
    /// it another certhash in the address.
    #[cfg(not(target_arch = "wasm32"))]
    pub webrtc_certificate: Option<mooring_webrtc::Certificate>,
    /// STUN servers that tell a browser how the world sees it, and TURN servers. Without one, `/webrtc` works within a network
    /// and between public addresses. A clone that is kept may give the running node others.
    pub ice_servers: IceServers,
    /// Addresses of this machine at which a native node offers `/webrtc`; all but loopback without.
    pub webrtc_addresses: Option<Vec<IpAddr>>,
    /// What is offered.
    pub services: Services,
    /// Who counts what happens.
    pub meter: Option<Arc<dyn Meter>>,
}

impl Config {
    /// A node in a browser, or anywhere else where nobody can dial it.
    pub fn client(keypair: Keypair) -> Self {
        Self {
            keypair,
            role: Role::Client,
            listen: Vec::new(),
            external: Vec::new(),
            bootstrap: Vec::new(),
            known_peers: KnownPeers::default(),
            allow_private_network: false,
            agent_version: concat!("mooring/", env!("CARGO_PKG_VERSION")).into(),
            kad_protocol: DEFAULT_KAD_PROTOCOL.into(),
            limits: Limits::client(),
            #[cfg(not(target_arch = "wasm32"))]
            webrtc_certificate: None,
            ice_servers: IceServers::default(),
            webrtc_addresses: None,
            services: Services::default(),
            meter: None,
        }
    }

    /// A reachable node: listens where [`listen`](Self::listen) says and relays for others.
    pub fn server(keypair: Keypair) -> Self {
        Self {
            role: Role::Server,
            limits: Limits::server(),
            services: Services {
                relay_server: true,
                ..Services::default()
            },
            ..Self::client(keypair)
        }
    }

    /// Does it relay for others?
    pub(crate) fn relays(&self) -> bool {
        self.role == Role::Server && self.services.relay_server
    }
}
