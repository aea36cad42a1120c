/**
 * Relays between a stream's MessagePort in the page and the host. Credit is the host's to enforce; what is checked here
 * only keeps a page that ignores it from filling the extension's process: the runtime port knows no back-pressure.
 */
import { buffers } from "../bridge/buffers";
import { binaryLength } from "./measure";
import { MAX_DATA_BYTES, MAX_REASON_LENGTH, MAX_STREAMS } from "./limits";

interface Stream {
  port: MessagePort;
  /** What the page may still send. */
  credit: number;
  /** The page broke the rules or closed its port: nothing more of it is relayed. */
  deaf: boolean;
}

/** Hands a stream's message to the host. */
export type Send = (stream: string, message: object) => void;

export class Streams {
  readonly #streams = new Map<string, Stream>();
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  /** Makes the pair for a stream and returns the page's end; undefined when there are too many. */
  open(id: string): MessagePort | undefined {
    if (this.#streams.size >= MAX_STREAMS || this.#streams.has(id)) return undefined;
    const channel = new MessageChannel();
    const stream: Stream = { port: channel.port1, credit: 0, deaf: false };
    channel.port1.onmessage = (event) => this.#fromPage(id, stream, event.data);
    channel.port1.onmessageerror = () => this.#broken(id, stream);
    // The page closed its end, or dropped it. Where the browser has no such event the stream stays until its remote, its
    // connection or the document ends it, and counts against the origin's limit: being quiet is no reason to end one.
    channel.port1.addEventListener("close", () => this.#hungUp(id, stream));
    this.#streams.set(id, stream);
    return channel.port2;
  }

  /** A stream that has nobody: the request it answers is over, or there are too many. */
  refuse(id: string): void {
    this.#send(id, { type: "reset", reason: "nobody takes this stream" });
  }

  fromHost(id: string, message: Record<string, unknown>): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    if (message.type === "credit" && typeof message.bytes === "number") stream.credit += message.bytes;
    stream.port.postMessage(message, buffers(message));
    if (message.type === "closed") this.#forget(id, stream);
  }

  /** The host is gone, and with it every stream. */
  resetAll(reason: string): void {
    for (const [id, stream] of this.#streams) {
      stream.port.postMessage({ type: "reset", reason });
      stream.port.postMessage({ type: "closed" });
      this.#forget(id, stream);
    }
  }

  #fromPage(id: string, stream: Stream, data: unknown): void {
    if (stream.deaf) return;
    const message = checked(data);
    if (!message || (message.type === "data" && message.bytes.byteLength > stream.credit)) {
      this.#broken(id, stream);
      return;
    }
    if (message.type === "data") stream.credit -= message.bytes.byteLength;
    this.#send(id, message);
  }

  /** Tells the host that the rules were broken, without handing it the thing that broke them. */
  #broken(id: string, stream: Stream): void {
    if (stream.deaf) return;
    stream.deaf = true;
    this.#send(id, { type: "invalid" });
  }

  #hungUp(id: string, stream: Stream): void {
    if (this.#streams.get(id) !== stream) return;
    if (!stream.deaf) this.#send(id, { type: "reset", reason: "the page closed the port" });
    this.#forget(id, stream);
  }

  #forget(id: string, stream: Stream): void {
    stream.port.onmessage = null;
    stream.port.close();
    this.#streams.delete(id);
  }
}

type Checked =
  | { type: "data"; bytes: Uint8Array }
  | { type: "credit"; bytes: number }
  | { type: "closeWrite" }
  | { type: "stopReading" }
  | { type: "reset"; reason: string };

/** The message rebuilt from what it may hold, so that nothing else rides along; undefined when it breaks the rules. */
function checked(data: unknown): Checked | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { type, bytes, reason } = data as { type?: unknown; bytes?: unknown; reason?: unknown };
  switch (type) {
    case "data":
      return typeof bytes === "object" && bytes !== null ? checkedData(bytes) : undefined;
    case "credit":
      return typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes > 0 ? { type, bytes } : undefined;
    case "closeWrite":
    case "stopReading":
      return { type };
    case "reset":
      return { type, reason: typeof reason === "string" ? reason.slice(0, MAX_REASON_LENGTH) : "" };
    default:
      return undefined;
  }
}

function checkedData(bytes: object): Checked | undefined {
  if (Object.prototype.toString.call(bytes) !== "[object Uint8Array]") return undefined;
  const view = bytes as Uint8Array;
  if (view.byteLength < 1 || view.byteLength > MAX_DATA_BYTES) return undefined;
  // A small view on a large buffer would take the whole buffer along.
  const whole = binaryLength(view) === view.byteLength;
  return { type: "data", bytes: whole ? view : view.slice() };
}
