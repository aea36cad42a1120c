//! The node, as far as this site is allowed to use it.

use std::{fmt, rc::Rc, time::Duration};

use mooring_api::{
    Descriptor, Method,
    descriptor::Revocation,
    event::EventName,
    params::{self, Empty},
    results::{
        Connection, Connections, Dialed, Hello, Identity, Peer, Peers, Ping, Status, Stream,
    },
};
use serde::Serialize;

use crate::{
    Dht, Error, Events, IncomingStreams, Pubsub, Rendezvous,
    core::wanted::Kind,
    hub::Hub,
    limits::STREAM_WINDOW,
    rpc::Rpc,
    stream::{MooringStream, check_window},
    web::value,
};

/// The visitor's node. [`connect`](crate::connect) makes one; clones are the same.
///
/// Every call is a future that begins when it is first polled. Dropping it ends the work in the node.
#[derive(Clone)]
pub struct Node {
    shared: Rc<Shared>,
    timeout: Option<Duration>,
}

struct Shared {
    rpc: Rc<Rpc>,
    hub: Rc<Hub>,
    extension: Hello,
}

/// Whom to dial: a peer, addresses, or both. One multiaddr or one peer id as text is a target too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialTarget {
    /// The peer's id, where the addresses do not end in it.
    pub peer: Option<String>,
    /// Multiaddrs, tried together.
    pub addresses: Vec<String>,
}

impl From<&str> for DialTarget {
    /// A multiaddr begins with a slash, anything else is a peer id.
    fn from(text: &str) -> Self {
        if text.starts_with('/') {
            DialTarget::from(vec![text.to_owned()])
        } else {
            DialTarget {
                peer: Some(text.to_owned()),
                addresses: Vec::new(),
            }
        }
    }
}

impl From<Vec<String>> for DialTarget {
    fn from(addresses: Vec<String>) -> Self {
        DialTarget {
            peer: None,
            addresses,
        }
    }
}

/// How a stream is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// Bytes that the remote may send before they are read: 1 MiB, and 16 MiB at most.
    pub window: u32,
    /// Whether a relayed connection will do.
    pub allow_relayed: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        StreamOptions {
            window: STREAM_WINDOW,
            allow_relayed: true,
        }
    }
}

impl Node {
    pub(crate) fn new(rpc: Rc<Rpc>, extension: Hello) -> Self {
        Node {
            shared: Rc::new(Shared {
                hub: Hub::new(Rc::clone(&rpc)),
                rpc,
                extension,
            }),
            timeout: None,
        }
    }

    /// The extension that said it is there.
    pub fn extension(&self) -> &Hello {
        &self.shared.extension
    }

