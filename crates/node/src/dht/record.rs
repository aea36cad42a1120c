//! Which values a record may have.

use libp2p::{PeerId, identity::PublicKey};

/// Where the DHT keeps public keys: behind it comes the peer id, and the value is the key that it was made of.
const PUBLIC_KEYS: &[u8] = b"/pk/";

/// May this be a value of that key? Only of public keys it can be told; what is under `/ipns/`, or under any other key, is not
/// looked into.
pub(crate) fn may_hold(key: &[u8], value: &[u8]) -> bool {
    let Some(peer) = key.strip_prefix(PUBLIC_KEYS) else {
        return true;
    };
    PublicKey::try_decode_protobuf(value)
        .is_ok_and(|public| PeerId::from_public_key(&public).to_bytes() == peer)
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::*;

    #[test]
    fn a_public_key_is_that_of_the_peer() {
        let public = Keypair::generate_ed25519().public();
        let value = public.encode_protobuf();
        let key = |peer: PeerId| [PUBLIC_KEYS, &peer.to_bytes()].concat();
        assert!(may_hold(&key(public.to_peer_id()), &value));
        assert!(!may_hold(&key(PeerId::random()), &value));
        assert!(!may_hold(&key(public.to_peer_id()), b"no key"));
        assert!(!may_hold(PUBLIC_KEYS, &value));
        assert!(may_hold(b"/ipns/anything", b"unseen"));
        assert!(may_hold(b"", b""));
    }
}
