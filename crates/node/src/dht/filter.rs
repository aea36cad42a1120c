//! What of messages and addresses goes on, and what does not.

use libp2p::{
    Multiaddr, PeerId,
    kad::{KadPeer, QueryId},
};

use super::ToHandler;
use crate::{
    Scope,
    address_policy::{is_refused, judge},
    limits::{ADDRESS_BYTES, KAD_ADDRESSES},
    peer_store,
    types::FoundPeer,
};

/// The lookup that this request of libp2p's writes for.
pub(super) fn written_by(event: &ToHandler) -> Option<QueryId> {
    match event {
        ToHandler::PutRecord { query_id, .. } | ToHandler::AddProvider { query_id, .. } => {
            Some(*query_id)
        }
        _ => None,
    }
}

/// What a peer is said to be reached at, as far as anybody wants to know.
pub(super) fn found(peer: PeerId, addresses: &[Multiaddr]) -> FoundPeer {
    FoundPeer {
        peer,
        addresses: peer_store::usable_all(addresses, peer),
    }
}

/// Those that may be dialed, and no more than are worth it.
pub(super) fn dialable(addresses: &[Multiaddr], scope: Scope) -> Vec<Multiaddr> {
    addresses
        .iter()
        .filter(|address| address.len() <= ADDRESS_BYTES && judge(address, scope).is_ok())
        .take(KAD_ADDRESSES)
        .cloned()
        .collect()
}

/// Without addresses that are not global, and those that have no others.
fn global(peers: Vec<KadPeer>) -> Vec<KadPeer> {
    peers
        .into_iter()
        .filter_map(|mut peer| {
            peer.multiaddrs
                .retain(|address| !is_refused(address, Scope::GLOBAL));
            (!peer.multiaddrs.is_empty()).then_some(peer)
        })
        .collect()
}

/// An answer without addresses that are not global.
pub(super) fn without_private(event: ToHandler) -> ToHandler {
    match event {
        ToHandler::FindNodeRes {
            closer_peers,
            request_id,
        } => ToHandler::FindNodeRes {
            closer_peers: global(closer_peers),
            request_id,
        },
        ToHandler::GetRecordRes {
            record,
            closer_peers,
            request_id,
        } => ToHandler::GetRecordRes {
            record,
            closer_peers: global(closer_peers),
            request_id,
        },
        ToHandler::GetProvidersRes {
            closer_peers,
            provider_peers,
            request_id,
        } => ToHandler::GetProvidersRes {
            closer_peers: global(closer_peers),
            provider_peers: global(provider_peers),
            request_id,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use libp2p::kad::ConnectionType;

    use super::*;

    #[test]
    fn strangers_learn_no_private_addresses() {
        let entry = |addresses: &[&str]| KadPeer {
            node_id: PeerId::random(),
            multiaddrs: addresses.iter().map(|it| it.parse().unwrap()).collect(),
            connection_ty: ConnectionType::Connected,
        };
        let both = entry(&["/ip4/192.168.1.2/tcp/1", "/ip4/9.9.9.9/tcp/1"]);
        let near = entry(&["/ip4/127.0.0.1/tcp/1", "/dns4/nas.local/tcp/1/ws"]);
        let kept = global(vec![both.clone(), near]);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].node_id, both.node_id);
        assert_eq!(kept[0].multiaddrs, both.multiaddrs[1..]);
    }
}
