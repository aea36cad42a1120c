//! The methods of the page API and the grant that each one needs.

use crate::descriptor::GrantName;

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $(=> $grant:ident)?,)*) => {
        /// A method that a page may call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Method { $($(#[$doc])* $variant,)* }

        impl Method {
            /// Every method there is.
            pub const ALL: &'static [Method] = &[$(Method::$variant),*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Method::$variant => $name,)* }
            }

            /// The method of that name.
            pub fn from_name(name: &str) -> Option<Method> {
                match name { $($name => Some(Method::$variant),)* _ => None }
            }

            /// The grant that the origin must hold by name, if any. Caveats are judged after the parameters.
            /// `events.subscribe` and `events.unsubscribe` need the grants of the events they name.
            pub const fn grant(self) -> Option<GrantName> {
                match self { $(Method::$variant => methods!(@grant $($grant)?),)* }
            }
        }
    };
    (@grant $grant:ident) => { Some(GrantName::$grant) };
    (@grant) => { None };
}

methods! {
    /// Says who is there.
    NodeHello = "node.hello",
    /// Says how the node is.
    NodeStatus = "node.status",
    /// Asks the user for grants.
    PermissionsRequest = "permissions.request",
    /// Lists what the origin holds.
    PermissionsQuery = "permissions.query",
    /// Gives grants back.
    PermissionsRevoke = "permissions.revoke",
    /// The node's peer id and addresses.
    IdentityGet = "identity.get" => Identity,
    /// The peers the node knows.
    PeersList = "peers.list" => Peers,
    /// One round trip to a peer.
    PeersPing = "peers.ping" => Dial,
    /// Connects to a peer.
    ConnectionsDial = "connections.dial" => Dial,
    /// The open connections.
    ConnectionsList = "connections.list" => Peers,
    /// Gives up this origin's interest in a peer.
    ConnectionsRelease = "connections.release" => Dial,
    /// Opens a stream.
    StreamsOpen = "streams.open" => Streams,
    /// Accepts inbound streams of some protocols.
    StreamsHandle = "streams.handle" => Streams,
    /// Stops accepting them.
    StreamsUnhandle = "streams.unhandle" => Streams,
    /// Joins a topic.
    PubsubSubscribe = "pubsub.subscribe" => Pubsub,
    /// Leaves a topic.
    PubsubUnsubscribe = "pubsub.unsubscribe" => Pubsub,
    /// Publishes a message.
    PubsubPublish = "pubsub.publish" => Pubsub,
    /// The peers that are in a topic.
    PubsubPeers = "pubsub.peers" => Pubsub,
    /// The addresses of a peer.
    DhtFindPeer = "dht.findPeer" => Routing,
    /// The peers closest to a key.
    DhtClosestPeers = "dht.closestPeers" => Routing,
    /// Who provides a key.
    DhtFindProviders = "dht.findProviders" => Routing,
    /// Announces that this node provides a key.
    DhtProvide = "dht.provide" => Routing,
    /// Stops announcing it.
    DhtStopProviding = "dht.stopProviding" => Routing,
    /// Reads a record.
    DhtGet = "dht.get" => Routing,
    /// Writes a record.
    DhtPut = "dht.put" => Routing,
    /// Registers at a rendezvous point.
    RendezvousRegister = "rendezvous.register" => Routing,
    /// Finds registrations at a rendezvous point.
    RendezvousDiscover = "rendezvous.discover" => Routing,
    /// Takes a registration back.
    RendezvousUnregister = "rendezvous.unregister" => Routing,
    /// Begins to send events.
    EventsSubscribe = "events.subscribe",
    /// Stops sending them.
    EventsUnsubscribe = "events.unsubscribe",
}

impl Method {
    /// Whether the method needs `routing` with `write: true`.
    pub const fn needs_routing_write(self) -> bool {
        matches!(
            self,
            Method::DhtProvide
                | Method::DhtStopProviding
                | Method::DhtPut
                | Method::RendezvousRegister
        )
    }
}

/// The one notification that a page may send: ends a request with [`crate::ErrorCode::Aborted`].
pub const CANCEL: &str = "rpc.cancel";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.name()), Some(*method));
        }
        assert_eq!(Method::from_name("node.Hello"), None);
        assert_eq!(Method::from_name(CANCEL), None);
    }
}
