/** JSON-RPC in the page API's envelope: requests, their answers, their ends, and what the node says unasked. */
import { DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS, VERSION, type ErrorObject, type Method } from "./api.js";
import { fromAnswer, isError, MooringError } from "./errors.js";
import { ANSWER_GRACE, MAX_PENDING } from "./limits.js";

/** What every call may be told. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason, and the node stops working on it. */
  signal?: AbortSignal | undefined;
  /** Milliseconds until the call fails with `Timeout`, 1 to 300,000. 30,000 unless told; permission requests take the most. */
  timeout?: number | undefined;
}

interface Answer<T> {
  result: T;
  port: MessagePort | undefined;
}

interface Pending {
  answer: (message: Message, port: MessagePort | undefined) => void;
  fail: (error: Error) => void;
}

interface Envelope {
  mooring?: unknown;
  to?: unknown;
  message?: Message;
}

interface Message {
  id?: unknown;
  method?: unknown;
  params?: unknown;
  result?: unknown;
  error?: ErrorObject;
}

/** Hears a notification, and the port that came with it. */
export type Listener = (params: never, port: MessagePort | undefined) => void;

export class Rpc {
  readonly #pending = new Map<string, Pending>();
  readonly #listeners = new Map<string, Listener>();
  /** Other clients in this document have their own. */
  readonly #prefix = `${Math.random().toString(36).slice(2)}-`;
  #next = 0;
  #closed = false;
  /** Called when a request meets a node that is not running. */
  onNotRunning: () => void = () => {};

  constructor() {
    window.addEventListener("message", this.#receive);
  }

  /** Calls the listener with each notification of that name, instead of the one before. */
  listen(method: string, listener: Listener): void {
    this.#listeners.set(method, listener);
  }

  /** The result of a request. */
  async call<T>(method: Method, params: object = {}, options?: CallOptions): Promise<T> {
    return (await this.request<T>(method, params, options)).result;
  }

  /** The result of a request, with the port that came with it. Members of `params` that are undefined are left out. */
  request<T>(method: Method, params: object, { signal, timeout }: CallOptions = {}): Promise<Answer<T>> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw new MooringError("Aborted", "The client was closed");
      if (this.#pending.size >= MAX_PENDING) {
        throw new MooringError("LimitExceeded", "Too many requests are unanswered", { retryAfterMs: ANSWER_GRACE });
      }
      const id = this.#prefix + ++this.#next;
      const end = (): void => {
        this.#pending.delete(id);
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      const fail = (error: Error): void => {
        end();
        reject(error);
      };
      const cancel = (error: Error): void => {
        fail(error);
        this.#post({ method: "rpc.cancel", params: { id } });
      };
      const abort = (): void => cancel(signal?.reason as Error);
      const limit = timeout ?? (method === "permissions.request" ? MAX_TIMEOUT_MS : DEFAULT_TIMEOUT_MS);
      const timer = setTimeout(() => cancel(new MooringError("Timeout", "Nobody answered the request")), limit + ANSWER_GRACE);
      signal?.addEventListener("abort", abort);
      this.#pending.set(id, {
        fail,
        answer: ({ result, error }, port) => {
          if (error) {
            fail(fromAnswer(error));
            return;
          }
          end();
          resolve({ result: result as T, port });
        },
      });
      const entries = Object.entries({ ...params, timeoutMs: timeout }).filter(([, value]) => value !== undefined);
      try {
        this.#post({ id, method, params: Object.fromEntries(entries) });
      } catch (error) {
        // Something in it cannot be cloned.
        fail(error as Error);
      }
    });
  }

  /** Ends every request, and hears nothing any more. */
  close(): void {
    this.#closed = true;
    window.removeEventListener("message", this.#receive);
    this.#listeners.clear();
    for (const [id, { fail }] of this.#pending) {
      this.#post({ method: "rpc.cancel", params: { id } });
      fail(new MooringError("Aborted", "The client was closed"));
    }
  }

  #post(message: object): void {
    window.postMessage({ mooring: VERSION, to: "node", message: { jsonrpc: "2.0", ...message } }, location.origin);
  }

  readonly #receive = ({ source, data, ports: [port] }: MessageEvent<Envelope | null>): void => {
    if (source !== window || data?.mooring !== VERSION || data.to !== "page") return;
    const { message } = data;
    if (typeof message?.method === "string") {
      this.#listeners.get(message.method)?.(message.params as never, port);
      return;
    }
    const id = message?.id;
    if (typeof id !== "string" || !id.startsWith(this.#prefix)) return;
    const pending = this.#pending.get(id);
    if (pending) {
      pending.answer(message!, port);
      if (message?.error && isError(fromAnswer(message.error), "NodeNotRunning")) this.onNotRunning();
    } else if (port) {
      // The request was given up while the stream was on its way.
      refuse(port);
    }
  };
}

/** Ends a stream that nobody takes. */
export function refuse(port: MessagePort): void {
  port.postMessage({ type: "reset", reason: "nobody takes this stream" });
  port.close();
}
