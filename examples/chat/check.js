// What may come from others. Everything that a peer says passes here before anything else sees it.

/** In characters. A name fits its line; a text fits a screen. */
export const MAX_NAME = 32;
export const MAX_ROOM = 64;
export const MAX_TEXT = 2_000;
/** Bytes of a message: what 50 texts of one author need at most is more, and is sent in part. */
export const MAX_DATA = 48 * 1024;
/** Of an author's own messages, told again to those who come later. */
export const MAX_TOLD = 50;

const HEX = /^[0-9a-f]{8,32}$/;
const ID = { test: (value) => typeof value === "string" && HEX.test(value) };
// Control characters, and those that turn the direction of what follows: a name with them could look like another.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text of one line, without what cannot be seen; null if nothing is left or it is too long. */
export function line(value, most) {
  if (typeof value !== "string" || value.length > most) return null;
  return value.replace(UNSEEN, "").trim() || null;
}

/** A text that may have several lines; joiners stay, emoji are made with them. */
export function text(value) {
  if (typeof value !== "string" || value.length > MAX_TEXT) return null;
  return value.replace(/[\u202a-\u202e\u2066-\u2069]|(?!\n)\p{Cc}/gu, "").trim() || null;
}

function said(value) {
  const name = line(value?.name, MAX_NAME);
  const clean = text(value?.text);
  if (!name || !clean || !ID.test(value.id) || !Number.isFinite(value.at)) return null;
  // From the future it would stay below all others.
  return { id: value.id, name, text: clean, at: Math.min(value.at, Date.now()) };
}

/** A message as this program knows it, or null: too large, of another shape, of another version. */
export function read(data) {
  if (data.length > MAX_DATA) return null;
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !ID.test(value.doc)) return null;
  const { kind, doc } = value;
  switch (kind) {
    case "here": {
      const name = line(value.name, MAX_NAME);
      const last = ID.test(value.last) ? value.last : null;
      return name && { kind, doc, name, last, hidden: value.hidden === true, asks: value.asks === true };
    }
    case "gone":
      return { kind, doc };
    case "say": {
      const message = said(value);
      return message && { kind, doc, messages: [message] };
    }
    case "told": {
      if (!Array.isArray(value.messages) || value.messages.length > MAX_TOLD) return null;
      const messages = value.messages.map(said);
      return messages.every(Boolean) ? { kind, doc, messages } : null;
    }
    default:
      return null;
  }
}