    /// The same node, whose calls end with [`ErrorCode::Timeout`](mooring_api::ErrorCode::Timeout) after so long: 1 ms to 5 minutes.
    /// Without, it is 30 s, and 5 minutes for a question to the user.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Node {
        Node {
            shared: Rc::clone(&self.shared),
            timeout: Some(timeout),
        }
    }

    pub(crate) fn hub(&self) -> &Rc<Hub> {
        &self.shared.hub
    }

    pub(crate) const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(crate) async fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        params: &impl Serialize,
    ) -> Result<T, Error> {
        self.shared.rpc.call(method, params, self.timeout).await
    }

    /// How the node is, and what this browser and build can do.
    ///
    /// # Errors
    /// Of the page API's, as with every call.
    pub async fn status(&self) -> Result<Status, Error> {
        self.call(Method::NodeStatus, &Empty {}).await
    }

    /// The node's peer id and addresses. Needs `identity`.
    ///
    /// # Errors
    /// [`ErrorCode::Unauthorized`](mooring_api::ErrorCode::Unauthorized) without the permission, as with every call.
    pub async fn identity(&self) -> Result<Identity, Error> {
        self.call(Method::IdentityGet, &Empty {}).await
    }

    /// What this site may do.
    pub fn permissions(&self) -> Permissions<'_> {
        Permissions(self)
    }

    /// Connects to a peer; an open connection is reused. Needs `dial`.
    ///
    /// # Errors
    /// `DialFailed`, `BadAddress`, `Refused` for an address that is not global without `privateNetwork`, and those of every call.
    pub async fn dial(&self, target: impl Into<DialTarget>) -> Result<Connection, Error> {
        let DialTarget { peer, addresses } = target.into();
        let params = params::Dial {
            // By its peer id alone a peer is dialed where no address is given at all.
            addresses: (peer.is_none() || !addresses.is_empty()).then_some(addresses),
            peer,
        };
        let dialed: Dialed = self.call(Method::ConnectionsDial, &params).await?;
        Ok(dialed.connection)
    }

    /// The peers that the node knows, connected ones first. Needs `peers`.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn peers(&self) -> Result<Vec<Peer>, Error> {
        let peers: Peers = self.call(Method::PeersList, &Empty {}).await?;
        Ok(peers.peers)
    }

    /// One round trip to a peer. Needs `dial`.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn ping(&self, peer: &str) -> Result<Duration, Error> {
        let ping: Ping = self.call(Method::PeersPing, &peer_only(peer)).await?;
        Ok(Duration::try_from_secs_f64(ping.rtt_ms / 1_000.0).unwrap_or_default())
    }

    /// The open connections, the oldest first. Needs `peers`.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn connections(&self) -> Result<Vec<Connection>, Error> {
        let connections: Connections = self.call(Method::ConnectionsList, &Empty {}).await?;
        Ok(connections.connections)
    }

    /// Gives up this site's interest in a peer; its streams live on. Needs `dial`.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn release(&self, peer: &str) -> Result<(), Error> {
        self.call::<Empty>(Method::ConnectionsRelease, &peer_only(peer))
            .await?;
        Ok(())
    }

    /// Opens a stream to a peer, with the first of the protocols that it speaks. Needs `streams` for them, and `dial` where there is no
    /// connection.
    ///
    /// # Errors
    /// `ProtocolNotSupported`, `DialFailed`, and those of every call.
    pub async fn open_stream(
        &self,
        peer: &str,
        protocols: &[&str],
    ) -> Result<MooringStream, Error> {
        self.open_stream_with(peer, protocols, StreamOptions::default())
            .await
    }

    /// The same, with a choice of window and path.
    ///
    /// # Errors
    /// As [`open_stream`](Self::open_stream), and `InvalidParams` for a window that is not 1 byte to 16 MiB.
    pub async fn open_stream_with(
        &self,
        peer: &str,
        protocols: &[&str],
        options: StreamOptions,
    ) -> Result<MooringStream, Error> {
        let window = check_window(options.window)?;
        let params = params::OpenStream {
            peer: peer.to_owned(),
            protocols: protocols
                .iter()
                .map(|&protocol| protocol.to_owned())
                .collect(),
            allow_relayed: Some(options.allow_relayed),
        };
        let rpc = &self.shared.rpc;
        let reply = rpc
            .request(Method::StreamsOpen, &params, self.timeout)
            .await?;
        let stream: Stream = value::read(reply.result)?;
        MooringStream::new(reply.port, stream.protocol, stream.peer, window)
    }
}

impl Node {
    /// Takes inbound streams of these protocols, all of them or none, each with a window of 1 MiB. Needs `streams` for them. Of several tabs
    /// the last one to ask takes them, of several in a tab too.
    ///
    /// # Errors
    /// `Refused` for a protocol that another site or the node itself handles, `LimitExceeded`, and those of every call.
    pub async fn handle(&self, protocols: &[&str]) -> Result<IncomingStreams, Error> {
        self.handle_with(protocols, STREAM_WINDOW).await
    }

