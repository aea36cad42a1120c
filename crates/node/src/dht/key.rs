//! Keys of the DHT, as bytes and as text.

use libp2p::{PeerId, kad, multihash::Multihash};
use multibase::Base;

use crate::limits::KAD_KEY;

/// A key of the DHT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DhtKey(Vec<u8>);

impl DhtKey {
    /// The bytes as they are: 1 to 512 of them.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (1..=KAD_KEY).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// A CID (version 0, or 1 in any multibase) or a multihash (in base58, as peer ids are written, or in any multibase): the
    /// bytes of its multihash, which is what `/ipfs/kad/1.0.0` looks up. A CID's version and codec are no part of it.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > KAD_KEY {
            return None;
        }
        let hash = match multibase::decode(text) {
            Ok((_, bytes)) => multihash_in(&bytes),
            // No base has the letters that peer ids and old CIDs begin with, so that nothing can be read in two ways.
            Err(multibase::Error::UnknownBase(_)) => {
                let bytes = Base::Base58Btc.decode(text).ok()?;
                multihash(&bytes)
            }
            Err(_) => None,
        };
        hash.map(Self)
    }

    /// The bytes that go over the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn record_key(&self) -> kad::RecordKey {
        kad::RecordKey::from(self.0.clone())
    }
}

impl From<PeerId> for DhtKey {
    fn from(peer: PeerId) -> Self {
        Self(peer.to_bytes())
    }
}

/// That of a CID of version 1, or the bytes themselves.
fn multihash_in(bytes: &[u8]) -> Option<Vec<u8>> {
    match unsigned_varint::decode::u64(bytes) {
        Ok((1, rest)) => {
            let (_codec, hash) = unsigned_varint::decode::u64(rest).ok()?;
            multihash(hash)
        }
        _ => multihash(bytes),
    }
}

fn multihash(bytes: &[u8]) -> Option<Vec<u8>> {
    let hash = Multihash::<64>::from_bytes(bytes).ok()?;
    Some(hash.to_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same block, as people write it.
    const V0: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";

    fn bytes(text: &str) -> Vec<u8> {
        DhtKey::parse(text).unwrap().as_bytes().to_vec()
    }

    #[test]
    fn every_spelling_of_a_cid_is_its_multihash() {
        let hash = bytes(V0);
        assert_eq!(hash[..2], [0x12, 0x20]);
        assert_eq!(hash.len(), 34);
        for codec in [&[0x70][..], &[0x55], &[0x72], &[0x81, 0x02]] {
            let cid = [&[1], codec, &hash].concat();
            for base in [
                Base::Base32Lower,
                Base::Base32Upper,
                Base::Base36Lower,
                Base::Base58Btc,
                Base::Base64Url,
                Base::Base16Lower,
            ] {
                assert_eq!(bytes(&multibase::encode(base, &cid)), hash, "{base:?}");
            }
        }
        assert_eq!(bytes(&multibase::encode(Base::Base16Lower, &hash)), hash);
        // Of the specification, with its own words for it.
        assert_eq!(
            bytes("bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
            hash
        );
    }

    #[test]
    fn a_peer_id_is_one_in_both_of_its_spellings() {
        let peer: PeerId = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
            .parse()
            .unwrap();
        assert_eq!(bytes(&peer.to_base58()), peer.to_bytes());
        let cid = [&[1, 0x72][..], &peer.to_bytes()].concat();
        let text = multibase::encode(Base::Base36Lower, cid);
        assert!(text.starts_with('k'));
        assert_eq!(bytes(&text), peer.to_bytes());
        assert_eq!(DhtKey::from(peer).as_bytes(), peer.to_bytes());
    }

    #[test]
    fn anything_else_is_none() {
        let long = format!("f{}", "00".repeat(KAD_KEY));
        let cut = &V0[..45];
        let more = format!("{V0}1");
        for text in [
            "",
            " ",
            "Qm",
            "hello",
            "/ipfs/Qm",
            "bafy",
            "z",
            "f",
            "f01",
            "f0170",
            "\u{1f680}",
            cut,
            &more,
            &long,
        ] {
            assert_eq!(DhtKey::parse(text), None, "{text}");
        }
        assert_eq!(DhtKey::from_bytes(Vec::new()), None);
        assert_eq!(DhtKey::from_bytes(vec![0; KAD_KEY + 1]), None);
        assert!(DhtKey::from_bytes(vec![0; KAD_KEY]).is_some());
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in any::<String>()) {
            let _ = DhtKey::parse(&text);
        }

        #[test]
        fn no_text_in_a_base_is_too_much(base in "[a-zA-Z0-9]", digits in "[0-9a-zA-Z+/=_-]{0,511}") {
            let _ = DhtKey::parse(&format!("{base}{digits}"));
        }

        #[test]
        fn what_is_taken_is_a_multihash(hash in any::<Vec<u8>>()) {
            let text = multibase::encode(Base::Base32Lower, &hash);
            if let Some(key) = DhtKey::parse(&text) {
                prop_assert!(Multihash::<64>::from_bytes(key.as_bytes()).is_ok());
                prop_assert!(hash.ends_with(key.as_bytes()));
            }
        }
    }
}
