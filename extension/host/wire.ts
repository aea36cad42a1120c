/**
 * The way to one of our own contexts: its runtime Port and, for a document that carries much, a MessagePort beside it.
 * Who is at the other end the browser says by the Port; its end is the end of both.
 */
import { carried } from "../bridge/buffers";
import { ASK, MOVED, TOOK_STEP, type Offer, type Took } from "../bridge/messages";
import type { Bridges } from "./bridges";

export interface WireEvents {
  message(message: unknown): void;
  /** The other end is gone. */
  closed(): void;
}

export class Wire {
  readonly #port: chrome.runtime.Port;
  readonly #events: WireEvents;
  readonly #bridges: Bridges | undefined;
  #bridge: MessagePort | undefined;
  #offered = false;
  /** Messages taken since that was last said. */
  #taken = 0;
  #closed = false;

  /** `bridges`: for documents, which may have a MessagePort and send no more than a window of messages ahead. */
  constructor(port: chrome.runtime.Port, events: WireEvents, bridges?: Bridges) {
    this.#port = port;
    this.#events = events;
    this.#bridges = bridges;
    port.onMessage.addListener((message: unknown) => {
      switch (bridges && kind(message)) {
        case ASK.t:
          this.#offer(bridges!);
          return;
        case MOVED.t:
          this.#listen();
          return;
        default:
          this.#take(message);
      }
    });
    port.onDisconnect.addListener(() => {
      void chrome.runtime.lastError;
      this.#end();
      events.closed();
    });
  }

  post(message: unknown): void {
    try {
      if (this.#bridge) this.#bridge.postMessage(message, carried(message as object));
      else this.#port.postMessage(message);
    } catch {
      // Closed on the other side; its event is on the way.
    }
  }

  /** Hangs up; the caller knows, so no event. */
  close(): void {
    this.#end();
    this.#port.disconnect();
  }

  /** Once for each Port: a document asks for what it lacks when it connects anew. */
  #offer(bridges: Bridges): void {
    if (this.#offered) return;
    this.#offered = true;
    const token = bridges.offer((bridge) => this.#move(bridge));
    if (token !== undefined) this.post({ t: "bridge", token } satisfies Offer);
  }

  #move(bridge: MessagePort): void {
    if (this.#closed) {
      bridge.close();
      return;
    }
    this.post(MOVED);
    this.#bridge = bridge;
  }

  /** All that the other end sent on the Port is here; what waits in the MessagePort may come. */
  #listen(): void {
    const bridge = this.#bridge;
    if (!bridge) return;
    // A message that cannot be read is a message lost: better an end that everybody sees.
    bridge.onmessageerror = () => {
      this.close();
      this.#events.closed();
    };
    bridge.onmessage = ({ data }) => this.#take(data);
  }

  #take(message: unknown): void {
    this.#events.message(message);
    if (!this.#bridges) return;
    this.#taken += 1;
    if (this.#taken < TOOK_STEP) return;
    this.post({ t: "took", count: this.#taken } satisfies Took);
    this.#taken = 0;
  }

  #end(): void {
    this.#closed = true;
    this.#bridge?.close();
  }
}

function kind(message: unknown): unknown {
  return typeof message === "object" && message !== null ? (message as { t?: unknown }).t : undefined;
}
