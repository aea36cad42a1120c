/** The bounded table of the document's unanswered requests: each is answered exactly once, whatever the node does. */
import { aborted, invalidRequest, limitExceeded, nodeNotRunning, timedOut, type RpcError } from "./errors";
import type { Id, Request } from "./envelope";
import { MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES, NODE_WAIT, RETRY_AFTER, TIMEOUT_GRACE } from "./limits";

interface Entry {
  request: Request;
  /** When it came. */
  since: number;
  /** Handed to the node; else it waits for one. */
  sent: boolean;
  cancelled: boolean;
  timer: ReturnType<typeof setTimeout>;
}

export interface Out {
  /** Answers the page. */
  fail(id: Id, error: RpcError): void;
  /** Hands a message to the node; false when there is none. */
  send(message: object): boolean;
}

export class Requests {
  // Keys carry the type: the ids 1 and "1" are two requests. A Map keeps the order in which they came.
  readonly #entries = new Map<string, Entry>();
  readonly #out: Out;
  readonly #now: () => number;
  #bytes = 0;

  /** `now` in milliseconds, by a clock that nobody sets. */
  constructor(out: Out, now = () => performance.now()) {
    this.#out = out;
    this.#now = now;
  }

  get waiting(): boolean {
    for (const entry of this.#entries.values()) if (!entry.sent) return true;
    return false;
  }

  add(request: Request): void {
    const key = keyOf(request.id);
    if (this.#entries.has(key)) {
      this.#out.fail(request.id, invalidRequest("a request with this `id` is still unanswered"));
      return;
    }
    if (this.#entries.size >= MAX_IN_FLIGHT) {
      this.#out.fail(request.id, limitExceeded(`${MAX_IN_FLIGHT} requests are unanswered`, RETRY_AFTER));
      return;
    }
    if (this.#bytes + request.bytes > MAX_IN_FLIGHT_BYTES) {
      this.#out.fail(request.id, limitExceeded(`unanswered requests hold ${MAX_IN_FLIGHT_BYTES} bytes`, RETRY_AFTER));
      return;
    }
    const sent = this.#out.send(request.message);
    const entry: Entry = { request, since: this.#now(), sent, cancelled: false, timer: this.#limit(key, request, sent, 0) };
    this.#entries.set(key, entry);
    this.#bytes += request.bytes;
  }

  #limit(key: string, request: Request, sent: boolean, waited: number): ReturnType<typeof setTimeout> {
    if (sent) return setTimeout(() => this.#late(key), Math.max(request.timeout - waited, 0) + TIMEOUT_GRACE);
    if (request.timeout > NODE_WAIT) {
      return setTimeout(() => this.#fail(key, nodeNotRunning("no node answered")), NODE_WAIT);
    }
    return setTimeout(() => this.#fail(key, timedOut("no node answered")), request.timeout);
  }

  /** The node has had its time: it knows nothing of what the request waited before, and is told to give up. */
  #late(key: string): void {
    const request = this.#remove(key);
    if (!request) return;
    this.#out.send({ jsonrpc: "2.0", method: "rpc.cancel", params: { id: request.id } });
    this.#out.fail(request.id, timedOut("the node did not answer"));
  }

  /** The node is there: what waited goes, in the order in which it came. */
  flush(): void {
    for (const [key, entry] of this.#entries) {
      if (entry.sent) continue;
      if (!this.#out.send(entry.request.message)) return;
      entry.sent = true;
      clearTimeout(entry.timer);
      // Its time limit began when the page asked.
      entry.timer = this.#limit(key, entry.request, true, this.#now() - entry.since);
    }
  }

  /** `rpc.cancel`: one that waits ends here; one that the node has, the node ends. */
  cancel(id: Id, message: object): void {
    const key = keyOf(id);
    const entry = this.#entries.get(key);
    if (!entry || entry.cancelled) return;
    if (!entry.sent) {
      this.#fail(key, aborted());
      return;
    }
    entry.cancelled = true;
    this.#out.send(message);
  }

  /** An answer of the node: true when somebody still waits for it. */
  settle(id: unknown): boolean {
    if (typeof id !== "string" && typeof id !== "number") return false;
    return this.#remove(keyOf(id)) !== undefined;
  }

  /** The node went: what it had is lost, what it never got waits on for the next one. */
  nodeGone(): void {
    for (const [key, entry] of this.#entries) {
      if (entry.sent) this.#fail(key, nodeNotRunning("the node stopped while it worked on this"));
    }
  }

  /** Nobody will answer any more. */
  failAll(detail: string): void {
    for (const key of this.#entries.keys()) this.#fail(key, nodeNotRunning(detail));
  }

  /** The document is to meet silence: nothing is answered. */
  forgetAll(): void {
    for (const key of this.#entries.keys()) this.#remove(key);
  }

  #fail(key: string, error: RpcError): void {
    const request = this.#remove(key);
    if (request) this.#out.fail(request.id, error);
  }

  #remove(key: string): Request | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    clearTimeout(entry.timer);
    this.#entries.delete(key);
    this.#bytes -= entry.request.bytes;
    return entry.request;
  }
}

function keyOf(id: Id): string {
  return typeof id === "number" ? `n${id}` : `s${id}`;
}
