// The protocol. Who sends opens a stream and says what it offers; who receives answers from which byte on it wants that, or why
// not; then come the bytes, the sender's end, and the receiver's last word. After a break the same offer is made again on
// another stream: the answer is the offset that was reached.
//
//   sender:   u32 length, JSON { id, name, size, sha256 }
//   receiver: u32 length, JSON { offset } or { refused }
//   sender:   bytes from offset to size, end
//   receiver: u32 length, JSON { saved: true } or { refused }, end

export const PROTOCOL = "/file-drop/1";
/** Bytes of an offer or an answer. */
const MAX_WORD = 4096;
/** Bytes of a file. What came is kept in memory until it is saved (large Blobs go to the browser's own temporary files). */
export const MAX_SIZE = 512 * 1024 * 1024;
const MAX_NAME = 120;
/** As many as a name has at most before it is made fit. */
const MAX_GIVEN_NAME = 1024;

/** Somebody said no: there is nothing to try again. */
export class Refused extends Error {}

/** A file name for this machine: no path, nothing unseen, nothing hidden, not too long. */
export function fileName(given) {
  const name = given
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, "")
    .replace(/[/\\:*?"<>|]/g, "_")
    .replace(/^[.\s]+|[.\s]+$/g, "");
  const characters = [...name];
  if (characters.length <= MAX_NAME) return name || "file";
  // The ending says what it is.
  const ending = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? "";
  return characters.slice(0, MAX_NAME - ending.length).join("") + ending;
}

/** An offer as it came, checked: { id, name, size, sha256 }. */
export function readOffer(word) {
  const { id, name, size, sha256 } = word;
  const fits =
    typeof id === "string" && /^[0-9a-f]{32}$/.test(id) &&
    typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256) &&
    typeof name === "string" && name.length <= MAX_GIVEN_NAME &&
    Number.isSafeInteger(size) && size >= 0;
  if (!fits) throw new Refused("That is no offer.");
  if (size > MAX_SIZE) throw new Refused(`A file may have ${MAX_SIZE >> 20} MiB at most.`);
  return { id, name: fileName(name), size, sha256 };
}

export async function writeWord(writer, word) {
  const text = new TextEncoder().encode(JSON.stringify(word));
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length);
  bytes.set(text, 4);
  await writer.write(bytes);
}

/** Reads words, and then what follows as it comes. */
export class Reading {
  #reader;
  #left = new Uint8Array();

  constructor(readable) {
    this.#reader = readable.getReader();
  }

  /** Some bytes; null at the end. */
  async some() {
    if (this.#left.length > 0) {
      const left = this.#left;
      this.#left = new Uint8Array();
      return left;
    }
    const { done, value } = await this.#reader.read();
    return done ? null : value;
  }

  async #exactly(count) {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; ) {
      const some = await this.some();
      if (!some) throw new Error("The stream ended too early.");
      const taken = some.subarray(0, count - at);
      bytes.set(taken, at);
      at += taken.length;
      this.#left = some.subarray(taken.length);
    }
    return bytes;
  }

  /** An object. */
  async word() {
    const length = new DataView((await this.#exactly(4)).buffer).getUint32(0);
    if (length > MAX_WORD) throw new Refused("That is not this protocol.");
    let word;
    try {
      word = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await this.#exactly(length)));
    } catch (error) {
      throw error instanceof SyntaxError || error instanceof TypeError ? new Refused("That is not this protocol.") : error;
    }
    if (typeof word !== "object" || word === null) throw new Refused("That is not this protocol.");
    return word;
  }
}
