// Takes offers, and keeps what came of a file until it is whole. In memory, as parts of a Blob: nothing is left on the disk when the
// tab goes, a stream may break as often as it likes, and large Blobs are the browser's to put into temporary files.
import { Sha256 } from "./sha256.js";
import { MAX_SIZE, Reading, readOffer, Refused, writeWord } from "./wire.js";

/** Files that are offered, under way or not yet saved: in all, and of one peer. */
const MAX_OFFERS = 16;
const MAX_OFFERS_OF_PEER = 4;
/** Bytes of all files that were accepted and not removed. */
const MAX_KEPT = 2 * MAX_SIZE;
/** Milliseconds for an offer to come, and for its sender to be there again after a break. */
const OFFER_LIMIT = 15_000;
const RETURN_LIMIT = 15 * 60_000;
/** Files that were removed and are not to be offered again. */
const MAX_GONE = 256;
/** Bytes that become one part of the Blob: not thousands of them for a large file. */
const PART = 4 * 1024 * 1024;

export class Receiver {
  /** By peer and id: { peer, offer, phase, received, breaks, reason, blob }. */
  files = new Map();
  #changed;
  /** Keys of files that were removed: after a break their senders come again, and nobody is to be asked twice. */
  #gone = new Set();

  /** @param changed is called with a file that has changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Serves a stream that somebody opened. */
  async handle(stream) {
    const writer = stream.writable.getWriter();
    writer.closed.catch(() => undefined);
    const reading = new Reading(stream.readable);
    try {
      const late = setTimeout(() => stream.reset("no offer came"), OFFER_LIMIT);
      const offer = readOffer(await reading.word().finally(() => clearTimeout(late)));
      const file = this.#file(stream.peer, offer);
      await this.#serve(file, stream, writer, reading);
      await writer.close();
    } catch (error) {
      if (!(error instanceof Refused)) {
        stream.reset();
        return;
      }
      await writeWord(writer, { refused: error.message })
        .then(() => writer.close())
        .catch(() => undefined);
    }
    // What it still sends is not read.
    await stream.readable.cancel().catch(() => undefined);
  }

  accept(file) {
    if (file.phase !== "offered") return;
    const kept = [...this.files.values()].filter(({ phase }) => ["receiving", "broken", "done"].includes(phase));
    if (kept.reduce((sum, { offer }) => sum + offer.size, file.offer.size) > MAX_KEPT) {
      file.reason = "There is no room: save and remove other files first.";
      this.#changed(file);
      return;
    }
    file.decide(true);
  }

  /** Refuses it, breaks it off, or forgets it. */
  remove(file) {
    file.decide(false);
    clearTimeout(file.forgetting);
    this.files.delete(file.key);
    // If it is under way, the sender is told with the bytes that come next.
    file.phase = "removed";
    this.#gone.add(file.key);
    if (this.#gone.size > MAX_GONE) this.#gone.delete(this.#gone.values().next().value);
    this.#changed(file);
  }

  #file(peer, offer) {
    const key = `${peer}/${offer.id}`;
    if (this.#gone.has(key)) throw new Refused("The other side does not want it.");
    const known = this.files.get(key);
    if (known) {
      const same = known.offer.sha256 === offer.sha256 && known.offer.size === offer.size;
      if (!same || !["offered", "receiving", "broken"].includes(known.phase)) throw new Refused("That offer was made before.");
      return known;
    }
    const ofPeer = [...this.files.values()].filter((file) => file.peer === peer).length;
    if (this.files.size >= MAX_OFFERS || ofPeer >= MAX_OFFERS_OF_PEER) throw new Refused("Too many files wait here already.");
    const file = { key, peer, offer, phase: "offered", received: 0, breaks: 0, hash: new Sha256(), parts: [], part: [], partSize: 0 };
    file.decided = new Promise((resolve) => (file.decide = resolve));
    this.files.set(key, file);
    this.#changed(file);
    return file;
  }

  async #serve(file, stream, writer, reading) {
    // The sender knew of the break before we did.
    if (file.stream) {
      file.stream.reset("another attempt");
      if (file.phase === "receiving") file.breaks += 1;
    }
    file.stream = stream;
    clearTimeout(file.forgetting);
    const { size, sha256 } = file.offer;
    const mine = () => {
      if (file.phase === "removed") throw new Refused("The other side does not want it.");
      if (file.stream !== stream) throw new Error("There is another attempt.");
    };
    try {
      // Whoever made the offer may go before it is answered.
      const gone = stream.closed.then(() => {
        throw new Error("The offer's stream ended.");
      });
      gone.catch(() => undefined);
      const wanted = await Promise.race([file.decided, gone]);
      if (!wanted) throw new Refused("The other side does not want it.");
      mine();
      file.phase = "receiving";
      this.#changed(file);
      await writeWord(writer, { offset: file.received });
      while (file.received < size) {
        const bytes = await reading.some();
        mine();
        if (!bytes) throw new Refused("It ended before it was whole.");
        if (bytes.length > size - file.received) throw new Refused("More came than was offered.");
        this.#take(file, bytes);
      }
      // Before the hash is looked at: nobody may have gone on meanwhile.
      const more = await reading.some();
      mine();
      if (more) throw new Refused("More came than was offered.");
      if (file.hash.digest() !== sha256) throw new Refused("What came is not what was offered: the SHA-256 is another.");
      file.blob = new Blob([...file.parts, ...file.part], { type: "application/octet-stream" });
      file.parts = file.part = [];
      file.phase = "done";
      this.#changed(file);
      await writeWord(writer, { saved: true });
    } catch (error) {
      if (file.stream === stream) this.#broke(file, error);
      throw error;
    }
  }

  #take(file, bytes) {
    file.hash.update(bytes);
    file.part.push(bytes);
    file.partSize += bytes.length;
    file.received += bytes.length;
    if (file.partSize >= PART) {
      file.parts.push(new Blob(file.part));
      [file.part, file.partSize] = [[], 0];
    }
    this.#changed(file);
  }

  #broke(file, error) {
    if (["removed", "done"].includes(file.phase)) return;
    file.stream = undefined;
    if (error instanceof Refused) {
      [file.phase, file.reason, file.parts, file.part] = ["failed", error.message, [], []];
    } else {
      if (file.phase === "receiving") [file.phase, file.breaks] = ["broken", file.breaks + 1];
      file.forgetting = setTimeout(() => this.remove(file), RETURN_LIMIT);
    }
    this.#changed(file);
  }
}
