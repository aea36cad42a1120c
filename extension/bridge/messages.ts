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

/** The shared worker that hands MessagePorts on, and what the host tells it to be known as such. */
export const WORKER = "bridge-worker.js";
export const I_AM_THE_HOST = "host";

/** How long a MessagePort may be on its way, in milliseconds; a document that gets none goes on as it is. */
export const BRIDGE_WAIT = 10_000;
