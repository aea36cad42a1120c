//! Frames: varint length prefix, then protobuf `Message { flag, message }`
//! (libp2p/specs webrtc/README.md, "Multiplexing").
//!
//! The decoder treats a channel as a byte stream: js-libp2p sends prefix and body as two data
//! channel messages, and several frames in one message are fine too.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message as _;

use crate::limits::{MAX_JOINED_FRAME, MAX_RECEIVED_FRAME, MAX_SENT_FRAME};

/// A flag of a frame. Values the spec does not know are ignored, as protobuf does for enums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Flag {
    /// The sender will send no more data.
    Fin = 0,
    /// The sender reads no more and discards what arrives.
    StopSending = 1,
    /// The sender ends its sending part abruptly.
    Reset = 2,
    /// The sender has received a `Fin` and all that came before it.
    FinAck = 3,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(enumeration = "Flag", optional, tag = "1")]
    flag: Option<i32>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    message: Option<Bytes>,
}

/// One frame. Its data comes before its flag: a FIN with data ends the stream after that data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Payload, possibly empty.
    pub data: Bytes,
    /// Flag, if there is one that we know.
    pub flag: Option<Flag>,
}

impl Frame {
    /// A frame with nothing but a flag.
    pub fn flag(flag: Flag) -> Self {
        Self {
            data: Bytes::new(),
            flag: Some(flag),
        }
    }

    /// A frame with nothing but data.
    pub fn data(data: Bytes) -> Self {
        Self { data, flag: None }
    }

    /// The bytes on the wire, length prefix included; [`messages`] cuts them for a data channel.
    ///
    /// Fails with [`FrameError::TooLarge`] above [`MAX_SENT_FRAME`]; payloads of up to
    /// [`crate::limits::MAX_SENT_PAYLOAD`] always fit.
    pub fn encode(&self) -> Result<Bytes, FrameError> {
        let message = Message {
            flag: self.flag.map(|flag| flag as i32),
            message: (!self.data.is_empty()).then(|| self.data.clone()),
        };
        let encoded = message.encode_length_delimited_to_vec();
        if encoded.len() > MAX_SENT_FRAME {
            return Err(FrameError::TooLarge);
        }
        Ok(encoded.into())
    }
}

/// The channel messages that an encoded frame is sent as: a large one's length prefix by itself, then
/// its body (see [`MAX_JOINED_FRAME`]). Send all of them or none: a remote counts the body's bytes.
pub fn messages(mut frame: Bytes) -> impl Iterator<Item = Bytes> {
    let prefix = (frame.len() > MAX_JOINED_FRAME).then(|| {
        // Bytes of a varint that announce another one, and the last.
        let more = frame.iter().take_while(|byte| **byte >= 0x80).count();
        frame.split_to(more.saturating_add(1))
    });
    prefix.into_iter().chain([frame])
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than we send or take.
    #[error("frame is too large")]
    TooLarge,
    /// The length prefix is not a minimal varint.
    #[error("frame length is malformed")]
    Length,
    /// The body is not the protobuf message.
    #[error("frame body is malformed")]
    Body,
}

/// Cuts a byte stream into frames. After an error it yields nothing more.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    failed: Option<FrameError>,
}

impl Decoder {
    /// Appends what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole frame; `None` until more arrives.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.try_next().inspect_err(|&error| {
            self.failed = Some(error);
            self.buffer = BytesMut::new();
        })
    }

    /// Bytes held of a frame that is not whole yet.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    fn try_next(&mut self) -> Result<Option<Frame>, FrameError> {
        use unsigned_varint::decode;
        let (length, rest) = match decode::u32(&self.buffer) {
            Ok((length, rest)) => (length as usize, rest.len()),
            Err(decode::Error::Insufficient) => return Ok(None),
            Err(_) => return Err(FrameError::Length),
        };
        if length > MAX_RECEIVED_FRAME {
            return Err(FrameError::TooLarge);
        }
        if rest < length {
            return Ok(None);
        }
        let prefix = self.buffer.len().saturating_sub(rest);
        self.buffer.advance(prefix);
        let body = self.buffer.split_to(length).freeze();
        if self.buffer.is_empty() {
            // Let go of the allocation together with the payload, which shares it.
            self.buffer = BytesMut::new();
        }
        let message = Message::decode(body).map_err(|_| FrameError::Body)?;
        Ok(Some(Frame {
            data: message.message.unwrap_or_default(),
            flag: message.flag.and_then(|flag| Flag::try_from(flag).ok()),
        }))
    }
}

#[cfg(test)]
mod tests;
