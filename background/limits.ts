/** Every bound of the background, with its reason. Times are in milliseconds. */

/** How often the alarm looks whether the host is there, in minutes: the shortest Chrome allows. */
export const ALARM_MINUTES = 0.5;

/** Prompt windows open at once, over all sites: beyond it a user no longer knows which is which. */
export const MAX_PROMPTS = 8;

/** A key of the extension's storage, and how long it may be. */
export const MAX_KEY_LENGTH = 256;

/** Host documents that go away at once after they were made are made again after this, doubled each time up to the most. */
export const REMAKE_MIN = 100;
export const REMAKE_MAX = 30_000;

/** A host document that lived so long was a good one: the next pause is the shortest again. */
export const REMAKE_FORGET = 60_000;

/** Size of the prompt window, in CSS pixels. */
export const PROMPT_SIZE = { width: 440, height: 620 };
