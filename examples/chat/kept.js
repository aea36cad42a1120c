// What a tab keeps when it is loaded anew, in its sessionStorage: gone with the tab, and nothing for the next user of the machine.
import { line, MAX_NAME, MAX_ROOM, text } from "./check.js";
import { newId } from "./room.js";

/** Milliseconds that the former document of this tab may take to let go of its id. */
const LET_GO = 1_000;

function parsed(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

function keep(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Full, or switched off: then it does not survive.
  }
}

/** { name, room } of the room that this tab is in; null if it is in none. */
export function place() {
  const kept = parsed("place");
  const name = line(kept?.name, MAX_NAME);
  const room = line(kept?.room, MAX_ROOM);
  return name && room ? { name, room } : null;
}

export const keepPlace = (place) => keep("place", place);

/** The lines of a room, checked: any script of the origin can have written there. */
export function lines(room) {
  const kept = parsed(`lines ${room}`);
  if (!Array.isArray(kept)) return [];
  return kept.filter(
    (each) =>
      [each?.from, each?.doc, each?.id].every((value) => typeof value === "string" && value.length <= 128) &&
      line(each.name, MAX_NAME) && text(each.text) && Number.isFinite(each.at),
  );
}

export const keepLines = (room, lines) => keep(`lines ${room}`, lines);

/** This tab's id. A duplicated tab has its original's storage: the lock tells which of them it belongs to. */
export async function documentId() {
  const kept = parsed("document");
  const id = typeof kept === "string" && /^[0-9a-f]{16}$/.test(kept) && (await hold(kept)) ? kept : newId();
  if (id !== kept) await hold(id);
  keep("document", id);
  return id;
}

/** Takes the id for as long as this document lives; false if another has it. */
function hold(id) {
  return new Promise((resolve) => {
    const forever = () => {
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks.request(`chat ${id}`, { signal: AbortSignal.timeout(LET_GO) }, forever).catch(() => resolve(false));
  });
}
