/** Flow control of a stream: each side sends only what the other has said it has room for. */
import { CREDIT_SHARES } from "./limits.js";

/** What may still be sent, and who waits to send it. */
export class SendCredit {
  #bytes = 0;
  #waiting: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  /** The remote has room for that much more. */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Takes what there is, at most so much; 0 when there is none. */
  take(most: number): number {
    const bytes = Math.min(this.#bytes, most);
    this.#bytes -= bytes;
    return bytes;
  }

  /** Resolves when there is more. One at a time: a `WritableStream` has one write under way. */
  more(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Nothing will be sent any more. */
  fail(error: unknown): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

/** How much the remote may still send, and how much of it is to be granted anew. */
export class ReceiveWindow {
  readonly #share: number;
  #outstanding: number;
  #read = 0;

  /** The window in bytes, which is granted at once. */
  constructor(window: number) {
    this.#outstanding = window;
    this.#share = Math.max(1, Math.floor(window / CREDIT_SHARES));
  }

  /** Data came; false when it was more than granted. */
  received(bytes: number): boolean {
    this.#outstanding -= bytes;
    return this.#outstanding >= 0;
  }

  /** Data was read; what is to be granted now, perhaps nothing yet. */
  read(bytes: number): number {
    this.#read += bytes;
    if (this.#read < this.#share) return 0;
    const grant = this.#read;
    this.#read = 0;
    this.#outstanding += grant;
    return grant;
  }
}
