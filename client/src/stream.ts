import { MAX_CREDIT_FROM_PAGE, MAX_STREAM_CHUNK, type Stream, type StreamMessage } from "./api.js";
import { ReceiveWindow, SendCredit } from "./credit.js";
import { MooringError } from "./errors.js";
import { STREAM_WINDOW } from "./limits.js";

/** How a stream ended. */
export interface StreamEnd {
  /** Why it was reset, by either side or by the node; undefined when both sides came to their end. */
  reason: string | undefined;
}

/** How a stream is read. */
export interface StreamOptions {
  /** Bytes that the remote may send before they are read: 1 MiB unless told, 16 MiB at most. */
  window?: number | undefined;
}

/**
 * A stream to a peer, in both directions. A consumer that reads slowly slows the remote writer, and a remote that reads
 * slowly makes writes wait; no more than the window is ever held for the page.
 *
 * A stream that is no longer wanted must be ended (`reset`, or both halves): one that is only forgotten stays open.
 */
export class MooringStream {
  /** What the remote sends. Cancelling it tells the remote to stop sending; the other direction stays open. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What the remote is sent, in chunks of any size. Closing it ends this side only; aborting it resets the stream. */
  readonly writable: WritableStream<Uint8Array>;
  /** The protocol that both ends agreed on. */
  readonly protocol: string;
  /** The remote's peer id. */
  readonly peer: string;
  /** Resolves when nothing will happen any more; never rejects. */
  readonly closed: Promise<StreamEnd>;

  readonly #port: MessagePort;
  readonly #credit = new SendCredit();
  readonly #window: ReceiveWindow;
  /** Came and was not read. */
  #queue: Uint8Array[] = [];
  /** Wakes a reader that waits. */
  #arrived: () => void = () => {};
  #reader!: ReadableStreamDefaultController<Uint8Array>;
  #writer!: WritableStreamDefaultController;
  /** The remote's data is at its end. */
  #ended = false;
  /** Nobody reads any more: the page cancelled, or all was read to its end. */
  #readDone = false;
  #reason: string | undefined;
  #finish!: (end: StreamEnd) => void;

  /** @internal */
  constructor(port: MessagePort, { protocol, peer }: Stream, { window = STREAM_WINDOW }: StreamOptions = {}) {
    this.protocol = protocol;
    this.peer = peer;
    this.#port = port;
    this.#window = new ReceiveWindow(window);
    this.closed = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#reader = controller;
        },
        pull: () => this.#pull(),
        cancel: () => {
          this.#readDone = true;
          this.#queue = [];
          this.#post({ type: "stopReading" });
        },
      },
      // Only what somebody asks for leaves the queue, so credit is returned for what was read and not for what was buffered.
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#writer = controller;
        // Not in `abort`: that waits for the write under way, which waits for credit.
        controller.signal.addEventListener("abort", () => this.#reset(text(controller.signal.reason), false));
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#post({ type: "closeWrite" }),
    });
    port.onmessage = ({ data }: MessageEvent<StreamMessage>) => this.#receive(data);
    // Where the browser says so: whoever held the other end is gone.
    port.addEventListener("close", () => this.#closed());
    this.#post({ type: "credit", bytes: window });
  }

  /**
   * Ends the stream at once, in both directions; what is under way is lost.
   * @param reason told to the node, for its log
   */
  reset(reason = ""): void {
    this.#reset(reason, true);
  }

  #reset(reason: string, writable: boolean): void {
    if (this.#reason !== undefined) return;
    this.#post({ type: "reset", reason });
    this.#fail(reason, writable);
  }

  #post(message: StreamMessage, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (!(chunk instanceof Uint8Array)) {
      const error = new TypeError("a stream takes Uint8Array");
      this.reset(error.message);
      throw error;
    }
    for (let at = 0; at < chunk.length; ) {
      const size = this.#credit.take(Math.min(MAX_STREAM_CHUNK, chunk.length - at));
      if (size === 0) {
        await this.#credit.more();
        continue;
      }
      // A copy to give away: the page keeps its chunk, and a view would take all of its buffer along.
      const bytes = chunk.slice(at, at + size);
      this.#post({ type: "data", bytes }, [bytes.buffer]);
      at += size;
    }
  }

  async #pull(): Promise<void> {
    if (this.#queue.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    const chunk = this.#queue.shift();
    // Woken by an end, of which the reader knows.
    if (!chunk || this.#readDone) return;
    this.#reader.enqueue(chunk);
    if (this.#ended) {
      if (this.#queue.length === 0) this.#endReading();
      return;
    }
    const bytes = this.#window.read(chunk.length);
    if (bytes > 0) this.#post({ type: "credit", bytes });
  }

  #receive(message: StreamMessage): void {
    switch (message.type) {
      case "data":
        if (this.#readDone) return;
        if (!this.#window.received(message.bytes.length)) {
          this.reset("protocol");
          return;
        }
        this.#queue.push(message.bytes);
        this.#arrived();
        return;
      case "credit":
        this.#credit.add(message.bytes);
        return;
      case "closeWrite":
        this.#ended = true;
        if (this.#queue.length === 0) this.#endReading();
        return;
      case "stopReading":
        this.#failWriting(new MooringError("StreamReset", "The remote reads no more"));
        return;
      case "reset":
        this.#fail(message.reason);
        return;
      case "closed":
        this.#closed();
    }
  }

  #endReading(): void {
    if (this.#readDone) return;
    this.#readDone = true;
    this.#reader.close();
    this.#arrived();
  }

  #failWriting(error: MooringError): void {
    this.#credit.fail(error);
    this.#writer.error(error);
  }

  /** @param writable false when it is the `WritableStream` that began this: it is in the middle of its own abort */
  #fail(reason: string, writable = true): void {
    this.#reason ??= reason;
    const error = new MooringError("StreamReset", "The stream was reset", { detail: reason });
    if (writable) this.#failWriting(error);
    else this.#credit.fail(error);
    this.#queue = [];
    if (!this.#readDone) {
      this.#readDone = true;
      this.#reader.error(error);
    }
    this.#arrived();
  }

  #closed(): void {
    // Data that came before the end may still be read; an end that never came is none.
    if (!this.#ended && !this.#readDone) this.#fail("the stream was closed");
    this.#failWriting(new MooringError("StreamReset", "The stream is closed"));
    this.#finish({ reason: this.#reason });
    this.#port.onmessage = null;
    this.#port.close();
  }
}

/** @internal */
export function checkWindow(window = STREAM_WINDOW): void {
  if (!Number.isSafeInteger(window) || window < 1 || window > MAX_CREDIT_FROM_PAGE) {
    throw new RangeError(`a stream's window is 1 to ${MAX_CREDIT_FROM_PAGE} bytes`);
  }
}

function text(reason: unknown): string {
  return reason instanceof Error ? reason.message : typeof reason === "string" ? reason : "";
}
