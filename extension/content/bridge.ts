/**
 * A MessagePort from this document straight to the host, past the browser's own process. Its other end travels through a
 * frame of the extension, which is in the page for that moment alone, out of reach of the page's scripts.
 */
import { BRIDGE_WAIT } from "../bridge/messages";

export class Bridge {
  readonly port: MessagePort;
  readonly #place = document.createElement("div");
  readonly #limit: ReturnType<typeof setTimeout>;

  /** `failed`: nobody has taken the other end in time. */
  constructor(token: string, failed: () => void) {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    const url = chrome.runtime.getURL("bridge.html");
    const frame = document.createElement("iframe");
    frame.addEventListener(
      "load",
      () => frame.contentWindow?.postMessage(token, new URL(chrome.runtime.getURL("")).origin, [port2]),
      { once: true },
    );
    frame.src = url;
    this.#place.hidden = true;
    this.#place.attachShadow({ mode: "closed" }).append(frame);
    document.documentElement?.append(this.#place);
    this.#limit = setTimeout(failed, BRIDGE_WAIT);
  }

  /** The other end has arrived: the frame is not needed any more. */
  arrived(): void {
    clearTimeout(this.#limit);
    this.#place.remove();
  }

  close(): void {
    this.arrived();
    this.port.onmessage = null;
    this.port.close();
  }
}
