/**
 * The content script: the page's way to the node. A relay that reads envelope, id and method and nothing else; who the
 * page is, the browser tells the host by the port's sender.
 */
import { parse, type Id } from "./envelope";
import type { RpcError } from "./errors";
import type { NodeState } from "../generated/NodeState";
import type { StateChanged } from "../generated/StateChanged";
import { MAX_IN_FLIGHT, NODE_MISSING } from "./limits";
import { Link, type Available, type HostMessage } from "./link";
import { Requests } from "./requests";
import { Streams } from "./streams";

/** A newer copy of this script tells an older one, whose extension was reloaded, to leave. Forging it only silences oneself. */
const TAKEOVER = `mooring-takeover-${chrome.runtime.id}`;

const STATE_CHANGED = "node.stateChanged";

class Relay {
  readonly #link = new Link({
    ready: (available) => this.#ready(available),
    message: (message) => this.#fromHost(message),
    lost: () => this.#lost(),
    orphaned: () => this.#orphaned(),
  });
  readonly #requests = new Requests({
    fail: (id, error) => this.#answer(id, error),
    send: (m) => this.#link.send({ t: "rpc", m }),
  });
  readonly #streams = new Streams((stream, m) => void this.#link.send({ t: "port", stream, m }));
  #announced = false;
  /** What to announce, as the host said last. */
  #available: Available | null = null;
  /** The page's scripts, also deferred ones and modules, have run. */
  #heard = false;
  /** This document is to meet silence. */
  #silent = false;
  /** It may be spoken to: until that is known, what was to be said is held back. */
  #known = false;
  readonly #held: [Id | null, RpcError][] = [];
  /** The host has said whether: from then on it is nobody else's word. */
  #told = false;
  #gone = false;
  /** What the page is subscribed to, as the host said last: the next host does not know. */
  #events: string[] = [];
  /** Runs while there is no node. */
  #missing: ReturnType<typeof setTimeout> | undefined;

  readonly #onMessage = (event: MessageEvent): void => {
    // Not trusted: made by the page with a `source` of its choice, and then `data` is a live object of the page.
    if (!event.isTrusted || event.source !== window || this.#silent) return;
    const parsed = parse(event.data);
    switch (parsed.kind) {
      case "nothing":
        return;
      case "error":
        this.#answer(parsed.id, parsed.error);
        return;
      case "cancel":
        this.#requests.cancel(parsed.id, parsed.message);
        return;
      case "request":
        this.#requests.add(parsed);
        if (this.#gone) this.#requests.failAll("the extension was stopped");
        else if (this.#requests.waiting) this.#link.hurry();
    }
  };

  readonly #onPageHide = (event: PageTransitionEvent): void => {
    // Whether the document comes back or not, what it had open ends with its being shown.
    this.#requests.failAll("the page was left");
    this.#streams.resetAll("the page was left");
    this.#events = [];
    clearTimeout(this.#missing);
    this.#link.stop();
    if (!event.persisted) this.#stop();
  };

  readonly #onPageShow = (event: PageTransitionEvent): void => {
    if (!event.persisted || this.#gone) return;
    this.#announced = false;
    this.#link.start();
  };

  readonly #onLoaded = (): void => {
    this.#heard = true;
    this.#announce();
  };

  readonly #stop = (): void => {
    this.#gone = true;
    this.#silent = true;
    this.#observer.disconnect();
    window.removeEventListener("message", this.#onMessage);
    window.removeEventListener("pagehide", this.#onPageHide);
    window.removeEventListener("pageshow", this.#onPageShow);
    window.removeEventListener(TAKEOVER, this.#stop);
    window.removeEventListener("DOMContentLoaded", this.#onLoaded);
    window.removeEventListener("load", this.#onLoaded);
    this.#requests.forgetAll();
    clearTimeout(this.#missing);
    this.#link.stop();
  };

  // `document.open()` takes every listener off the window, also ours, and replaces the root element.
  readonly #observer = new MutationObserver(() => this.#listen());

  start(): void {
    window.dispatchEvent(new Event(TAKEOVER));
    this.#listen();
    this.#observer.observe(document, { childList: true });
    this.#link.start();
  }

  /** Adding a listener that is there already changes nothing. */
  #listen(): void {
    window.addEventListener("message", this.#onMessage);
    window.addEventListener("pagehide", this.#onPageHide);
    window.addEventListener("pageshow", this.#onPageShow);
    window.addEventListener(TAKEOVER, this.#stop);
    // It bubbles up from the document. Injected late, only the second is still to come.
    window.addEventListener("DOMContentLoaded", this.#onLoaded);
    window.addEventListener("load", this.#onLoaded);
  }

  #ready(available: Available | null): void {
    this.#told = true;
    clearTimeout(this.#missing);
    if (available === null) {
      this.#hush();
      return;
    }
    this.#available = available;
    this.#speak();
    this.#announce();
    // It says how it is, and goes on with what the one before told of.
    if (this.#events.length > 0) this.#link.send({ t: "events", events: this.#events });
    this.#requests.flush();
  }

  /** Once per document, and not before the page's own scripts have had their turn to listen. */
  #announce(): void {
    if (!this.#available || this.#announced || this.#silent) return;
    if (!this.#heard && document.readyState !== "complete") return;
    this.#announced = true;
    this.#post({ jsonrpc: "2.0", method: "node.available", params: this.#available });
  }

  #fromHost(message: HostMessage): void {
    if (message.t === "port") {
      this.#streams.fromHost(message.stream, message.m);
      return;
    }
    if (message.t === "events") this.#events = message.events;
    if (message.t !== "rpc") return;
    const isAnswer = message.m.id !== undefined;
    const wanted = !isAnswer || this.#requests.settle(message.m.id);
    if (message.stream === undefined) {
      if (wanted) this.#post(message.m);
      return;
    }
    this.#link.widen();
    const port = wanted ? this.#streams.open(message.stream) : undefined;
    if (port) this.#post(message.m, [port]);
    else this.#streams.refuse(message.stream);
  }

  #lost(): void {
    this.#requests.nodeGone();
    this.#streams.resetAll("the node stopped");
    this.#stateIs("starting", "The node stopped and is being started anew.");
    clearTimeout(this.#missing);
    this.#missing = setTimeout(() => this.#stateIs("failed", "The node stopped and does not come back; it is still being asked for."), NODE_MISSING);
  }

  #orphaned(): void {
    this.#gone = true;
    this.#requests.failAll("the extension was stopped");
    this.#streams.resetAll("the extension was stopped");
    clearTimeout(this.#missing);
    this.#stateIs("failed", "The extension was stopped, updated or removed.");
  }

  /** Says how the node is, which cannot say it itself. */
  #stateIs(state: NodeState, reason: string): void {
    if (this.#silent || !this.#events.includes(STATE_CHANGED)) return;
    this.#post({ jsonrpc: "2.0", method: STATE_CHANGED, params: { state, reason } satisfies StateChanged });
  }

  #answer(id: Id | null, error: RpcError): void {
    if (this.#silent) return;
    if (this.#known) {
      this.#post({ jsonrpc: "2.0", id, error });
      return;
    }
    if (this.#held.length >= MAX_IN_FLIGHT) return;
    this.#held.push([id, error]);
    if (this.#held.length > 1) return;
    void mayBeKnown().then((may) => {
      if (this.#told) return;
      if (may) this.#speak();
      else this.#hush();
    });
  }

  #speak(): void {
    this.#silent = false;
    this.#known = true;
    for (const [id, error] of this.#held.splice(0)) this.#answer(id, error);
  }

  #hush(): void {
    this.#silent = true;
    this.#known = false;
    this.#held.length = 0;
    this.#requests.forgetAll();
  }

  #post(message: object, transfer: Transferable[] = []): void {
    window.postMessage({ mooring: 1, to: "page", message }, location.origin, transfer);
  }
}

/**
 * Whether a site may know of the extension although the host, whose word it is else, has not been heard. An extension
 * that does not answer any more has nothing left to keep to itself.
 */
async function mayBeKnown(): Promise<boolean> {
  return new Promise((done) => {
    try {
      chrome.runtime.sendMessage({ to: "background", type: "host.announced" }, (reply?: { value?: unknown }) => {
        void chrome.runtime?.lastError;
        done(reply?.value !== false);
      });
    } catch {
      done(true);
    }
  });
}

/** Top-level documents of secure or loopback origins; the manifest's patterns say the same, and the host judges again. */
function mayTalk(): boolean {
  // "null" in sandboxed documents, whatever their address says.
  if (window !== window.top || self.origin !== location.origin) return false;
  if (location.protocol === "https:") return true;
  return location.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
}

if (mayTalk()) {
  const relay = new Relay();
  if ((document as { prerendering?: boolean }).prerendering) {
    // A page that was only guessed at meets silence until somebody looks at it.
    document.addEventListener("prerenderingchange", () => relay.start(), { once: true });
  } else {
    relay.start();
  }
}
