//! Data that arrived and was not read yet.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::limits::{JOINED_PAYLOAD, RECEIVE_CHUNK};

/// A piece of what arrived.
#[derive(Debug)]
enum Chunk {
    /// Of small payloads, in memory of our own.
    Joined(BytesMut),
    /// A payload as it came.
    Whole(Bytes),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Joined(bytes) => bytes,
            Self::Whole(bytes) => bytes,
        }
    }

    fn truncate(&mut self, length: usize) {
        match self {
            Self::Joined(bytes) => bytes.truncate(length),
            Self::Whole(bytes) => bytes.truncate(length),
        }
    }
}

/// A queue of bytes. Small payloads are joined, so that its memory is proportional to its length; large ones are kept as
/// they are, for they share their memory with a frame's few other bytes alone.
#[derive(Debug, Default)]
pub(super) struct ReceiveBuffer {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that were read already.
    read: usize,
    len: usize,
}

impl ReceiveBuffer {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        self.len = self.len.saturating_add(data.len());
        if data.len() >= JOINED_PAYLOAD {
            self.chunks.push_back(Chunk::Whole(data));
            return;
        }
        match self.chunks.back_mut() {
            Some(Chunk::Joined(last)) if last.len().saturating_add(data.len()) <= RECEIVE_CHUNK => {
                last.extend_from_slice(&data);
            }
            _ => self
                .chunks
                .push_back(Chunk::Joined(BytesMut::from(data.as_ref()))),
        }
    }

    /// Takes back the last `count` bytes, which were pushed last.
    pub(super) fn forget_last(&mut self, mut count: usize) {
        self.len = self.len.saturating_sub(count);
        while let Some(mut last) = self.chunks.pop_back() {
            let length = last.bytes().len();
            if count < length {
                last.truncate(length.saturating_sub(count));
                self.chunks.push_back(last);
                break;
            }
            count = count.saturating_sub(length);
        }
        if self.len == 0 {
            *self = Self::default();
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(first) = self.chunks.front() {
            let source = first.bytes().get(self.read..).unwrap_or_default();
            let target = buffer.get_mut(filled..).unwrap_or_default();
            let count = source.len().min(target.len());
            if let (Some(target), Some(source)) = (target.get_mut(..count), source.get(..count)) {
                target.copy_from_slice(source);
            }
            filled = filled.saturating_add(count);
            if count < source.len() {
                self.read = self.read.saturating_add(count);
                break;
            }
            self.chunks.pop_front();
            self.read = 0;
        }
        self.len = self.len.saturating_sub(filled);
        filled
    }
}
