//! The STUN messages of ICE (RFC 8445, RFC 8489), as far as webrtc-direct needs them.

use std::net::SocketAddr;

use bytes::Bytes;
use is::stun::{StunMessage, TransId};
use is::{DefaultSha1HmacProvider, Sha1HmacProvider};

#[cfg(test)]
mod fuzz;

/// Identifies a request and its answer.
pub(crate) type Transaction = TransId;

/// An unverified binding request.
pub(crate) struct Request<'a> {
    message: StunMessage<'a>,
    /// ICE user name fragment of the side that receives the request.
    pub(crate) receiver_ufrag: &'a str,
    /// ICE user name fragment of the side that sent it.
    pub(crate) sender_ufrag: &'a str,
}

/// What a datagram on a WebRTC socket is (RFC 7983).
pub(crate) enum Datagram<'a> {
    Request(Request<'a>),
    Response(Response<'a>),
    Dtls(&'a [u8]),
    /// Neither, or damaged.
    Other,
}

/// An unverified success response to a binding request.
pub(crate) struct Response<'a> {
    message: StunMessage<'a>,
}

impl<'a> Datagram<'a> {
    pub(crate) fn parse(datagram: &'a [u8]) -> Self {
        match datagram.first() {
            Some(0..=3) => {}
            Some(20..=63) => return Self::Dtls(datagram),
            _ => return Self::Other,
        }
        let Ok(message) = StunMessage::parse(datagram) else {
            return Self::Other;
        };
        if message.is_binding_request() {
            // Split here rather than through the message, whose borrow would be too short.
            if let Some((receiver_ufrag, sender_ufrag)) =
                message.username().and_then(|name| name.split_once(':'))
            {
                return Self::Request(Request {
                    message,
                    receiver_ufrag,
                    sender_ufrag,
                });
            }
        } else if message.is_successful_binding_response() {
            return Self::Response(Response { message });
        }
        Self::Other
    }
}

impl Request<'_> {
    /// Whether MESSAGE-INTEGRITY was made with `password`, the receiver's.
    pub(crate) fn verify(&self, password: &str) -> bool {
        self.message.verify(password.as_bytes(), hmac)
    }

    /// The success response to this request.
    pub(crate) fn answer(&self, source: SocketAddr, password: &str) -> Option<Bytes> {
        encode(
            StunMessage::binding_reply(self.message.trans_id(), source),
            password,
        )
    }

    /// Whether the sender has chosen this path.
    pub(crate) fn nominates(&self) -> bool {
        self.message.use_candidate()
    }
}

impl Response<'_> {
    pub(crate) fn transaction(&self) -> Transaction {
        self.message.trans_id()
    }

    /// Whether MESSAGE-INTEGRITY was made with `password`, that of the side that answers.
    pub(crate) fn verify(&self, password: &str) -> bool {
        self.message.verify(password.as_bytes(), hmac)
    }
}

/// A check by the controlling side that nominates its path.
pub(crate) fn check(
    transaction: Transaction,
    tie_breaker: u64,
    username: &str,
    password: &str,
) -> Option<Bytes> {
    let message =
        StunMessage::binding_request(username, transaction, true, tie_breaker, PRIORITY, true);
    encode(message, password)
}

/// The priority of a host candidate (RFC 8445, section 5.1.2.1); there is only one.
const PRIORITY: u32 = 0x7eff_ffff;

/// Header, user name of at most 513 bytes, and the few fixed attributes.
const MAX_MESSAGE: usize = 768;

fn encode(message: StunMessage<'_>, password: &str) -> Option<Bytes> {
    let mut buffer = vec![0; MAX_MESSAGE];
    let length = message
        .to_bytes(Some(password.as_bytes()), &mut buffer, hmac)
        .ok()?;
    buffer.truncate(length);
    Some(buffer.into())
}

fn hmac(key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
    DefaultSha1HmacProvider.sha1_hmac(key, payloads)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_and_both_are_verified() {
        let transaction = Transaction::new();
        let check = check(transaction, 7, "server:client", "secret").unwrap();
        let Datagram::Request(request) = Datagram::parse(&check) else {
            panic!("not a request")
        };
        assert_eq!(
            (request.receiver_ufrag, request.sender_ufrag),
            ("server", "client")
        );
        assert!(request.verify("secret") && request.nominates());
        assert!(!request.verify("wrong"));
        for source in ["127.0.0.1:4001", "[2001:db8::1]:4001"] {
            let answer = request.answer(source.parse().unwrap(), "secret").unwrap();
            let Datagram::Response(response) = Datagram::parse(&answer) else {
                panic!("not a response")
            };
            assert!(response.transaction() == transaction && response.verify("secret"));
            assert!(!response.verify("wrong"));
        }
    }

    #[test]
    fn a_changed_or_shortened_message_is_not_accepted() {
        let check = check(Transaction::new(), 7, "server:client", "secret").unwrap();
        for length in 0..check.len() {
            assert!(matches!(Datagram::parse(&check[..length]), Datagram::Other));
        }
        for at in 0..check.len() - 8 {
            let mut changed = check.to_vec();
            changed[at] ^= 0x40;
            if let Datagram::Request(request) = Datagram::parse(&changed) {
                assert!(
                    !request.verify("secret"),
                    "a changed byte {at} went unnoticed"
                );
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(datagram in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Datagram::parse(&datagram);
            let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
            stun.extend_from_slice(&datagram);
            let length = u16::try_from(stun.len().saturating_sub(20)).unwrap();
            stun[2..4].copy_from_slice(&length.to_be_bytes());
            if let Datagram::Request(request) = Datagram::parse(&stun) {
                let _ = request.verify("secret");
            }
        }
    }
}
