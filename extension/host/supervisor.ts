/** Boots the node's wasm, hands it every port with the browser's word for who is at the other end, and replaces it when it crashes. */
import { Host } from "host-wasm";
import { endSafeMode, noteCrash, restartPause, safeMode } from "./crashes";
import { FailedHost, type Handle } from "./failed";
import { MAX_EARLY } from "./limits";
import { isAnnounced } from "./announced";
import { Bridges } from "./bridges";
import { watchNetwork } from "./network";
import type { Platform } from "./platform";
import { PagePorts } from "./ports";
import { initSealed, isTrap } from "./sealed";
import { senderOf, type Sender } from "./sender";
import { Wire } from "./wire";

const NAMES = ["page", "popup", "prompt"];

interface Connects {
  connect(sender: Sender, post: (message: unknown) => void, close: () => void): Handle;
}

/** Must run in the page's first turn, so that no port can come before its listener. */
export function startHost(loadPlatform: () => Promise<Platform>): void {
  const supervisor = new Supervisor();
  chrome.runtime.onConnect.addListener((port) => supervisor.take(port));
  // A panic in a task or in an event handler of the wasm ends up here, as a trap.
  addEventListener("error", (event) => supervisor.uncaught(event.error));
  addEventListener("unhandledrejection", (event) => supervisor.uncaught(event.reason));
  watchNetwork((available) => supervisor.network(available));
  void supervisor.boot(loadPlatform);
  void keepStorage();
}

/** Asks the browser to clear nothing of ours when the disk is full. Chrome does not clear `storage.local` either way. */
async function keepStorage(): Promise<void> {
  const kept = await navigator.storage.persist().catch(() => false);
  if (!kept) console.info("mooring: the browser may clear what the extension has stored when the disk is full");
}

class Supervisor {
  readonly #open = new Map<Wire, (host: Connects) => void>();
  readonly #bridges = new Bridges();
  readonly #pages = new PagePorts();
  #host: Connects | undefined;
  #crashed = false;
  #network = true;
  #tellNetwork: ((available: boolean) => void) | undefined;

  async boot(loadPlatform: () => Promise<Platform>): Promise<void> {
    try {
      const platform = await loadPlatform();
      const safe = await safeMode(platform.storage, Date.now());
      if (!safe) {
        // Here and not before the document was loaded anew: the timers and connections of a crashed instance end with its document.
        await new Promise((done) => setTimeout(done, restartPause(Date.now())));
        await initSealed();
        const host = await Host.start(platform);
        this.#serve(host);
        this.#tellNetwork = (available) => this.#guard(() => host.setNetwork(available));
        if (!this.#network) this.#tellNetwork(false);
      } else {
        const announced = await isAnnounced(platform.storage);
        const startAgain = async (): Promise<void> => {
          await endSafeMode(platform.storage);
          location.reload();
        };
        this.#serve(new FailedHost(platform, safe.reason, announced, () => void startAgain()));
        setTimeout(() => void startAgain(), safe.left);
      }
    } catch (error) {
      this.#crash(error);
    }
  }

  /** A port of one of our own contexts: pages' content scripts, popup, prompts, and the service worker's watch. */
  take(port: chrome.runtime.Port): void {
    // Before anything is kept: who it is decides whether it has a place.
    const sender = senderOf(port);
    if (!NAMES.includes(port.name)) {
      // The service worker's watch stays open, and is nothing to us.
      if (!sender.extension) port.disconnect();
      return;
    }
    // The user's own windows always come through; the host bounds them too.
    const leave = sender.extension ? () => undefined : this.#pages.take(sender);
    if (!leave) {
      port.disconnect();
      return;
    }
    // What comes before there is a host is kept by nobody but us.
    const early: unknown[] = [];
    let handle: Handle | undefined;
    let over = false;

    const end = (): void => {
      if (over) return;
      over = true;
      this.#open.delete(wire);
      leave();
      // Not at once: the host itself may be the caller, and is not to be freed under its own feet.
      const last = handle;
      if (last) queueMicrotask(() => this.#guard(() => last.free()));
    };
    const receive = (message: unknown): void => this.#guard(() => handle?.receive(message));

    const wire = new Wire(
      port,
      {
        message: (message) => {
          if (handle) receive(message);
          else if (early.length < MAX_EARLY) early.push(message);
        },
        closed: () => {
          if (!over && handle) this.#guard(() => handle?.closed());
          end();
        },
      },
      port.name === "page" ? this.#bridges : undefined,
    );
    const attach = (host: Connects): void => {
      this.#guard(() => {
        handle = host.connect(
          sender,
          (message) => wire.post(message),
          () => {
            wire.close();
            end();
          },
        );
      });
      if (over && handle) {
        const last = handle;
        queueMicrotask(() => this.#guard(() => last.free()));
        return;
      }
      for (const message of early.splice(0)) receive(message);
    };
    this.#open.set(wire, attach);
    if (this.#host) attach(this.#host);
  }

  /** The network is lost, or back. */
  network(available: boolean): void {
    this.#network = available;
    this.#tellNetwork?.(available);
  }

  uncaught(error: unknown): void {
    if (isTrap(error)) this.#crash(error);
  }

  #serve(host: Connects): void {
    if (this.#crashed) return;
    this.#host = host;
    for (const attach of [...this.#open.values()]) attach(host);
  }

  /** No call into the wasm without this: after a trap there is no next one. */
  #guard(call: () => void): void {
    if (this.#crashed) return;
    try {
      call();
    } catch (error) {
      if (isTrap(error)) this.#crash(error);
      else console.error("mooring: the node refused a message:", error);
    }
  }

  #crash(error: unknown): void {
    if (this.#crashed) return;
    this.#crashed = true;
    const reason = error instanceof Error ? error.message : String(error);
    console.error("mooring: the node crashed and is started anew:", error);
    noteCrash(reason, Date.now());
    for (const wire of this.#open.keys()) wire.close();
    this.#open.clear();
    location.reload();
  }
}
