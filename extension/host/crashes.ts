/**
 * The recent crashes of the node, kept in `sessionStorage`: a crashed node is replaced by loading the whole document
 * anew, which is what surely ends its peer connections, timers and closures too. Too many of them are a safe mode, which
 * the extension's storage keeps: neither a new document nor a restart of the browser ends it.
 */
import { CRASH_WINDOW, MAX_CRASHES, MAX_REASON, RESTART_MIN, SAFE_MODE, STORE_PATIENCE } from "./limits";
import type { Store } from "./platform";

const KEY = "mooring.crashes";

/** In the extension's storage. */
const SAFE_KEY = "safe-mode";

interface Crash {
  at: number;
  reason: string;
}

export interface SafeMode {
  /** In words for pages and popup. */
  reason: string;
  /** How long it still lasts. */
  left: number;
}

/** Notes a crash, for the document that comes after. */
export function noteCrash(reason: string, now: number): void {
  const series = recent(now);
  series.push({ at: now, reason: reason.slice(0, MAX_REASON) });
  sessionStorage.setItem(KEY, JSON.stringify(series.slice(-MAX_CRASHES)));
}

/** How long to wait before the node is started: not at all after one crash, and ever longer in a series. */
export function restartPause(now: number): number {
  const series = recent(now);
  const last = series.at(-1);
  if (!last || series.length <= 1) return 0;
  const pause = RESTART_MIN * 2 ** (series.length - 2);
  return Math.max(0, pause - Math.max(0, now - last.at));
}

/** Whether the node is not to be started: it crashed too often, in this document or in one before. */
export async function safeMode(storage: Store, now: number): Promise<SafeMode | undefined> {
  const series = recent(now);
  const last = series.at(-1);
  if (last && series.length >= MAX_CRASHES) {
    const stored = storage.set(SAFE_KEY, JSON.stringify(last));
    // Where it cannot be stored it holds as long as this document.
    await soon(stored, undefined);
    return { reason: inWords(last), left: left(last, now) };
  }
  const stored = read(await soon(storage.get(SAFE_KEY), undefined));
  if (!stored) return undefined;
  const remaining = left(stored, now);
  if (remaining > 0) return { reason: inWords(stored), left: remaining };
  await soon(storage.remove(SAFE_KEY), undefined);
  return undefined;
}

/** The user starts it again, or the calm time is over: the next try begins a new series. */
export async function endSafeMode(storage: Store): Promise<void> {
  sessionStorage.removeItem(KEY);
  await soon(storage.remove(SAFE_KEY), undefined);
}

function inWords({ reason }: Crash): string {
  return `it crashed ${MAX_CRASHES} times in a row; the last time: ${reason}`;
}

/** A clock that was set back makes it no longer than it is. */
function left({ at }: Crash, now: number): number {
  return SAFE_MODE - Math.max(0, now - at);
}

/** What is stored may be anything; what is no crash of ours is none. */
function read(stored: unknown): Crash | undefined {
  if (typeof stored !== "string") return undefined;
  try {
    return isCrash(JSON.parse(stored));
  } catch {
    return undefined;
  }
}

function isCrash(value: unknown): Crash | undefined {
  const { at, reason } = (value ?? {}) as Partial<Record<keyof Crash, unknown>>;
  return typeof at === "number" && Number.isFinite(at) && typeof reason === "string" ? { at, reason: reason.slice(0, MAX_REASON) } : undefined;
}

/** What storage says, if it says so soon: a node is not kept from starting by a storage that does not answer. */
async function soon<T>(asked: Promise<T>, otherwise: T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<T>((done) => (timer = setTimeout(() => done(otherwise), STORE_PATIENCE)));
  try {
    return await Promise.race([asked, patience]);
  } catch (error) {
    console.warn("mooring: whether the node is in safe mode could not be read or stored:", error);
    return otherwise;
  } finally {
    clearTimeout(timer);
  }
}

/** The series that goes on: crashes each within the window of the next, up to now. */
function recent(now: number): Crash[] {
  const series: Crash[] = [];
  let next = now;
  for (const crash of load().reverse()) {
    if (next - crash.at > CRASH_WINDOW) break;
    next = crash.at;
    series.unshift(crash);
  }
  return series;
}

function load(): Crash[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(stored) ? stored.flatMap((each) => isCrash(each) ?? []) : [];
  } catch {
    return [];
  }
}
