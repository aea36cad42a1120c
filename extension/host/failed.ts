/** Stands in for a node that crashed too often: says so to pages and popup instead of leaving them to guess. */
import { isServed } from "./gate";
import type { Platform } from "./platform";
import type { Sender } from "./sender";

export interface Handle {
  receive(message: unknown): void;
  closed(): void;
  free(): void;
}

export class FailedHost {
  readonly #platform: Platform;
  readonly #reason: string;
  readonly #announced: boolean;

  /** `announced`: whether pages may know that there is a node. Who holds a permission is not known here. */
  constructor(platform: Platform, reason: string, announced: boolean) {
    this.#platform = platform;
    this.#reason = reason;
    this.#announced = announced;
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
    post({
      t: "snapshot",
      productVersion: this.#platform.version,
      state: "failed",
      reason: this.#reason,
      paused: false,
      announcedEverywhere: this.#announced,
      identity: { state: "loading" },
      addresses: [],
      connections: [],
      peers: 0,
      sites: [],
    });
    const receive = (message: unknown): void => {
      const id = (message as { id?: unknown } | null)?.id;
      post({ t: "done", id, error: (this.#answer("", {}) as { error: object }).error });
    };
    return { ...deaf(), receive };
  }
}

function deaf(): Handle {
  return { receive: () => undefined, closed: () => undefined, free: () => undefined };
}

/** What the node says to a document that it does not serve. */
function silence(post: (message: unknown) => void): Handle {
  post({ t: "ready", available: null });
  return deaf();
}
