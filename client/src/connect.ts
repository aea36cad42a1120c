import type { Hello, Status } from "./api.js";
import { isError, MooringError } from "./errors.js";
import { CONNECT_TIMEOUT, HELLO_INTERVAL } from "./limits.js";
import { MooringNode } from "./node.js";
import { Rpc } from "./rpc.js";

/** How to look for the extension. */
export interface ConnectOptions {
  /** Ends the search: it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds to look for it, 3,000 unless told. */
  timeout?: number | undefined;
}

/**
 * Finds the visitor's node. Asks the user nothing: `permissions.request` does.
 *
 * Fails with `NotInstalled` when nobody answers, with `NotAllowed` where no extension serves this document at all, and with
 * `NodeNotRunning` when the extension is there and its node cannot run.
 *
 * One in a document is enough: what another one subscribes to or handles is the same document's for the node.
 */
export async function connect({ signal, timeout = CONNECT_TIMEOUT }: ConnectOptions = {}): Promise<MooringNode> {
  signal?.throwIfAborted();
  const refused = notServed();
  if (refused) throw new MooringError("NotAllowed", "No extension serves this document", { detail: refused });
  // A page that was only guessed at meets silence until somebody looks at it, which may be never.
  await activated(signal);
  const rpc = new Rpc();
  try {
    const hello = await detect(rpc, timeout, signal);
    const { state, reason } = await rpc.call<Status>("node.status", {}, { signal });
    if (state === "failed") throw new MooringError("NodeNotRunning", "The node cannot run", { detail: reason });
    return new MooringNode(rpc, hello);
  } catch (error) {
    rpc.close();
    throw error;
  }
}

/** Why no extension would talk to this document, whatever its user allows. */
function notServed(): string | undefined {
  if (window !== window.top) return "it is a frame";
  const { protocol, hostname } = location;
  if (origin === "null") return "its origin is opaque";
  if (protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname))) return undefined;
  return "its origin is neither https: nor on this machine";
}

function activated(signal: AbortSignal | undefined): Promise<void> | undefined {
  if (!(document as { prerendering?: boolean }).prerendering) return undefined;
  return new Promise((resolve, reject) => {
    document.addEventListener("prerenderingchange", () => resolve(), { once: true });
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

/** Hears the announcement, or asks until there is an answer. */
function detect(rpc: Rpc, timeout: number, signal: AbortSignal | undefined): Promise<Hello> {
  return new Promise((resolve, reject) => {
    let problem = new MooringError("NotInstalled", "No extension answers");
    const over = (): void => {
      clearInterval(again);
      clearTimeout(limit);
      signal?.removeEventListener("abort", abort);
    };
    const found = (hello: Hello): void => {
      over();
      resolve(hello);
    };
    const fail = (error: Error): void => {
      over();
      reject(error);
    };
    const abort = (): void => fail(signal?.reason as Error);
    const ask = (): void => {
      rpc.call<Hello>("node.hello").then(found, (error: unknown) => {
        // It may be on its way up.
        if (isError(error, "NodeNotRunning")) problem = error;
      });
    };
    const again = setInterval(ask, HELLO_INTERVAL);
    const limit = setTimeout(() => fail(problem), timeout);
    signal?.addEventListener("abort", abort);
    rpc.listen("node.available", found);
    ask();
  });
}
