//! Data channel establishment messages (RFC 8832, section 5).

use bytes::{BufMut, Bytes, BytesMut};

/// What a peer says about a channel on that channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// Opens a channel. libp2p leaves label and protocol of streams empty, so they are not kept.
    Open,
    /// Accepts it.
    Ack,
}

const ACK: u8 = 0x02;
const OPEN: u8 = 0x03;
/// Type, channel type, priority, reliability parameter, and the two lengths.
const OPEN_HEADER: usize = 12;

/// The label of an OPEN that [`Message::decode`] has taken.
pub(super) fn label(open: &[u8]) -> Option<&[u8]> {
    let length: [u8; 2] = open.get(8..)?.get(..2)?.try_into().ok()?;
    open.get(OPEN_HEADER..)?
        .get(..usize::from(u16::from_be_bytes(length)))
}

impl Message {
    /// Reads a message, or `None` when it is neither a whole OPEN nor an ACK.
    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        match message.split_first()? {
            (&ACK, _) => Some(Self::Ack),
            (&OPEN, _) => {
                let length = |at: usize| {
                    let bytes: [u8; 2] = message.get(at..)?.get(..2)?.try_into().ok()?;
                    Some(usize::from(u16::from_be_bytes(bytes)))
                };
                let end = OPEN_HEADER
                    .checked_add(length(8)?)?
                    .checked_add(length(10)?)?;
                (message.len() >= end).then_some(Self::Open)
            }
            _ => None,
        }
    }

    /// Writes a message; an OPEN asks for a reliable, ordered channel without label or protocol.
    pub(super) fn encode(self) -> Bytes {
        match self {
            Self::Ack => Bytes::from_static(&[ACK]),
            Self::Open => {
                let mut message = BytesMut::with_capacity(OPEN_HEADER);
                message.put_u8(OPEN);
                message.put_bytes(0, OPEN_HEADER.saturating_sub(1));
                message.freeze()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_refuses_what_is_cut_short() {
        for message in [Message::Open, Message::Ack] {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
        let open = Message::Open.encode();
        for length in 0..open.len() {
            assert_eq!(Message::decode(&open[..length]), None);
        }
        let mut labelled = open.to_vec();
        labelled[9] = 3;
        assert_eq!(Message::decode(&labelled), None);
        labelled.extend_from_slice(b"abc");
        assert_eq!(Message::decode(&labelled), Some(Message::Open));
        assert_eq!(Message::decode(&[0xff; 12]), None);
    }
}
