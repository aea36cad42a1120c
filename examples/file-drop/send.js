// Sends a file, and goes on where it was after a break.
import { pause } from "./meet.js";
import { Sha256 } from "./sha256.js";
import { PROTOCOL, Reading, Refused, writeWord } from "./wire.js";

/** Milliseconds before the next attempt: the first time, and the most it grows to. */
const AGAIN = 1_000;
const AGAIN_MOST = 15_000;
/** Attempts in a row without a byte more at the other end; some ten minutes. */
const MAX_ATTEMPTS = 40;
/** Milliseconds for a dial, whose first part is over a relay. */
const DIAL = 60_000;
/** Bytes that are written at once: progress shows in such steps, and a browser reads a file in much larger ones. */
const PIECE = 64 * 1024;
/** Of a refusal that is shown. */
const MAX_REASON = 200;

/** The file's SHA-256 in hex. */
export async function hashOf(file, progress) {
  const hash = new Sha256();
  let done = 0;
  for await (const chunk of chunks(file, 0)) {
    hash.update(chunk);
    progress((done += chunk.length));
  }
  return hash.digest();
}

async function* chunks(file, offset) {
  const reader = file.slice(offset).stream().getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.releaseLock();
  }
}

/**
 * Offers the file and sends it, over a direct path only: a relay is not there for files. `state` is kept up to date for whoever looks:
 * `at` bytes are sent of the file, `sent` in all attempts together, `attempts`, and `phase`.
 */
export async function send(node, { peer, addresses }, file, sha256, state, changed, signal) {
  const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const offer = { id, name: file.name.slice(0, 255), size: file.size, sha256 };
  let vain = 0;
  for (let wait = AGAIN; ; wait = Math.min(wait * 2, AGAIN_MOST)) {
    const before = state.at;
    try {
      state.attempts += 1;
      await attempt();
      return;
    } catch (error) {
      if (error instanceof Refused || signal.aborted) throw error;
      if (state.at > before) [vain, wait] = [0, AGAIN];
      vain += 1;
      if (vain >= MAX_ATTEMPTS) throw error;
      state.phase = "broken";
      changed(error);
    }
    await pause(wait);
    signal.throwIfAborted();
  }

  async function attempt() {
    await node.dial({ peer, addresses }, { signal, timeout: DIAL });
    const stream = await node.openStream(peer, PROTOCOL, { allowRelayed: false, signal });
    const stop = () => stream.reset("cancelled");
    signal.addEventListener("abort", stop, { once: true });
    try {
      const writer = stream.writable.getWriter();
      // Its end is heard of by whoever writes.
      writer.closed.catch(() => undefined);
      const reading = new Reading(stream.readable);
      await writeWord(writer, offer);
      if (state.phase !== "broken") state.phase = "offered";
      changed();
      const { offset } = answer(await reading.word());
      if (!Number.isSafeInteger(offset) || offset < 0 || offset > file.size) throw new Refused("The other side's answer makes no sense.");
      state.phase = "sending";
      state.at = offset;
      // The last word may come early: no, thank you. It ends the writing.
      const last = reading.word().then(answer);
      last.catch(() => stream.reset());
      try {
        for await (const chunk of chunks(file, offset)) {
          for (let at = 0; at < chunk.length; at += PIECE) {
            const piece = chunk.subarray(at, at + PIECE);
            state.sent += piece.length;
            // Waits as long as the other side does not read.
            await writer.write(piece);
            state.at += piece.length;
            changed();
          }
        }
        await writer.close();
      } catch (error) {
        // Why, if it said so.
        await last;
        throw error;
      }
      const { saved } = await last;
      if (saved !== true) throw new Refused("The other side's answer makes no sense.");
      state.phase = "done";
      changed();
    } finally {
      signal.removeEventListener("abort", stop);
      stream.reset();
    }
  }
}

function answer(word) {
  if (word.refused !== undefined) throw new Refused(String(word.refused).slice(0, MAX_REASON));
  return word;
}
