/** Every bound of the popup's page and of its link to the node; times in milliseconds. */

/** Between two attempts to reach the node: the first at once, then ever more slowly, so that a broken host costs nothing. */
export const RETRY_MIN = 50;
export const RETRY_MAX = 1_000;

/** A background that has not answered by then is not waited for: the next attempt asks it again. */
export const ENSURE_TIME = 1_500;

/** CSS pixels. A popup lower than this is one that still grows, not one that the screen has no room for. */
export const LOWEST_POPUP = 240;
