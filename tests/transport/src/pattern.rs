//! What is sent in bulk, by every end of every implementation.

/// Blocks of 1 MiB: the words, little-endian, of xorshift32 from seed 1, and in the first four bytes the block's number,
/// so that a block lost or moved shows.
#[derive(Debug)]
pub struct Pattern {
    block: Vec<u8>,
    number: u32,
}

const BLOCK: usize = 1024 * 1024;

impl Pattern {
    /// From the first block on.
    pub fn new() -> Self {
        let mut state = 1_u32;
        let mut block = Vec::with_capacity(BLOCK);
        while block.len() < BLOCK {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            block.extend_from_slice(&state.to_le_bytes());
        }
        Self { block, number: 0 }
    }

    /// The next block.
    pub fn next_block(&mut self) -> &[u8] {
        if let Some(head) = self.block.first_chunk_mut::<4>() {
            *head = self.number.to_le_bytes();
        }
        self.number = self.number.wrapping_add(1);
        &self.block
    }
}

impl Default for Pattern {
    fn default() -> Self {
        Self::new()
    }
}
