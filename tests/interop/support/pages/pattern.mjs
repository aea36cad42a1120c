// What is sent in bulk, by every end of every implementation (tests/transport/src/pattern.rs says how it is made).
const BLOCK = 1024 * 1024;

/**
 * So many bytes of it, block by block. Each block is the same memory again: it is to be sent or copied at once.
 * @param {number} bytes
 */
export function* pattern(bytes) {
  const words = new Uint32Array(BLOCK / 4);
  let state = 1;
  for (let i = 0; i < words.length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  const block = new Uint8Array(words.buffer);
  for (let number = 0, left = bytes; left > 0; number += 1, left -= BLOCK) {
    words[0] = number;
    yield left < BLOCK ? block.subarray(0, left) : block;
  }
}
