/** Every bound of the popup's link to the node, in milliseconds. */

/** Between two attempts to reach the node: the first at once, then ever more slowly, so that a broken host costs nothing. */
export const RETRY_MIN = 50;
export const RETRY_MAX = 1_000;

/** A background that has not answered by then is not waited for: the next attempt asks it again. */
export const ENSURE_TIME = 1_500;
