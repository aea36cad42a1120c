/** The port to the node host: opened, and opened again as long as the popup is open. */
import { ENSURE_TIME, RETRY_MAX, RETRY_MIN } from "./limits";

export interface Events {
  message(message: unknown): void;
  /** The port closed, or could not be opened. Another attempt is under way. */
  lost(): void;
}

export class Link {
  readonly #events: Events;
  #port: chrome.runtime.Port | undefined;
  #pause = RETRY_MIN;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(events: Events) {
    this.#events = events;
    this.#connect();
  }

  /** Throws where there is no port. */
  post(message: unknown): void {
    if (!this.#port) throw new Error("not connected");
    this.#port.postMessage(message);
  }

  /** Asks at once, where there is no port. */
  retry(): void {
    if (this.#port) return;
    this.#pause = RETRY_MIN;
    void this.#again();
  }

  reload(): void {
    chrome.runtime.reload();
  }

  #connect(): void {
    const port = chrome.runtime.connect({ name: "popup" });
    this.#port = port;
    port.onMessage.addListener((message: unknown) => {
      this.#pause = RETRY_MIN;
      this.#events.message(message);
    });
    port.onDisconnect.addListener(() => {
      // Reading it keeps the browser from reporting "Receiving end does not exist" as an error: it is what we ask for.
      void chrome.runtime.lastError;
      this.#port = undefined;
      this.#events.lost();
      this.#timer = setTimeout(() => void this.#again(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, RETRY_MAX);
    });
  }

  async #again(): Promise<void> {
    clearTimeout(this.#timer);
    const ensured = chrome.runtime.sendMessage({ to: "background", type: "host.ensure" }).catch(() => undefined);
    const timeout = new Promise((resolve) => setTimeout(resolve, ENSURE_TIME));
    await Promise.race([ensured, timeout]);
    if (!this.#port) this.#connect();
  }
}
