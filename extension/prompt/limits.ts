/** Every bound of the prompt, with its reason. Times are in milliseconds. */

/** A window that comes to the front under a click must not be answered by it: nothing can be pressed before this. */
export const ARM_DELAY = 500;

/** After an answer the host closes the window; if it does not, the window closes itself. */
export const CLOSE_DELAY = 1_000;

/** Height of the window, in CSS pixels: as its content needs, within reason; the rest scrolls. */
export const MIN_HEIGHT = 420;
export const MAX_HEIGHT = 760;
