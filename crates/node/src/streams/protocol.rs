//! Protocol negotiation for plain streams, and which protocol ids are the node's own.

use std::{convert::Infallible, future::Ready};

use libp2p::{
    StreamProtocol,
    core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo},
};

/// An upgrade that does nothing but agree on one of these protocols; the first is tried first.
#[derive(Debug)]
pub(crate) struct Protocols(pub(crate) Vec<StreamProtocol>);

impl UpgradeInfo for Protocols {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<libp2p::Stream> for Protocols {
    type Output = (libp2p::Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: libp2p::Stream, protocol: StreamProtocol) -> Self::Future {
        std::future::ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<libp2p::Stream> for Protocols {
    type Output = (libp2p::Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: libp2p::Stream, protocol: StreamProtocol) -> Self::Future {
        std::future::ready(Ok((stream, protocol)))
    }
}

/// Ids of libp2p itself. A page that answered to one of them would speak for the node.
const RESERVED_PREFIXES: &[&str] = &[
    "/floodsub/",
    "/ipfs/id/",
    "/ipfs/ping/",
    "/libp2p/autonat/",
    "/libp2p/circuit/",
    "/libp2p/dcutr",
    "/libp2p/fetch/",
    "/meshsub/",
    "/mplex/",
    "/multistream/",
    "/noise",
    "/perf/",
    "/rendezvous/",
    "/tls/",
    "/webrtc-signaling",
    "/yamux/",
];

/// May only the node open streams of this protocol? Who signals a `/webrtc` connection is this node to the peer from then on,
/// for every protocol there is. The specification's text names it without a version, its users with one.
pub(crate) fn is_own(protocol: &StreamProtocol) -> bool {
    protocol.as_ref().starts_with("/webrtc-signaling")
}

/// Is this protocol id one that only the node may answer to?
pub(crate) fn is_reserved(protocol: &StreamProtocol, kad_protocol: &str) -> bool {
    let id = protocol.as_ref();
    id == kad_protocol
        || id.starts_with("/ipfs/kad/")
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| id.starts_with(prefix))
}
