//! Certificate fingerprints: the multihash of a `/certhash`, and the way SDP writes them.
//!
//! SHA-256 only: what the spec makes mandatory, what every browser's own certificates use, and
//! the only one that browser and server must agree on.

use std::fmt;

use libp2p_core::multihash::Multihash;
use sha2::{Digest as _, Sha256};

use crate::Error;

/// Multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

/// Length of the digest, bytes.
pub const DIGEST_LENGTH: usize = 32;

/// The SHA-256 fingerprint of a DTLS certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; DIGEST_LENGTH]);

impl Fingerprint {
    /// From the digest.
    pub fn from_digest(digest: [u8; DIGEST_LENGTH]) -> Self {
        Self(digest)
    }

    /// Of a certificate in DER.
    pub fn of_certificate(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The digest.
    pub fn digest(&self) -> &[u8; DIGEST_LENGTH] {
        &self.0
    }

    /// As in a multiaddr's `/certhash`.
    pub fn to_multihash(self) -> Multihash<64> {
        // 32 bytes always fit into 64.
        Multihash::wrap(SHA2_256, &self.0).unwrap_or_default()
    }

    /// From a multiaddr's `/certhash`.
    pub fn from_multihash(hash: &Multihash<64>) -> Result<Self, Error> {
        if hash.code() != SHA2_256 {
            return Err(Error::Certhash);
        }
        hash.digest()
            .try_into()
            .map(Self)
            .map_err(|_| Error::Certhash)
    }

    /// From SDP's form, `sha-256 AB:CD:…` (RFC 8122, section 5; upper and lower case).
    pub fn from_sdp(value: &str) -> Result<Self, Error> {
        const BAD: Error = Error::Sdp("malformed fingerprint");
        let (algorithm, digest) = value.trim().split_once(' ').ok_or(BAD)?;
        if !algorithm.eq_ignore_ascii_case("sha-256") {
            return Err(Error::Sdp("fingerprint is not SHA-256"));
        }
        let mut bytes = [0; DIGEST_LENGTH];
        let mut parts = digest.trim().split(':');
        for byte in &mut bytes {
            let part = parts.next().ok_or(BAD)?;
            if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(BAD);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| BAD)?;
        }
        match parts.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(BAD),
        }
    }
}

/// SDP's form, `sha-256 AB:CD:…`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256 ")?;
        for (index, byte) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rejects_what_is_no_sha256_fingerprint() {
        let good = Fingerprint::from_digest([0xab; 32]).to_string();
        assert!(Fingerprint::from_sdp(&good.to_lowercase()).is_ok());
        for bad in [
            "",
            "sha-256",
            "sha-256 ",
            "sha-1 AB:CD",
            &good.replace("sha-256", "sha-512"),
            &good[..good.len() - 3],
            &format!("{good}:00"),
            &good.replacen("AB", "+B", 1),
            &good.replacen("AB", "A", 1),
            &good.replacen("AB", "ABC", 1),
            &good.replacen(':', "", 1),
            &good.replacen("AB", "é", 1),
        ] {
            assert!(Fingerprint::from_sdp(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rejects_other_multihashes() {
        let sha512 = Multihash::<64>::wrap(0x13, &[1; 64]).unwrap();
        let short = Multihash::<64>::wrap(SHA2_256, &[1; 31]).unwrap();
        assert!(Fingerprint::from_multihash(&sha512).is_err());
        assert!(Fingerprint::from_multihash(&short).is_err());
        assert!(Fingerprint::from_multihash(&Multihash::default()).is_err());
    }

    proptest! {
        #[test]
        fn round_trips(digest: [u8; 32]) {
            let fingerprint = Fingerprint::from_digest(digest);
            prop_assert_eq!(Fingerprint::from_multihash(&fingerprint.to_multihash()).unwrap(), fingerprint);
            prop_assert_eq!(Fingerprint::from_sdp(&fingerprint.to_string()).unwrap(), fingerprint);
        }

        #[test]
        fn any_text_never_panics(text in "\\PC*") {
            let _ = Fingerprint::from_sdp(&text);
        }
    }
}
