//! The libp2p transport.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p_core::multiaddr::{Multiaddr, Protocol};
use libp2p_core::muxing::StreamMuxerBox;
use libp2p_core::transport::{Boxed, DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p_core::{Endpoint, Transport as _};
use libp2p_identity::{Keypair, PeerId};
use tokio::runtime::Handle;

use super::admission::PerSource;
use super::certificate::Certificate;
use super::connection::Connection;
use super::handshake::{self, Identity, Target};
use super::limits;
use super::listener::{Event, Listener};
use super::table::{Counters, Table};
use crate::Error;
use crate::core::address::{DialAddress, Host};
use crate::core::budget::Budget;
use crate::core::certhash::Fingerprint;
use crate::core::ufrag::Version;

/// What a [`Transport`] is made from.
#[derive(Debug, Clone)]
pub struct Config {
    keypair: Keypair,
    certificate: Option<Certificate>,
    version: Version,
    budget: Budget,
    per_source: PerSource,
}

/// All transports of a process share this, unless they are given one of their own.
pub(super) fn process_budget() -> Budget {
    static BUDGET: OnceLock<Budget> = OnceLock::new();
    BUDGET
        .get_or_init(|| {
            Budget::with_overdraft(limits::PROCESS_RECEIVE_BUFFER, limits::PROCESS_OVERDRAFT)
        })
        .clone()
}

impl Config {
    /// A configuration with this identity, and a certificate made when the transport is.
    pub fn new(keypair: &Keypair) -> Self {
        Self {
            keypair: keypair.clone(),
            certificate: None,
            version: Version::V2,
            budget: process_budget(),
            per_source: PerSource::default(),
        }
    }

    /// Holds at most so many bytes that nobody has read, on all connections together, besides 128 KiB on each; 256 MiB for all
    /// transports of the process otherwise. Beyond, peers are held back, and streams whose readers stand still are reset.
    #[must_use]
    pub fn with_receive_budget(mut self, bytes: usize) -> Self {
        self.budget = Budget::with_overdraft(bytes, limits::PROCESS_OVERDRAFT);
        self
    }

    /// Takes at most so many connections from one IPv4 address or IPv6 /64, established or in their handshake; 256
    /// otherwise.
    #[must_use]
    pub fn with_max_connections_per_source(mut self, connections: usize) -> Self {
        self.per_source.remote = connections;
        self
    }

    /// The same for loopback addresses, which have no such limit otherwise: whoever is on this machine has easier ways
    /// to keep others out, and behind a forwarder on it everybody comes from there.
    #[must_use]
    pub fn with_max_connections_from_loopback(mut self, connections: usize) -> Self {
        self.per_source.loopback = connections;
        self
    }

    /// Uses this certificate, so that the addresses listened on stay the same from run to run.
    #[must_use]
    pub fn with_certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Dials with this version of webrtc-direct; version 2 otherwise. Listeners take both.
    #[must_use]
    pub fn with_dial_version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }
}

/// webrtc-direct on tokio: listens (versions 1 and 2) and dials.
pub struct Transport {
    keypair: Keypair,
    /// `None` if none was given and none could be made; then nothing works, and says so.
    certificate: Option<Certificate>,
    version: Version,
    budget: Budget,
    per_source: PerSource,
    listeners: HashMap<ListenerId, Listener>,
    closed: Vec<ListenerId>,
    counters: Arc<Counters>,
    waker: Option<Waker>,
}

impl Transport {
    /// Makes a transport. Listening and dialing need a tokio runtime around the call.
    pub fn new(config: Config) -> Self {
        let certificate = config.certificate.or_else(|| {
            Certificate::generate()
                .inspect_err(|error| tracing::error!(%error, "no WebRTC certificate"))
                .ok()
        });
        Self {
            keypair: config.keypair,
            certificate,
            version: config.version,
            budget: config.budget,
            per_source: config.per_source,
            listeners: HashMap::new(),
            closed: Vec::new(),
            counters: Arc::default(),
            waker: None,
        }
    }

    /// As a swarm takes it.
    pub fn boxed(self) -> Boxed<(PeerId, StreamMuxerBox)> {
        libp2p_core::Transport::boxed(
            self.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection))),
        )
    }

    /// What all listeners of this transport have seen.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    fn identity(&self) -> Result<Identity, Error> {
        let certificate = self.certificate.clone().ok_or(Error::Unavailable)?;
        Ok(Identity {
            keypair: self.keypair.clone(),
            certificate,
            budget: self.budget.clone(),
        })
    }

    fn listen(&self, address: &Multiaddr) -> Result<Listener, TransportError<Error>> {
        let identity = self.identity().map_err(TransportError::Other)?;
        let fingerprint = identity.certificate.fingerprint();
        let listening = ListenAddress::parse(address)
            .ok_or_else(|| TransportError::MultiaddrNotSupported(address.clone()))?;
        if listening
            .fingerprint
            .is_some_and(|wanted| wanted != Some(fingerprint))
        {
            return Err(TransportError::Other(Error::Address(
                "/certhash is of another certificate",
            )));
        }
        if listening
            .peer
            .is_some_and(|wanted| wanted != identity.keypair.public().to_peer_id())
        {
            return Err(TransportError::Other(Error::Address(
                "/p2p is another peer",
            )));
        }
        let table = Table::new(self.per_source, self.counters.clone());
        Listener::bind(listening.socket, fingerprint, table)
            .map_err(|error| TransportError::Other(error.into()))
    }
}