    /// The same, with another window: bytes that a remote may send before they are read, 1 to 16 MiB.
    ///
    /// # Errors
    /// As [`handle`](Self::handle), and `InvalidParams` for a window that cannot be.
    pub async fn handle_with(
        &self,
        protocols: &[&str],
        window: u32,
    ) -> Result<IncomingStreams, Error> {
        let window = check_window(window)?;
        // Before the node is told: it may have streams that waited for this.
        let mailbox = self.hub().protocols.add(protocols, window);
        let mut wants = Vec::new();
        for protocol in protocols {
            wants.push(
                self.hub()
                    .want(Kind::Protocol, protocol, self.timeout)
                    .await?,
            );
        }
        Ok(IncomingStreams::new(mailbox, wants))
    }

    /// Listens to events. Those of peers and connections need `peers`.
    ///
    /// # Errors
    /// `Unauthorized`, and those of every call.
    pub async fn events(&self, names: &[EventName]) -> Result<Events, Error> {
        let mailbox = self.hub().events.add(names);
        let mut wants = Vec::new();
        for name in names {
            wants.push(
                self.hub()
                    .want(Kind::Event, name.name(), self.timeout)
                    .await?,
            );
        }
        Ok(Events::new(mailbox, wants))
    }

    /// Topics.
    pub const fn pubsub(&self) -> Pubsub<'_> {
        Pubsub(self)
    }

    /// The DHT.
    pub const fn dht(&self) -> Dht<'_> {
        Dht(self)
    }

    /// Rendezvous points.
    pub const fn rendezvous(&self) -> Rendezvous<'_> {
        Rendezvous(self)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("extension", &self.shared.extension)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

pub(crate) fn peer_only(peer: &str) -> params::PeerOnly {
    params::PeerOnly {
        peer: peer.to_owned(),
    }
}

/// What this site may do.
#[derive(Debug, Clone, Copy)]
pub struct Permissions<'a>(&'a Node);

/// `permissions.request` and `permissions.revoke`.
#[derive(Serialize)]
struct Named<'a, T> {
    permissions: Option<&'a [T]>,
}

impl Permissions<'_> {
    /// Asks the user for what is missing, in a window of the extension; all that the site then holds, which may be less than was asked.
    ///
    /// # Errors
    /// `UserRejected` when the user said no to all that was missing, with [`Error::retry_after`] during a pause.
    pub async fn request(&self, wanted: &[Descriptor]) -> Result<Vec<Descriptor>, Error> {
        self.granted(
            Method::PermissionsRequest,
            &Named {
                permissions: Some(wanted),
            },
        )
        .await
    }

    /// All that the site holds.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn query(&self) -> Result<Vec<Descriptor>, Error> {
        self.granted(Method::PermissionsQuery, &Empty {}).await
    }

    /// Gives back what is named; what the site still holds.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn revoke(&self, given: &[Revocation]) -> Result<Vec<Descriptor>, Error> {
        self.granted(
            Method::PermissionsRevoke,
            &Named {
                permissions: Some(given),
            },
        )
        .await
    }

    /// Gives back everything.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn revoke_all(&self) -> Result<(), Error> {
        let all = Named::<Revocation> { permissions: None };
        self.granted(Method::PermissionsRevoke, &all).await?;
        Ok(())
    }

    async fn granted(
        &self,
        method: Method,
        params: &impl Serialize,
    ) -> Result<Vec<Descriptor>, Error> {
        let node = self.0;
        let reply = node
            .shared
            .rpc
            .request(method, params, node.timeout)
            .await?;
        if method == Method::PermissionsRequest {
            node.hub().granted();
        }
        Ok(value::granted(&reply.result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_address_or_a_peer() {
        let address = DialTarget::from("/ip4/192.0.2.1/udp/1/webrtc-direct");
        assert_eq!((address.peer, address.addresses.len()), (None, 1));
        let peer = DialTarget::from("12D3KooW");
        assert_eq!(
            (peer.peer.as_deref(), peer.addresses.len()),
            (Some("12D3KooW"), 0)
        );
    }
}
