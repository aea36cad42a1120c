//! `/webrtc`: connections between two nodes that neither can be dialed, signalled over a circuit relay
//! (libp2p/specs webrtc/webrtc.md).
//!
//! A transport and a behaviour that belong together, as with circuit relay itself. The behaviour has the circuits: it opens and accepts
//! signalling streams. The transport makes connections of them. Put the transport before the relay's, which would take
//! `…/p2p-circuit/webrtc/…` for a circuit.
//!
//! There is no `listen_on`: while a relay's reservation makes this node reachable at a circuit address, the behaviour
//! announces the `/webrtc` address beside it.

mod attempts;
mod behaviour;
mod drive;
mod handler;
mod transport;

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::channel::mpsc;
use libp2p_identity::PeerId;

use crate::{
    core::signalling::{Address, Policy},
    limits::MAX_WAITING_OFFERS,
};

use attempts::Attempts;
pub use behaviour::Behaviour;
pub(crate) use drive::{Agent, AgentEvent, goodbye};
pub use transport::Transport;

/// What both halves need to know.
#[derive(Debug, Clone)]
pub struct Config {
    local: PeerId,
    policy: Arc<dyn Policy>,
    settings: Settings,
}

/// What a backend needs to know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Web only.
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) ice_servers: IceServers,
    /// Native only; `None`: all of this machine's but loopback.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))]
    pub(crate) addresses: Option<Arc<[IpAddr]>>,
}

/// What the policy says of one peer's addresses.
#[derive(Debug, Clone)]
pub(crate) struct Allowed {
    peer: PeerId,
    policy: Arc<dyn Policy>,
}

impl Allowed {
    pub(crate) fn new(peer: PeerId, policy: Arc<dyn Policy>) -> Self {
        Self { peer, policy }
    }

    /// May this address be used now?
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))]
    pub(crate) fn ip(&self, ip: IpAddr) -> bool {
        self.policy.allows(&self.peer, &Address::Ip(ip))
    }
}

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host[:port]`, `turn:…` or `turns:…`.
    pub url: String,
    /// Name and password, for TURN.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password, wherever it is written.
        f.debug_struct("IceServer")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Servers that may be others for the next connection. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct IceServers(Arc<Mutex<Arc<[IceServer]>>>);

impl IceServers {
    /// These are asked from now on. Connections there are, and attempts under way, are left as they are.
    pub fn set(&self, servers: Vec<IceServer>) {
        *self.lock() = servers.into();
    }

    /// Those asked now.
    #[must_use]
    pub fn get(&self) -> Arc<[IceServer]> {
        Arc::clone(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<[IceServer]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IceServer {
    /// A STUN server.
    pub fn stun(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
        }
    }
}

impl Config {
    /// With our peer id, and what candidates may be used. No STUN server: only addresses of this machine's own are found.
    pub fn new(local: PeerId, policy: Arc<dyn Policy>) -> Self {
        Self {
            local,
            policy,
            settings: Settings::default(),
        }
    }

    /// Asks these servers for addresses, or has them relay. Native nodes find none by them so far.
    #[must_use]
    pub fn with_ice_servers(mut self, servers: IceServers) -> Self {
        self.settings.ice_servers = servers;
        self
    }

    /// Native nodes: candidates at these addresses of this machine, instead of at all but loopback. Browsers choose
    /// themselves.
    #[must_use]
    pub fn with_addresses(mut self, addresses: Vec<IpAddr>) -> Self {
        self.settings.addresses = Some(addresses.into());
        self
    }
}

/// The two halves.
pub fn new(config: Config) -> (Transport, Behaviour) {
    let attempts = Attempts::default();
    // Each dial sends one request, and there are `MAX_SIGNALLED_DIALS` at most.
    let (dials, requests) = mpsc::unbounded();
    let (offers, incoming) = mpsc::channel(MAX_WAITING_OFFERS);
    let behaviour = Behaviour::new(&config, attempts.clone(), requests, offers);
    let transport = Transport::new(config, attempts, dials, incoming);
    (transport, behaviour)
}
