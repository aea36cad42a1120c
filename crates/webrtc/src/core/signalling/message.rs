//! Messages of the signalling stream: varint length prefix, then protobuf `Message { type, data }`.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message as _;

use super::SignallingError;
use crate::limits::MAX_SIGNALLING_MESSAGE;

/// What a message's data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// The dialer's session description.
    Offer = 0,
    /// The listener's session description.
    Answer = 1,
    /// JSON of an `RTCIceCandidate`.
    Candidate = 2,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(enumeration = "Kind", optional, tag = "1")]
    kind: Option<i32>,
    #[prost(string, optional, tag = "2")]
    data: Option<String>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What `data` is.
    pub kind: Kind,
    /// At most [`MAX_SIGNALLING_MESSAGE`] bytes, less a few.
    pub data: String,
}

impl Message {
    /// The bytes on the wire, length prefix included.
    ///
    /// # Errors
    /// `TooLong`: the peer need not take it.
    pub fn encode(self) -> Result<Bytes, SignallingError> {
        let wire = Wire {
            // Written out although 0 is the default: some readers tell an absent type from an offer.
            kind: Some(self.kind as i32),
            data: Some(self.data),
        };
        if wire.encoded_len() > MAX_SIGNALLING_MESSAGE {
            return Err(SignallingError::TooLong);
        }
        Ok(wire.encode_length_delimited_to_vec().into())
    }
}

/// Cuts a byte stream into messages. After an error it yields nothing more.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    failed: Option<SignallingError>,
}

impl Decoder {
    /// Appends what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole message; `None` until more arrives.
    ///
    /// # Errors
    /// `TooLong` as soon as a length prefix says so, `Malformed`.
    pub fn next_message(&mut self) -> Result<Option<Message>, SignallingError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.try_next().inspect_err(|&error| {
            self.failed = Some(error);
            self.buffer = BytesMut::new();
        })
    }

    fn try_next(&mut self) -> Result<Option<Message>, SignallingError> {
        use unsigned_varint::decode;
        let (length, rest) = match decode::u32(&self.buffer) {
            Ok((length, rest)) => (length as usize, rest.len()),
            Err(decode::Error::Insufficient) => return Ok(None),
            Err(_) => return Err(SignallingError::Malformed),
        };
        if length > MAX_SIGNALLING_MESSAGE {
            return Err(SignallingError::TooLong);
        }
        if rest < length {
            return Ok(None);
        }
        self.buffer.advance(self.buffer.len().saturating_sub(rest));
        let body = self.buffer.split_to(length);
        let wire = Wire::decode(body).map_err(|_| SignallingError::Malformed)?;
        // proto3 leaves out a field of value 0, and some writers do so for `optional` ones too: an absent type is an offer.
        let kind =
            Kind::try_from(wire.kind.unwrap_or(0)).map_err(|_| SignallingError::Malformed)?;
        Ok(Some(Message {
            kind,
            data: wire.data.unwrap_or_default(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: Kind, data: &str) -> Message {
        Message {
            kind,
            data: data.to_owned(),
        }
    }

    #[test]
    fn writes_what_others_read() {
        // As protons (js-libp2p) writes them.
        let encoded = message(Kind::Offer, "v=0").encode().unwrap();
        assert_eq!(&*encoded, b"\x07\x08\x00\x12\x03v=0");
        let mut decoder = Decoder::default();
        decoder.push(b"\x05\x12\x03v=0\x02\x08\x02");
        assert_eq!(
            decoder.next_message(),
            Ok(Some(message(Kind::Offer, "v=0")))
        );
        assert_eq!(
            decoder.next_message(),
            Ok(Some(message(Kind::Candidate, "")))
        );
        assert_eq!(decoder.next_message(), Ok(None));
    }

    #[test]
    fn refuses_at_the_prefix_what_is_too_long() {
        let mut decoder = Decoder::default();
        decoder.push(&[0xff, 0xff, 0x7f]);
        assert_eq!(decoder.next_message(), Err(SignallingError::TooLong));
        decoder.push(b"\x02\x08\x02");
        assert_eq!(decoder.next_message(), Err(SignallingError::TooLong));
        let long = "x".repeat(MAX_SIGNALLING_MESSAGE);
        assert_eq!(
            message(Kind::Offer, &long).encode(),
            Err(SignallingError::TooLong)
        );
    }

    #[test]
    fn refuses_unknown_types_and_text_that_is_none() {
        for bad in [&b"\x02\x08\x03"[..], b"\x03\x12\x01\xff", b"\x02\x12\x09"] {
            let mut decoder = Decoder::default();
            decoder.push(bad);
            assert_eq!(decoder.next_message(), Err(SignallingError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_messages(
            datas in proptest::collection::vec("\\PC{0,200}", 0..6),
            cuts in proptest::collection::vec(1usize..40, 1..30),
        ) {
            let sent: Vec<_> = datas.iter().map(|data| message(Kind::Candidate, data)).collect();
            let mut bytes: Vec<u8> = Vec::new();
            for message in &sent {
                bytes.extend(message.clone().encode().unwrap());
            }
            let mut decoder = Decoder::default();
            let (mut received, mut rest, mut cuts) = (Vec::new(), &bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (part, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                decoder.push(part);
                rest = later;
                while let Some(message) = decoder.next_message().unwrap() {
                    received.push(message);
                }
            }
            prop_assert_eq!(received, sent);
        }

        #[test]
        fn garbage_neither_panics_nor_goes_on_forever(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            for _ in 0..=bytes.len() {
                match decoder.next_message() {
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return Ok(()),
                }
            }
            prop_assert!(false, "more messages than bytes");
        }
    }
}
