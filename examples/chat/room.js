// A room is a topic. Who is in it says so every few seconds; who comes in asks, and everybody tells again what they said
// themselves. So every line's author is proven by the node's signature, however late it comes: nobody speaks for another.
import { MAX_DATA, MAX_TOLD, read } from "./check.js";

/** Milliseconds between two signs of life. */
const BEAT = 5_000;
/** Silence after which somebody is gone: four signs were lost, or the tab took long to be loaded anew. */
const SILENT = 25_000;
/** Browsers let a hidden tab's timers run once a minute only. */
const SILENT_HIDDEN = 150_000;
/** People in the list, and documents of one node among them. */
const MAX_PRESENT = 100;
const MAX_DOCUMENTS = 8;
/** Lines kept of a room: they fit sessionStorage's 5 MB at their longest. */
const MAX_LINES = 200;
/** Messages taken of one node: so many at once, and a second after that. What is more is left out. */
const BURST = 40;
const RATE = 5;
/** Nodes whose rate is known; the one heard of longest ago is forgotten. */
const MAX_RATES = 500;
/** Signs of life with which a line is asked for that did not come; its author may be unable to tell it again. */
const ASK_TIMES = 3;
/** Milliseconds between two signs of life that others cause by what they lack or have. */
const ASK_EVERY = 1_000;
/** Whoever asks is told at once, then not again for so long, in milliseconds. */
const TELL_EVERY = 3_000;

export const topicOf = (room) => `mooring-chat/1/${room}`;

