/**
 * Stands in for a node that crashed too often, which is the safe mode: says so to pages and popup instead of leaving them to
 * guess, and starts the node again when the user says so.
 */
import type { FromPopup } from "../generated/FromPopup";
import type { Snapshot } from "../generated/Snapshot";
import type { StateChanged } from "../generated/StateChanged";
import { isServed } from "./gate";
import type { Platform } from "./platform";
import type { Sender } from "./sender";

const STATE_CHANGED = "node.stateChanged";

export interface Handle {
  receive(message: unknown): void;
  closed(): void;
  free(): void;
}

export class FailedHost {
  readonly #platform: Platform;
  readonly #reason: string;
  readonly #announced: boolean;
  readonly #startAgain: () => void;

  /** `announced`: whether pages may know that there is a node. Who holds a permission is not known here. */
  constructor(platform: Platform, reason: string, announced: boolean, startAgain: () => void) {
    this.#platform = platform;
    this.#reason = reason;
    this.#announced = announced;
    this.#startAgain = startAgain;
    platform.setBadge("failed", 0);
  }

  connect(sender: Sender, post: (message: unknown) => void, close: () => void): Handle {
    if (sender.name === "page" && !sender.extension) return this.#announced && isServed(sender) ? this.#page(post) : silence(post);
    if (sender.name === "popup" && sender.extension) return this.#popup(post);
    close();
    return deaf();
  }

  #page(post: (message: unknown) => void): Handle {
    const hello = { version: 1, product: this.#platform.product, productVersion: this.#platform.version };
    post({ t: "ready", available: hello });
    const receive = (message: unknown): void => {
      if (listens(message)) {
        const params = { state: "failed", reason: this.#reason } satisfies StateChanged;
        post({ t: "rpc", m: { jsonrpc: "2.0", method: STATE_CHANGED, params } });
      }
      const request = (message as { m?: { id?: unknown; method?: unknown } | null } | null)?.m;
      if (request?.id === undefined) return;
      post({ t: "rpc", m: { jsonrpc: "2.0", id: request.id, ...this.#answer(request.method, hello) } });
    };
    return { ...deaf(), receive };
  }

  #answer(method: unknown, hello: object): object {
    if (method === "node.hello") return { result: hello };
    if (method === "node.status") {
      return { result: { state: "failed", reason: this.#reason, transports: [], services: [], limits: {} } };
    }
    return {
      error: {
        code: 4900,
        message: "The node is not running",
        data: { name: "NodeNotRunning", detail: this.#reason },
      },
    };
  }

  #popup(post: (message: unknown) => void): Handle {
    const snapshot: Snapshot = {
      productVersion: this.#platform.version,
      state: "failed",
      reason: this.#reason,
      safeMode: true,
      paused: false,
      announcedEverywhere: this.#announced,
      iceServers: [],
      identity: { state: "loading" },
      addresses: [],
      relays: [],
      connections: [],
      peers: 0,
      sites: [],
    };
    post({ t: "snapshot", ...snapshot });
    const receive = (message: unknown): void => {
      const { id, command } = (message ?? {}) as Partial<FromPopup>;
      if (command === "startAgain") {
        post({ t: "done", id });
        this.#startAgain();
        return;
      }
      post({ t: "done", id, error: (this.#answer("", {}) as { error: object }).error });
    };
    return { ...deaf(), receive };
  }
}

/** Whether a page was told of the node's state by the one before. */
function listens(message: unknown): boolean {
  const { t, events } = (message ?? {}) as { t?: unknown; events?: unknown };
  return t === "events" && Array.isArray(events) && events.includes(STATE_CHANGED);
}

function deaf(): Handle {
  return { receive: () => undefined, closed: () => undefined, free: () => undefined };
}

/** What the node says to a document that it does not serve. */
function silence(post: (message: unknown) => void): Handle {
  post({ t: "ready", available: null });
  return deaf();
}
