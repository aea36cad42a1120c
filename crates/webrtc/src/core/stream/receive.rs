//! Data that arrived and was not read yet.

use std::collections::VecDeque;

use crate::limits::RECEIVE_CHUNK;

/// A queue of bytes. Small payloads are joined, so that its memory is proportional to its length.
#[derive(Debug, Default)]
pub(super) struct ReceiveBuffer {
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that were read already.
    read: usize,
    len: usize,
}

impl ReceiveBuffer {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.len = self.len.saturating_add(data.len());
        match self.chunks.back_mut() {
            Some(last) if last.len().saturating_add(data.len()) <= RECEIVE_CHUNK => {
                last.extend_from_slice(data);
            }
            _ => self.chunks.push_back(data.to_vec()),
        }
    }

    /// Takes back the last `count` bytes, which were pushed last.
    pub(super) fn forget_last(&mut self, mut count: usize) {
        self.len = self.len.saturating_sub(count);
        while let Some(mut last) = self.chunks.pop_back() {
            if count < last.len() {
                last.truncate(last.len().saturating_sub(count));
                self.chunks.push_back(last);
                break;
            }
            count = count.saturating_sub(last.len());
        }
        if self.len == 0 {
            *self = Self::default();
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(first) = self.chunks.front() {
            let source = first.get(self.read..).unwrap_or_default();
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
