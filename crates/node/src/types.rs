//! What goes in and out of the node's [`Handle`](crate::Handle).

use std::{fmt, sync::Arc, time::Duration};

use libp2p::{Multiaddr, PeerId, StreamProtocol, core::ConnectedPoint, multiaddr::Protocol};

use mooring_webrtc::core::signalling::address::is_circuit;

use crate::Stream;

/// Who asked for a connection: a site's origin, or [`Owner::user`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub Arc<str>);

impl Owner {
    /// An owner by name, for a site its origin.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(name.as_ref()))
    }

    /// The person at the keyboard, by way of the popup.
    pub fn user() -> Self {
        Self::new("user")
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a request may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// May addresses outside globally reachable unicast be dialed for this request?
    pub private_network: bool,
}

impl Scope {
    /// Global addresses only.
    pub const GLOBAL: Self = Self {
        private_network: false,
    };
    /// Loopback, link-local and private networks too.
    pub const PRIVATE: Self = Self {
        private_network: true,
    };
}

/// A request to connect.
#[derive(Clone, Debug)]
pub struct DialRequest {
    /// The peer; may be left out when the addresses end in `/p2p/<id>`.
    pub peer: Option<PeerId>,
    /// Where to reach it; none at all means the addresses the node knows of the peer.
    pub addresses: Vec<Multiaddr>,
    /// Who wants the connection. With `None` it is the node itself, and the connection stays
    /// until the user or the remote closes it.
    pub owner: Option<Owner>,
    /// Which addresses may be dialed.
    pub scope: Scope,
    /// Time limit of the whole request.
    pub timeout: Duration,
}

/// What a request to dial takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// A connection that would do is open.
    Nothing,
    /// A dial.
    Dial,
    /// A lookup in the DHT, and then perhaps a dial.
    LookUp,
}

/// On whose behalf a lookup in the DHT is made.
#[derive(Clone, Debug)]
pub struct LookupOptions {
    /// Who asks; the turns of those who have to wait are shared between them.
    pub owner: Owner,
    /// Which addresses may be dialed for it, and told.
    pub scope: Scope,
    /// Time limit of the whole request.
    pub timeout: Duration,
}

/// A peer as the DHT tells of it: nobody has proven any of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPeer {
    /// Its id.
    pub peer: PeerId,
    /// Where it is said to listen, without `/p2p/<peer>`; perhaps nowhere.
    pub addresses: Vec<Multiaddr>,
}

/// A request to open a stream.
#[derive(Clone, Debug)]
pub struct OpenStream {
    /// The remote.
    pub peer: PeerId,
    /// In order of preference; the first that the remote speaks is used.
    pub protocols: Vec<StreamProtocol>,
    /// May the stream run over a relayed connection?
    pub allow_relayed: bool,
    /// Without a connection that fits: dial the peer's known addresses within this scope, or not
    /// at all (`None`).
    pub dial: Option<Scope>,
    /// Who wants a connection dialed for this; see [`DialRequest::owner`]. An open connection
    /// gets no new owner from a stream: the stream itself keeps it open.
    pub owner: Option<Owner>,
    /// Time limit of the whole request.
    pub timeout: Duration,
}

impl OpenStream {
    /// The dial that it takes where no connection fits; `None` where it may not dial.
    pub fn dial_request(&self) -> Option<DialRequest> {
        Some(DialRequest {
            peer: Some(self.peer),
            addresses: Vec::new(),
            owner: self.owner.clone(),
            scope: self.dial?,
            timeout: self.timeout,
        })
    }
}

/// A stream that this node opened.
#[derive(Debug)]
pub struct OpenedStream {
    /// The stream; dropping it resets it, `close` half-closes it.
    pub stream: Stream,
    /// The protocol both sides agreed on.
    pub protocol: StreamProtocol,
    /// The remote, authenticated.
    pub peer: PeerId,
    /// Does it run over a relayed connection?
    pub relayed: bool,
}

/// A stream that a remote opened.
#[derive(Debug)]
pub struct IncomingStream {
    /// The remote, authenticated.
    pub peer: PeerId,
    /// The protocol both sides agreed on.
    pub protocol: StreamProtocol,
    /// The stream; dropping it resets it, `close` half-closes it.
    pub stream: Stream,
    /// Does it run over a relayed connection?
    pub relayed: bool,
}

/// Who began a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The remote.
    Inbound,
    /// This node.
    Outbound,
}

impl Direction {
    /// The page API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Does a third party carry the bytes?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// No.
    Direct,
    /// Yes, a circuit relay.
    Relayed,
}