/** A new id of a document or a line. */
export const newId = () => [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * Events: `lines` and `people` when these changed, `dropped` with how many messages were lost, `came` and `left` with a person in
 * `detail`, `failed` with an error.
 */
export class Room extends EventTarget {
  /** Oldest first: { from, doc, id, name, text, at }. */
  lines = [];
  /** By node and document: { from, doc, name, heard, hidden, last, asked }. */
  people = new Map();
  /** Messages of others that were not for us: malformed, too large, too many. */
  ignored = 0;

  #node;
  #topic;
  #me;
  #rates = new Map();
  #over = new AbortController();
  #told = 0;
  #asked = 0;
  #telling;
  #beating;

  /** @param me { from, doc, name }: the node's peer id, this document's id, the nickname */
  constructor(node, room, me, lines = []) {
    super();
    this.#node = node;
    this.#topic = topicOf(room);
    this.#me = me;
    this.#add(lines);
  }

  /** Joins, and stays until `leave`. */
  async join() {
    const subscription = this.#node.pubsub.subscribe(this.#topic, { signal: this.#over.signal });
    await subscription.ready;
    void this.#listen(subscription);
    this.#beating = setInterval(() => this.#beat(), BEAT);
    await this.#beat(true);
    return this;
  }

  /** Says it to everybody; to how many nodes it went at once. */
  async say(text) {
    const line = { id: newId(), name: this.#me.name, text, at: Date.now() };
    const { recipients } = await this.#publish({ kind: "say", ...line });
    this.#add([{ ...line, from: this.#me.from, doc: this.#me.doc }]);
    return recipients;
  }

  /**
   * A sign of life now, with the last line of this document: whoever does not have that asks. Messages are lost when a path gives way to
   * a better one.
   */
  async #beat(asks = this.#lacks()) {
    this.#miss();
    const last = this.#own().at(-1)?.id;
    try {
      await this.#publish({ kind: "here", name: this.#me.name, hidden: document.hidden, asks, last });
    } catch (error) {
      this.#tell("failed", error);
    }
  }

  /** A sign of life between two others: the tab was hidden, or is seen again. */
  beat() {
    void this.#beat(false);
  }

  /** Says goodbye. A tab that is only closed does not: it may be loaded anew, and its silence tells. */
  async leave() {
    clearInterval(this.#beating);
    clearTimeout(this.#telling);
    try {
      await this.#publish({ kind: "gone" });
    } finally {
      this.#over.abort();
    }
  }

  #own() {
    return this.lines.filter(({ from, doc }) => from === this.#me.from && doc === this.#me.doc);
  }

  /** Whether there is something to ask for: somebody's last line, or everything while nobody was there to ask. */
  #lacks() {
    let lacks = this.people.size === 0;
    for (const person of this.people.values()) {
      const { from, last } = person;
      if (!last || person.asked >= ASK_TIMES || this.lines.some((line) => line.from === from && line.id === last)) continue;
      person.asked += 1;
      lacks = true;
    }
    return lacks;
  }

  #publish(message) {
    return this.#node.pubsub.publish(this.#topic, new TextEncoder().encode(JSON.stringify({ ...message, doc: this.#me.doc })));
  }

  async #listen(subscription) {
    let dropped = 0;
    try {
      for await (const { from, data } of subscription) {
        if (subscription.dropped > dropped) {
          this.#tell("dropped", subscription.dropped - dropped);
          dropped = subscription.dropped;
        }
        this.#receive(from, data);
      }
    } catch (error) {
      if (!this.#over.signal.aborted) this.#tell("failed", error);
    }
  }

  #receive(from, data) {
    const message = this.#mayTalk(from) ? read(data) : null;
    if (!message) {
      this.ignored += 1;
      this.#tell("ignored");
      return;
    }
    // This tab's own, from before it was loaded anew.
    const own = from === this.#me.from && message.doc === this.#me.doc;
    if (message.messages) {
      const lines = message.messages.map((line) => ({ ...line, from, doc: message.doc }));
      // Told again, it is as old as its author says; said now, it is of now, whatever their clock says.
      if (message.kind === "say") lines[0].at = Date.now();
      this.#add(lines);
    }
    if (own) return;
    if (message.kind === "gone") this.#gone(`${from}/${message.doc}`);
    if (message.kind === "here") {
      this.#here(from, message);
      if (message.asks) this.#tellAgain();
    }
  }

  /** A bucket of tokens for each node. */
  #mayTalk(from) {
    const now = performance.now();
    const rate = this.#rates.get(from) ?? { left: BURST, at: now };
    const left = Math.min(BURST, rate.left + ((now - rate.at) * RATE) / 1_000);
    this.#rates.delete(from);
    if (this.#rates.size >= MAX_RATES) this.#rates.delete(this.#rates.keys().next().value);
    // What is left out costs nothing: who goes on sending too much is heard at the rate.
    this.#rates.set(from, { left: left >= 1 ? left - 1 : left, at: now });
    return left >= 1;
  }

  #here(from, { doc, name, hidden, last }) {
    const key = `${from}/${doc}`;
    const known = this.people.get(key);
    if (!known) {
      const documents = [...this.people.values()].filter((person) => person.from === from).length;
      if (this.people.size >= MAX_PRESENT || documents >= MAX_DOCUMENTS) return;
    }
    const asked = known?.last === last ? known.asked : 0;
    const person = { from, doc, name, hidden, last, asked, heard: Date.now() };
    this.people.set(key, person);
    if (!known) {
      this.#tell("came", person);
      // So that they need not wait for the next one to see us.
      void this.#beat(false);
    }
    // At once: what is lacking should not wait for two signs of life.
    if (last && Date.now() - this.#asked > ASK_EVERY && this.#lacks()) {
      this.#asked = Date.now();
      void this.#beat(true);
    }
    if (known?.name !== name || known.hidden !== hidden) this.#tell("people");
  }

  #gone(key) {
    const person = this.people.get(key);
    if (!person) return;
    this.people.delete(key);
    this.#tell("left", person);
    this.#tell("people");
  }

  /** Whoever has been silent for too long has left without a word. */
  #miss() {
    for (const [key, { heard, hidden }] of this.people) {
      if (Date.now() - heard > (hidden ? SILENT_HIDDEN : SILENT)) this.#gone(key);
    }
  }

  /** Several who ask at about the same time are told once. */
  #tellAgain() {
    if (this.#telling) return;
    this.#telling = setTimeout(
      () => {
        this.#telling = undefined;
        this.#told = Date.now();
        const messages = this.#own()
          .slice(-MAX_TOLD)
          .map(({ id, name, text, at }) => ({ id, name, text, at }));
        const size = () => new TextEncoder().encode(JSON.stringify(messages)).length;
        // The rest of a message is smaller than this.
        while (size() > MAX_DATA - 256) messages.shift();
        if (messages.length > 0) this.#publish({ kind: "told", messages }).catch((error) => this.#tell("failed", error));
      },
      Math.max(0, this.#told + TELL_EVERY - Date.now()),
    );
  }

  #add(lines) {
    const known = new Set(this.lines.map(({ from, id }) => `${from}/${id}`));
    const fresh = lines.filter(({ from, id }) => {
      const key = `${from}/${id}`;
      return !known.has(key) && known.add(key);
    });
    if (fresh.length === 0) return;
    this.lines.push(...fresh);
    this.lines.sort((a, b) => a.at - b.at);
    while (this.lines.length > MAX_LINES) this.#forgetOne();
    this.#tell("lines");
  }

  /** The oldest line of whoever has most: one who floods pushes out nobody else's. */
  #forgetOne() {
    const counts = new Map();
    for (const { from } of this.lines) counts.set(from, (counts.get(from) ?? 0) + 1);
    const [most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
    this.lines.splice(this.lines.findIndex(({ from }) => from === most), 1);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
