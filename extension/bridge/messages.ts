/**
 * How a document moves from its runtime Port to a MessagePort of its own, which is several times as fast. On the Port:
 * `bridge` from the content script, which has much to carry; `bridge` with a token from the host; then, while the other
 * end of a channel travels through the extension's frame and worker with that token, nothing changes. Whoever holds the
 * MessagePort says `moved` last of all on the Port: all that follows comes through the MessagePort, so order is kept.
 */
export const ASK = { t: "bridge" } as const;
export const MOVED = { t: "moved" } as const;

export interface Offer {
  t: "bridge";
  /** Known to the host and, by its Port, to one content script; good for one MessagePort. */
  token: string;
}

/** From the host: it has taken so many more messages of the document. */
export interface Took {
  t: "took";
  count: number;
}

/**
 * Messages of one document that may be on their way to the host; others wait in the document. All documents share the host's one
 * thread and queue: without this a tab that posts hundreds at once is hundreds ahead of every other.
 */
export const WINDOW = 64;

/** So many are taken before the host says so: one word for each would cost as much as the messages. */
export const TOOK_STEP = 16;

/** The shared worker that hands MessagePorts on, and what the host tells it to be known as such. */
export const WORKER = "bridge-worker.js";
export const I_AM_THE_HOST = "host";

/** How long a MessagePort may be on its way, in milliseconds; a document that gets none goes on as it is. */
export const BRIDGE_WAIT = 10_000;
