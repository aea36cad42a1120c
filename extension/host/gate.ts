/** Which documents are served where the node itself cannot say: what `crates/host/src/session/gate.rs` says, word for word. */
import type { Sender } from "./sender";

/** Longest origin that is served: a domain name has at most 253 characters. */
const MAX_ORIGIN = 300;

export function isServed({ origin, frameId, lifecycle, extension }: Sender): boolean {
  // Firefox, which does not prerender, says nothing about the lifecycle.
  return frameId === 0 && (lifecycle ?? "active") === "active" && !extension && origin !== undefined && isServedOrigin(origin);
}

function isServedOrigin(origin: string): boolean {
  if (origin.length > MAX_ORIGIN) return false;
  if (/^https:\/\/[A-Za-z0-9\-._:[\]]+$/.test(origin)) return true;
  const local = /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?$/.exec(origin);
  return local !== null && Number(local[1] ?? 0) <= 65_535;
}
