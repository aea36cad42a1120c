/** Every bound of the host page, with its reason. Times are in milliseconds. */

/** Ports of pages at once, over all tabs: more documents than anybody has open, and far less than would hurt. */
export const MAX_PORTS = 4096;

/** Of them, those of one origin. The node serves 256 of its documents; the next ones are told that they meet silence. */
export const MAX_PORTS_PER_ORIGIN = 512;

/**
 * Of them, those of one tab, which shows one document; a few more are on their way out. A renderer that was broken into
 * can speak for every origin of its site, but not for another tab.
 */
export const MAX_PORTS_PER_TAB = 16;

/** Messages kept for one port until there is a host: popup and prompt say a few words, a content script waits to be spoken to. */
export const MAX_EARLY = 16;

/** Crashes within this time of each other count as one series. */
export const CRASH_WINDOW = 60_000;

/** So many crashes in a series, and the node is in safe mode: what crashed it is likely still there. */
export const MAX_CRASHES = 5;

/** Pause before a new node after the second crash of a series, doubled with each further one; after the first there is none. */
export const RESTART_MIN = 250;

/** How long the safe mode lasts, unless the user ends it: then the node is tried once more. */
export const SAFE_MODE = 5 * 60_000;

/** How long the extension's storage may take to say whether there is a safe mode. */
export const STORE_PATIENCE = 2_000;

/** Most characters of a crash's reason that are kept. */
export const MAX_REASON = 500;

/** Requests to the service worker are tried so often: one that is just being stopped refuses them. */
export const BROKER_TRIES = 4;
export const BROKER_PAUSE = 50;
