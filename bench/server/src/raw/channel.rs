//! What is done on a channel: an echo, or bytes up and down.

use std::collections::VecDeque;

use bytes::Bytes;
use mooring_transport_probe::Pattern;
use sha2::{Digest as _, Sha256};

use super::native::{
    limits,
    session::{ChannelId, Session},
};

/// As large as our streams' frames.
const MESSAGE: usize = 16 * 1024;
/// The length of an order's message: how much up, how much down, and a rate that is not heeded here.
const ORDER: usize = 24;

#[derive(Default)]
pub struct Channel {
    transfer: Option<Transfer>,
    waiting: VecDeque<Bytes>,
}

struct Transfer {
    up: u64,
    down: u64,
    hash: Sha256,
    answered: bool,
    pattern: Pattern,
    block: Bytes,
}

impl Channel {
    pub fn receive(&mut self, message: Bytes) {
        match &mut self.transfer {
            Some(transfer) => transfer.receive(&message),
            None if message.len() == ORDER => self.transfer = Some(Transfer::new(&message)),
            None => self.waiting.push_back(message),
        }
    }

    /// Writes while there is room.
    pub fn advance(&mut self, id: ChannelId, session: &mut Session) {
        while session.buffered(id) < limits::SEND_BUFFER {
            let next = self
                .waiting
                .pop_front()
                .or_else(|| self.transfer.as_mut().and_then(Transfer::next_message));
            let Some(message) = next else { return };
            if !session.write(id, message) {
                return;
            }
        }
    }
}

impl Transfer {
    fn new(order: &[u8]) -> Self {
        let mut numbers = order
            .chunks_exact(8)
            .map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap_or_default()));
        Self {
            up: numbers.next().unwrap_or_default(),
            down: numbers.next().unwrap_or_default(),
            hash: Sha256::new(),
            answered: false,
            pattern: Pattern::new(),
            block: Bytes::new(),
        }
    }

    fn receive(&mut self, message: &[u8]) {
        self.hash.update(message);
        self.up = self
            .up
            .saturating_sub(u64::try_from(message.len()).unwrap_or(u64::MAX));
    }

    /// The digest once everything is there, then the bytes.
    fn next_message(&mut self) -> Option<Bytes> {
        if self.up > 0 {
            return None;
        }
        if !self.answered {
            self.answered = true;
            return Some(Bytes::copy_from_slice(&self.hash.clone().finalize()));
        }
        if self.down == 0 {
            return None;
        }
        if self.block.is_empty() {
            self.block = Bytes::copy_from_slice(self.pattern.next_block());
        }
        let left = usize::try_from(self.down).unwrap_or(usize::MAX);
        let message = self.block.split_to(MESSAGE.min(self.block.len()).min(left));
        self.down = self
            .down
            .saturating_sub(u64::try_from(message.len()).unwrap_or(u64::MAX));
        Some(message)
    }
}