impl Path {
    /// The page API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relayed => "relayed",
        }
    }

    /// The path that a connection between these endpoints takes.
    pub(crate) fn of(endpoint: &ConnectedPoint) -> Self {
        let address = match endpoint {
            ConnectedPoint::Dialer { address, .. } => address,
            ConnectedPoint::Listener { local_addr, .. } => local_addr,
        };
        // Not `is_relayed`: the address of a direct connection that was signalled over a circuit names that.
        if is_circuit(address) {
            Self::Relayed
        } else {
            Self::Direct
        }
    }
}

/// How a connection is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportKind {
    /// WebRTC to a listener with a self-signed certificate.
    WebrtcDirect,
    /// WebRTC between two browsers, signalled over a relay.
    Webrtc,
    /// WebTransport.
    Webtransport,
    /// WebSocket, secure or not.
    Websocket,
    /// A circuit through a relay.
    Relay,
    /// TCP; native only.
    Tcp,
    /// QUIC; native only.
    Quic,
}

impl TransportKind {
    /// The page API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebrtcDirect => "webrtc-direct",
            Self::Webrtc => "webrtc",
            Self::Webtransport => "webtransport",
            Self::Websocket => "websocket",
            Self::Relay => "relay",
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        }
    }

    /// The transport that an address names: its outermost one, so that a circuit is `Relay`
    /// whatever leads to the relay. `None` when it names none.
    pub fn of(address: &Multiaddr) -> Option<Self> {
        address.iter().fold(None, |kind, protocol| match protocol {
            Protocol::P2pCircuit => Some(Self::Relay),
            Protocol::WebRTC => Some(Self::Webrtc),
            Protocol::WebRTCDirect => Some(Self::WebrtcDirect),
            Protocol::WebTransport => Some(Self::Webtransport),
            Protocol::Ws(_) | Protocol::Wss(_) => Some(Self::Websocket),
            Protocol::Quic | Protocol::QuicV1 => Some(Self::Quic),
            Protocol::Tcp(_) => Some(Self::Tcp),
            _ => kind,
        })
    }
}

/// An open connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Unique while the node runs.
    pub id: String,
    /// The remote, authenticated.
    pub peer: PeerId,
    /// The other end's address. An inbound connection's need not be dialable.
    pub remote_address: Multiaddr,
    /// Who began it.
    pub direction: Direction,
    /// Direct, or through a relay.
    pub path: Path,
    /// How it is carried.
    pub transport: TransportKind,
    /// May it run over addresses outside globally reachable unicast? Of one by `/webrtc`, whose address names only
    /// the relay: were any candidates used or told that are not global?
    pub private: bool,
    /// Milliseconds since 1970.
    pub opened_at_ms: u64,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// Who wants the peer connected, sorted.
    pub owners: Vec<Owner>,
}

/// What the node knows of a peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Its id.
    pub peer: PeerId,
    /// Addresses it was dialed at or claims.
    pub addresses: Vec<Multiaddr>,
    /// Protocols it claims to speak.
    pub protocols: Vec<String>,
    /// The agent version it claims.
    pub agent: Option<String>,
    /// Is a connection open?
    pub connected: bool,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
}

/// How it stands with a connected relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayStatus {
    /// The relay.
    pub peer: PeerId,
    /// Is there a reservation on it?
    pub reserved: bool,
    /// Attempts in a row of which no reservation came that lasted a minute.
    pub failures: u32,
    /// Why the last reservation, or request for one, ended, in words; `None` while there is one.
    pub cause: Option<String>,
    /// When it is asked again, if there is a place for it ([`Limits::relay_reservations`](crate::Limits::relay_reservations)).
    pub retry_in: Option<Duration>,
}

/// What happened in the swarm.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The first connection to a peer opened.
    PeerConnected {
        /// Which.
        peer: PeerId,
    },
    /// The last connection to a peer closed.
    PeerDisconnected {
        /// Which.
        peer: PeerId,
    },
    /// A connection opened.
    ConnectionOpened {
        /// As it is now.
        connection: Connection,
    },
    /// A connection closed.
    ConnectionClosed {
        /// As it was.
        connection: Connection,
        /// In words; `None` when it ended in good order.
        reason: Option<String>,
    },
    /// A peer reached over a relay is now reached directly.
    ConnectionUpgraded {
        /// The new connection.
        connection: Connection,
        /// What it was.
        from: Path,
        /// What it is.
        to: Path,
    },
    /// [`Handle::addresses`](crate::Handle::addresses) has changed.
    AddressesChanged,
}

/// A change in the addresses that this node listens on. Each ends in `/p2p/<own id>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerEvent {
    /// Listening there from now on (or already, when the stream began).
    New(Multiaddr),
    /// No longer.
    Expired(Multiaddr),
}
