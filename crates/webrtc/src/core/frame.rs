//! Frames: varint length prefix, then protobuf `Message { flag, message }`
//! (libp2p/specs webrtc/README.md, "Multiplexing").
//!
//! The decoder treats a channel as a byte stream: js-libp2p sends prefix and body as two data
//! channel messages, and several frames in one message are fine too.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use prost::Message as _;

use crate::limits::{FRAME_OVERHEAD, MAX_JOINED_FRAME, MAX_RECEIVED_FRAME, MAX_SENT_FRAME};

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

/// The protobuf field of [`Frame::window`], which no specification has (docs/adr/0009-stream-windows.md). libp2p's pubsub asks
/// experiments to take numbers above 0x200000, so that they are never in the way of what it may specify later.
pub const WINDOW_FIELD: u32 = 2_101_008;

#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(enumeration = "Flag", optional, tag = "1")]
    flag: Option<i32>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    message: Option<Bytes>,
    #[prost(uint64, optional, tag = "2101008")]
    window: Option<u64>,
}

/// One frame. Its data comes before its flag: a FIN with data ends the stream after that data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Payload, possibly empty.
    pub data: Bytes,
    /// Flag, if there is one that we know.
    pub flag: Option<Flag>,
    /// How many bytes of payload the remote may send on this stream, from its beginning. 0 sets no bound, and says as any
    /// other value does that the sender knows what this means.
    pub window: Option<u64>,
}

impl Frame {
    /// A frame with nothing but a flag.
    pub fn flag(flag: Flag) -> Self {
        Self {
            flag: Some(flag),
            ..Self::default()
        }
    }

    /// A frame with nothing but data.
    pub fn data(data: Bytes) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }

    /// The bytes on the wire, length prefix included; [`messages`] cuts them for a data channel.
    ///
    /// Fails with [`FrameError::TooLarge`] above [`MAX_SENT_FRAME`]; payloads of up to
    /// [`crate::limits::MAX_SENT_PAYLOAD`] always fit.
    pub fn encode(&self) -> Result<Bytes, FrameError> {
        encode(self.flag, self.window, &self.data)
    }
}

/// The bytes on the wire of a frame with this flag, window and data, which is copied once.
pub fn encode(flag: Option<Flag>, window: Option<u64>, data: &[u8]) -> Result<Bytes, FrameError> {
    // prost wants to own what it encodes: that would be a copy more. The fields are written here (tag, length, bytes), and
    // data is the last of them.
    let mut head = Vec::with_capacity(FRAME_OVERHEAD);
    if let Some(flag) = flag {
        prost::encoding::int32::encode(1, &(flag as i32), &mut head);
    }
    if let Some(window) = window {
        prost::encoding::uint64::encode(WINDOW_FIELD, &window, &mut head);
    }
    if !data.is_empty() {
        prost::encoding::encode_key(2, prost::encoding::WireType::LengthDelimited, &mut head);
        prost::encoding::encode_varint(data.len() as u64, &mut head);
    }
    let body = head.len().saturating_add(data.len());
    let prefix = prost::length_delimiter_len(body);
    let total = prefix.saturating_add(body);
    if total > MAX_SENT_FRAME {
        return Err(FrameError::TooLarge);
    }
    let mut encoded = BytesMut::with_capacity(total);
    prost::encoding::encode_varint(body as u64, &mut encoded);
    encoded.extend_from_slice(&head);
    encoded.extend_from_slice(data);
    Ok(encoded.freeze())
}

/// Takes the first of these frames, and as many of those that follow as fit into one channel message with it.
///
/// Every message is a call into the browser that waits for another thread, an event at the other end, and a packet:
/// the negotiation, a request and the FIN of a short stream cost as much as one of them when they go together. All
/// implementations read a channel as a stream of bytes.
pub fn join(frames: &mut VecDeque<Bytes>) -> Option<Bytes> {
    let first = frames.pop_front()?;
    let mut length = first.len();
    let more = frames
        .iter()
        .take_while(|frame| {
            length = length.saturating_add(frame.len());
            length <= MAX_JOINED_FRAME
        })
        .count();
    if more == 0 {
        return Some(first);
    }
    let mut joined = BytesMut::with_capacity(MAX_JOINED_FRAME);
    joined.extend_from_slice(&first);
    for frame in frames.drain(..more) {
        joined.extend_from_slice(&frame);
    }
    Some(joined.freeze())
}

/// The channel messages that encoded frames are sent as: a large one's length prefix by itself, then
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

    /// Appends what arrived, and takes the next frame out of it without a copy if the frame ends with it: as every
    /// large one does that we or go-libp2p or js-libp2p send.
    pub fn push_owned(&mut self, bytes: Bytes) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.whole(&bytes) {
            Some(skip) => {
                self.buffer = BytesMut::new();
                let memory = bytes.len();
                read(bytes.slice(skip..), memory)
                    .map(Some)
                    .inspect_err(|&error| {
                        self.failed = Some(error);
                    })
            }
            None => {
                self.push(&bytes);
                self.next_frame()
            }
        }
    }

    /// Where in `bytes` the body of a frame begins that ends where they end.
    fn whole(&self, bytes: &[u8]) -> Option<usize> {
        use unsigned_varint::decode;
        let (length, skip) = if self.buffer.is_empty() {
            let (length, rest) = decode::u32(bytes).ok()?;
            (length, bytes.len().saturating_sub(rest.len()))
        } else {
            let (length, rest) = decode::u32(&self.buffer).ok()?;
            rest.is_empty().then_some((length, 0))?
        };
        let body = bytes.len().saturating_sub(skip);
        let length = usize::try_from(length).ok()?;
        (length == body && length <= MAX_RECEIVED_FRAME).then_some(skip)
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
        read(body, usize::MAX).map(Some)
    }
}

/// Reads a body that shares `memory` bytes with others.
fn read(body: Bytes, memory: usize) -> Result<Frame, FrameError> {
    let message = Message::decode(body).map_err(|_| FrameError::Body)?;
    let mut data = message.message.unwrap_or_default();
    // Whoever keeps a payload pays for its length; a short one must not keep all that it came with.
    if data.len() < memory / 2 {
        data = Bytes::copy_from_slice(&data);
    }
    Ok(Frame {
        data,
        flag: message.flag.and_then(|flag| Flag::try_from(flag).ok()),
        window: message.window,
    })
}

#[cfg(test)]
mod tests;
