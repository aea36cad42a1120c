//! The ICE credentials of webrtc-direct, which tell its versions apart
//! (libp2p/specs webrtc/webrtc-direct.md; v2 is pull request 715).
//!
//! There is no signalling: the server learns all it knows of a client from the USERNAME of its
//! first STUN request, `<server ufrag>:<client ufrag>`. The server's own credentials are always
//! ufrag = password = the server ufrag that the client chose.
//! - **v1**: the client makes up one string with the prefix and uses it for all four. It has to
//!   write it into its own offer, which browsers are about to forbid.
//! - **v2**: the client keeps its own credentials and passes its password to the server inside
//!   the server ufrag.

use rand::{Rng as _, distr::Alphanumeric};

use crate::Error;

/// Prefix of the server ufrag in version 1.
pub const PREFIX_V1: &str = "libp2p+webrtc+v1/";
/// Prefix of the server ufrag in version 2; the client's ICE password follows.
pub const PREFIX_V2: &str = "libp2p+webrtc+v2/";

/// RFC 8839, section 5.4: `ufrag = 4*256ice-char`, `password = 22*256ice-char`.
const MIN_UFRAG: usize = 4;
const MIN_PASSWORD: usize = 22;
const MAX_CREDENTIAL: usize = 256;

/// Random characters of a v1 ufrag: 190 bits, as many as go-libp2p and js-libp2p use.
const V1_RANDOM: usize = 32;

/// A version of webrtc-direct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// The client edits its own offer.
    V1,
    /// The client does not.
    V2,
}

/// A new v1 ufrag, which is password and server ufrag too.
pub fn new_v1() -> String {
    let random = rand::rng()
        .sample_iter(Alphanumeric)
        .take(V1_RANDOM)
        .map(char::from);
    PREFIX_V1.chars().chain(random).collect()
}

/// The v2 server ufrag for a client with this ICE password.
pub fn new_v2(client_password: &str) -> Result<String, Error> {
    if !is_password(client_password) {
        return Err(Error::IceCredentials("our own password is malformed"));
    }
    let ufrag = format!("{PREFIX_V2}{client_password}");
    if !is_ufrag(&ufrag) {
        return Err(Error::IceCredentials("our own password is too long"));
    }
    Ok(ufrag)
}

/// What a server learns from the USERNAME of a STUN request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StunUsername {
    /// Version the client speaks.
    pub version: Version,
    /// The server's ufrag, and its password.
    pub server_ufrag: String,
    /// The client's ufrag.
    pub client_ufrag: String,
    /// The client's password.
    pub client_password: String,
}

impl StunUsername {
    /// Reads a USERNAME. Both parts are checked to be ICE credentials, so they are safe to put
    /// into a session description. An unknown version is an error, never taken for v1.
    pub fn parse(username: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(username)
            .map_err(|_| Error::IceCredentials("USERNAME is not text"))?;
        let (server_ufrag, client_ufrag) = text
            .split_once(':')
            .ok_or(Error::IceCredentials("USERNAME has no colon"))?;
        if !is_ufrag(server_ufrag) || !is_ufrag(client_ufrag) {
            return Err(Error::IceCredentials("USERNAME holds no two ufrags"));
        }
        let (version, client_password) =
            if let Some(password) = server_ufrag.strip_prefix(PREFIX_V2) {
                if !is_password(password) {
                    return Err(Error::IceCredentials("the v2 ufrag holds no password"));
                }
                (Version::V2, password)
            } else if server_ufrag.starts_with(PREFIX_V1) {
                // In v1 all four are one string, which must then also do as a password.
                if server_ufrag != client_ufrag || !is_password(client_ufrag) {
                    return Err(Error::IceCredentials(
                        "the v1 ufrags differ or are too short",
                    ));
                }
                (Version::V1, client_ufrag)
            } else {
                return Err(Error::IceCredentials("unknown webrtc-direct version"));
            };
        Ok(Self {
            version,
            server_ufrag: server_ufrag.to_owned(),
            client_ufrag: client_ufrag.to_owned(),
            client_password: client_password.to_owned(),
        })
    }
}

/// Whether this may be an ICE ufrag.
pub fn is_ufrag(text: &str) -> bool {
    is_credential(text, MIN_UFRAG)
}

/// Whether this may be an ICE password.
pub fn is_password(text: &str) -> bool {
    is_credential(text, MIN_PASSWORD)
}

fn is_credential(text: &str, min: usize) -> bool {
    let ice_char = |c: u8| c.is_ascii_alphanumeric() || c == b'+' || c == b'/';
    (min..=MAX_CREDENTIAL).contains(&text.len()) && text.bytes().all(ice_char)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSWORD: &str = "abcdefghijklmnopqrstuv";

    #[test]
    fn v1_is_one_string_for_all() {
        let ufrag = new_v1();
        assert_ne!(ufrag, new_v1());
        let parsed = StunUsername::parse(format!("{ufrag}:{ufrag}").as_bytes()).unwrap();
        assert_eq!(parsed.version, Version::V1);
        assert_eq!(parsed.client_password, ufrag);
        assert_eq!(parsed.server_ufrag, ufrag);
    }

    #[test]
    fn v2_carries_the_password() {
        let ufrag = new_v2(PASSWORD).unwrap();
        let parsed = StunUsername::parse(format!("{ufrag}:xYz+").as_bytes()).unwrap();
        assert_eq!(parsed.version, Version::V2);
        assert_eq!(parsed.client_ufrag, "xYz+");
        assert_eq!(parsed.client_password, PASSWORD);
        assert!(new_v2("short").is_err());
        assert!(new_v2(&"a".repeat(256)).is_err());
    }

    #[test]
    fn rejects_what_it_cannot_answer() {
        let v1 = format!("{PREFIX_V1}{PASSWORD}");
        for bad in [
            "".to_owned(),
            ":".to_owned(),
            "abcd:efgh".to_owned(),
            v1.clone(),
            format!("{v1}:{v1}x"),
            format!("{v1}:{v1}:{v1}"),
            format!("{PREFIX_V1}:{PREFIX_V1}"),
            format!("{PREFIX_V2}short:abcd"),
            format!("{PREFIX_V2}{PASSWORD}:abc"),
            format!("{PREFIX_V2}{PASSWORD}\r\na=x:abcd"),
            format!("libp2p+webrtc+v3/{PASSWORD}:abcd"),
            format!("{PREFIX_V2}{}:abcd", "a".repeat(300)),
            format!("{PREFIX_V2}{PASSWORD}:äbcd"),
        ] {
            assert!(StunUsername::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(StunUsername::parse(&[0xff, b':', 0xfe]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = StunUsername::parse(&bytes);
        }
    }
}
