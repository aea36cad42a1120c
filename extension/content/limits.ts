/** Every bound of the content script, with its reason. Times are in milliseconds, sizes in bytes. */

/** One message from the page; the page API's own number, so that a larger one never reaches the node. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/**
 * Values in one message, objects and lists among them. The node takes 65,536, the few around the message included, and
 * drops what it cannot read to the end: a page is to hear of it instead.
 */
export const MAX_MESSAGE_VALUES = 65_000;

/** How deep a message may nest; the page API's own number. Also what ends a walk over a cycle. */
export const MAX_DEPTH = 32;

/** Longest `id` that is echoed; the page API's own number. */
export const MAX_ID_LENGTH = 128;

/**
 * Requests of one document that may be unanswered at once. The contract promises 64 at once and 2,000 cheap ones a
 * second; twice the latter leaves room for a whole second's worth in one burst. The node has its own limits per origin.
 */
export const MAX_IN_FLIGHT = 4096;

/** Bytes of unanswered requests of one document: the promised 64 requests, each as large as a message may be. */
export const MAX_IN_FLIGHT_BYTES = 64 * MAX_MESSAGE_BYTES;

/** When a page that met a full table should try again. */
export const RETRY_AFTER = 250;

/** How long a request waits for a node that is not there before it is answered with 4900. */
export const NODE_WAIT = 2_000;

/** A request's time limit where it names none, where it is `permissions.request`, and at most. */
export const DEFAULT_TIMEOUT = 30_000;
export const MAX_TIMEOUT = 300_000;

/** The node answers at the time limit itself; this is how much later we answer for a node that does not. */
export const TIMEOUT_GRACE = 250;

/** Streams of one document that may be open at once; the contract promises an origin 1,000. */
export const MAX_STREAMS = 2048;

/** One data message on a stream's port; the page API's own number. */
export const MAX_DATA_BYTES = 256 * 1024;

/** Longest `reason` a page may give with a reset. */
export const MAX_REASON_LENGTH = 256;

/** Between two tries to reach the node host: the first, and the most it grows to while nobody asks for anything. */
export const RECONNECT_MIN = 50;
export const RECONNECT_MAX = 5_000;

/** How long the background may take to make the host document before we try to connect anyway (a dead extension never answers). */
export const ENSURE_WAIT = 1_500;

/** A port that was opened but on which the host says nothing for so long is given up, and opened anew. */
export const READY_WAIT = 15_000;

/** A node that stopped is being started anew; after so long without one a page that listens hears that it failed. */
export const NODE_MISSING = 10_000;
