/** Every bound of the client, with its reason. Times are in milliseconds, sizes in bytes. */

/**
 * What a stream's remote may send before the page has read it, unless `openStream` or `handle` say otherwise. A path with
 * 100 ms and 80 Mbit/s keeps this much under way; a page that reads nothing holds no more than this.
 */
export const STREAM_WINDOW = 1024 * 1024;

/** Credit is returned in shares of the window: few messages, and the writer never waits while three quarters are free. */
export const CREDIT_SHARES = 4;

/** Requests of a client that may be unanswered at once: the extension's own bound for a document, at which it answers 5005. */
export const MAX_PENDING = 4096;

/** How much later than its time limit a request is given up that nobody answered: the extension itself answers within 250. */
export const ANSWER_GRACE = 2_000;

/** How long `connect` waits for an extension, unless told: it is there before the page, or it was just started. */
export const CONNECT_TIMEOUT = 3_000;

/** Between two questions whether anybody is there: one that was asked before the extension listened is lost. */
export const HELLO_INTERVAL = 250;

/** Messages and bytes that a subscription keeps for a page that is slow, unless told; beyond, the oldest goes. */
export const MAX_MESSAGES = 1_024;
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Between two tries to tell a node that is not running what the page wants of it: the first, and the most it grows to. */
export const RESTORE_MIN = 1_000;
export const RESTORE_MAX = 30_000;