type Upgrade = BoxFuture<'static, Result<(PeerId, Connection), Error>>;

impl libp2p_core::Transport for Transport {
    type Output = (PeerId, Connection);
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Error>> {
        let listener = self.listen(&address)?;
        self.listeners.insert(id, listener);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let removed = self.listeners.remove(&id).is_some();
        if removed {
            self.closed.push(id);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        removed
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Upgrade, TransportError<Error>> {
        let unsupported = || TransportError::MultiaddrNotSupported(address.clone());
        let target = DialAddress::parse(&address)
            .map_err(TransportError::Other)?
            .ok_or_else(unsupported)?;
        // Names are the business of the DNS transport around this one. A listener cannot be dialed from: hole punching
        // goes by `/webrtc`.
        let (Host::Ip(ip), Endpoint::Dialer) = (target.host, options.role) else {
            return Err(unsupported());
        };
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(TransportError::Other(Error::Address(
                "not the address of a host",
            )));
        }
        let identity = self.identity().map_err(TransportError::Other)?;
        let runtime =
            Handle::try_current().map_err(|_| TransportError::Other(Error::Unavailable))?;
        let target = Target {
            address: SocketAddr::new(ip, target.port),
            fingerprint: target.fingerprint,
            peer: target.peer,
            version: self.version,
        };
        Ok(handshake::dial(identity, target, runtime).boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Upgrade, Error>> {
        let this = &mut *self;
        if let Some(listener_id) = this.closed.pop() {
            return Poll::Ready(TransportEvent::ListenerClosed {
                listener_id,
                reason: Ok(()),
            });
        }
        for (&listener_id, listener) in &mut this.listeners {
            let Poll::Ready(event) = listener.poll(cx) else {
                continue;
            };
            return Poll::Ready(match event {
                Event::NewAddress(listen_addr) => TransportEvent::NewAddress {
                    listener_id,
                    listen_addr,
                },
                Event::AddressExpired(listen_addr) => TransportEvent::AddressExpired {
                    listener_id,
                    listen_addr,
                },
                Event::Incoming {
                    local,
                    remote,
                    peer,
                } => match &this.certificate {
                    Some(certificate) => {
                        let identity = Identity {
                            keypair: this.keypair.clone(),
                            certificate: certificate.clone(),
                            budget: this.budget.clone(),
                        };
                        TransportEvent::Incoming {
                            listener_id,
                            upgrade: handshake::accept(identity, peer).boxed(),
                            local_addr: local,
                            send_back_addr: remote,
                        }
                    }
                    None => continue,
                },
                Event::Closed(error) => {
                    this.listeners.remove(&listener_id);
                    TransportEvent::ListenerClosed {
                        listener_id,
                        reason: Err(error.into()),
                    }
                }
            });
        }
        this.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// `/ip4|ip6/…/udp/…/webrtc-direct[/certhash/…][/p2p/…]`.
struct ListenAddress {
    socket: SocketAddr,
    /// `Some(None)`: a certhash that cannot be ours.
    fingerprint: Option<Option<Fingerprint>>,
    peer: Option<PeerId>,
}

impl ListenAddress {
    fn parse(address: &Multiaddr) -> Option<Self> {
        let mut protocols = address.iter();
        let ip: IpAddr = match protocols.next()? {
            Protocol::Ip4(ip) => ip.into(),
            Protocol::Ip6(ip) => ip.into(),
            _ => return None,
        };
        let (Protocol::Udp(port), Protocol::WebRTCDirect) = (protocols.next()?, protocols.next()?)
        else {
            return None;
        };
        let mut listening = Self {
            socket: SocketAddr::new(ip, port),
            fingerprint: None,
            peer: None,
        };
        for protocol in protocols {
            match protocol {
                Protocol::Certhash(hash)
                    if listening.fingerprint.is_none() && listening.peer.is_none() =>
                {
                    listening.fingerprint = Some(Fingerprint::from_multihash(&hash).ok());
                }
                Protocol::P2p(peer) if listening.peer.is_none() => listening.peer = Some(peer),
                _ => return None,
            }
        }
        Some(listening)
    }
}
