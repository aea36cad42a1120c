/**
 * The document's port to the node host, opened again whenever it is lost. The host is reached directly; when it is not
 * there, `connect` fails at once and the background is asked to make it. A document that carries much moves to a
 * MessagePort; the runtime Port stays, as the browser's word for who we are and for whether the host is there.
 */
import { carried } from "../bridge/buffers";
import { ASK, MOVED, type Offer, type Took, WINDOW } from "../bridge/messages";
import { Bridge } from "./bridge";
import { ENSURE_WAIT, READY_WAIT, RECONNECT_MAX, RECONNECT_MIN } from "./limits";

/** What the host says first of all; null: this document is to meet silence. */
export interface Available {
  version: number;
  product: string;
  productVersion: string;
}

export interface LinkEvents {
  ready(available: Available | null): void;
  message(message: HostMessage): void;
  /** The port closed; a new one is being opened. */
  lost(): void;
  /** The extension was reloaded, updated or removed: this script will never reach it again. */
  orphaned(): void;
}

/** From the host; its own code, so the shape is trusted. */
export type HostMessage =
  | { t: "ready"; available: Available | null }
  | { t: "rpc"; m: Record<string, unknown>; stream?: string }
  | { t: "port"; stream: string; m: Record<string, unknown> }
  | { t: "events"; events: string[] }
  | Offer
  | Took
  | typeof MOVED;

export type PageMessage = { t: "events"; events: string[] } | { t: "rpc"; m: object } | { t: "port"; stream: string; m: object };

export class Link {
  readonly #events: LinkEvents;
  #port: chrome.runtime.Port | undefined;
  #ready = false;
  /** A MessagePort was asked for; at most one for each port. */
  #asked = false;
  #bridge: Bridge | undefined;
  /** All goes through the bridge. */
  #moved = false;
  /** How many messages the host has not said to have taken, and those that wait until it has. */
  #away = 0;
  #waiting: PageMessage[] = [];
  #running = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #delay = RECONNECT_MIN;
  #asking = false;
  /** Counts starts and stops: what was asked before is no concern of what runs now. */
  #generation = 0;

  constructor(events: LinkEvents) {
    this.#events = events;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#generation += 1;
    this.#delay = RECONNECT_MIN;
    this.#connect();
  }

  /** Closes the port and opens no other; the caller knows, so no event. */
  stop(): void {
    this.#running = false;
    this.#generation += 1;
    this.#asking = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drop()?.disconnect();
  }

  /** Somebody asks for something: do not sit out a long pause between tries. */
  hurry(): void {
    if (!this.#running || this.#port || this.#asking || this.#delay <= RECONNECT_MIN) return;
    this.#delay = RECONNECT_MIN;
    this.#later();
  }

  send(message: PageMessage): boolean {
    if (!this.#port || !this.#ready) return false;
    if (this.#away < WINDOW) return this.#post(message);
    this.#waiting.push(message);
    return true;
  }

  #post(message: PageMessage): boolean {
    this.#away += 1;
    try {
      if (this.#moved) this.#bridge?.port.postMessage(message, carried(message));
      else this.#port?.postMessage(message);
      return true;
    } catch {
      // The port was closed and its event is on the way, or the extension is gone.
      return false;
    }
  }

  /** Much is to come: asks for a MessagePort. Where there is none to be had, all goes on as before. */
  widen(): void {
    if (!this.#port || !this.#ready || this.#asked) return;
    this.#asked = true;
    this.#port.postMessage(ASK);
  }

  #took({ count }: Took): void {
    this.#away -= count;
    for (const message of this.#waiting.splice(0, Math.max(0, WINDOW - this.#away))) this.#post(message);
  }

  #connect(): void {
    if (!this.#running || this.#port) return;
    let port: chrome.runtime.Port;
    try {
      port = chrome.runtime.connect({ name: "page" });
    } catch {
      this.#orphan();
      return;
    }
    this.#port = port;
    port.onMessage.addListener((message: HostMessage) => this.#received(port, message));
    port.onDisconnect.addListener(() => {
      // Reading it marks it as seen; that nobody listens is an everyday answer here.
      void chrome.runtime?.lastError;
      this.#disconnected(port);
    });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#hangUp(port), READY_WAIT);
  }

  #received(port: chrome.runtime.Port, message: HostMessage): void {
    if (port !== this.#port) return;
    switch (message.t) {
      case "ready":
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#ready = true;
        this.#delay = RECONNECT_MIN;
        this.#events.ready(message.available);
        return;
      case "bridge":
        this.#bridge ??= new Bridge(message.token, () => this.#closeBridge());
        return;
      case "moved":
        this.#move(port);
        return;
      case "took":
        this.#took(message);
        return;
      default:
        this.#events.message(message);
    }
  }

  #move(port: chrome.runtime.Port): void {
    const bridge = this.#bridge;
    if (!bridge || this.#moved) return;
    bridge.arrived();
    port.postMessage(MOVED);
    this.#moved = true;
    bridge.port.onmessageerror = () => this.#hangUp(port);
    bridge.port.onmessage = ({ data }: MessageEvent<HostMessage>) =>
      data.t === "took" ? this.#took(data) : this.#events.message(data);
  }

  #closeBridge(): void {
    this.#bridge?.close();
    this.#bridge = undefined;
  }

  /** Gives up a port that is of no use, as if it had been closed by the other side. */
  #hangUp(port: chrome.runtime.Port): void {
    port.disconnect();
    this.#disconnected(port);
  }

  #disconnected(port: chrome.runtime.Port): void {
    if (port !== this.#port) return;
    const wasReady = this.#ready;
    this.#drop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (wasReady) this.#events.lost();
    if (!isAlive()) {
      this.#orphan();
      return;
    }
    this.#ensure();
  }

  /** Asks the background for a host, and connects when it says so, or after a while if it says nothing. */
  #ensure(): void {
    if (!this.#running || this.#asking) return;
    this.#asking = true;
    const generation = this.#generation;
    let over = false;
    const next = (): void => {
      if (over) return;
      over = true;
      clearTimeout(limit);
      // The document was left, and perhaps came back, while the background thought about it.
      if (generation !== this.#generation) return;
      this.#asking = false;
      this.#later();
    };
    const limit = setTimeout(next, ENSURE_WAIT);
    try {
      chrome.runtime.sendMessage({ to: "background", type: "host.ensure" }, () => {
        void chrome.runtime?.lastError;
        next();
      });
    } catch {
      next();
    }
  }

  #later(): void {
    if (!this.#running) return;
    clearTimeout(this.#timer);
    // The first try after an answer is at once or nearly; many tabs spread out by chance when it goes on failing.
    const delay = this.#delay <= RECONNECT_MIN ? 0 : this.#delay * (0.75 + Math.random() / 2);
    this.#delay = Math.min(this.#delay * 2, RECONNECT_MAX);
    this.#timer = setTimeout(() => this.#connect(), delay);
  }

  #drop(): chrome.runtime.Port | undefined {
    const port = this.#port;
    this.#port = undefined;
    this.#ready = false;
    this.#asked = false;
    this.#moved = false;
    this.#away = 0;
    this.#waiting = [];
    this.#closeBridge();
    return port;
  }

  #orphan(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#drop();
    this.#events.orphaned();
  }
}

/** False once the extension that this script belongs to was reloaded or removed. */
function isAlive(): boolean {
  try {
    return typeof chrome.runtime?.id === "string";
  } catch {
    return false;
  }
}
