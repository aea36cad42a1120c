/**
 * The recent crashes of the node, kept in `sessionStorage`: a crashed node is replaced by loading the whole document
 * anew, which is what surely ends its peer connections, timers and closures too.
 */
import { CRASH_WINDOW, MAX_CRASHES, RESTART_MIN } from "./limits";

const KEY = "mooring.crashes";

interface Crash {
  at: number;
  reason: string;
}

/** Notes a crash; how long to wait before the document is loaded anew. */
export function noteCrash(reason: string, now: number): number {
  const series = recent(now);
  series.push({ at: now, reason });
  sessionStorage.setItem(KEY, JSON.stringify(series.slice(-MAX_CRASHES)));
  return series.length <= 1 ? 0 : RESTART_MIN * 2 ** (series.length - 2);
}

/** Why the node is not to be started any more, if it crashed too often. */
export function failedBecause(now: number): string | undefined {
  const series = recent(now);
  return series.length < MAX_CRASHES ? undefined : (series.at(-1)?.reason ?? "unknown");
}

/** The pause is over: the next try begins a new series. */
export function forgetCrashes(): void {
  sessionStorage.removeItem(KEY);
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
    return Array.isArray(stored) ? (stored as Crash[]) : [];
  } catch {
    return [];
  }
}
