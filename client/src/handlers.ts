import { Kept } from "./kept.js";
import { refuse, type CallOptions, type Rpc } from "./rpc.js";
import { checkWindow, MooringStream, type StreamOptions } from "./stream.js";
import type { Incoming } from "./api.js";

/**
 * Takes an inbound stream. One that fails (throws, or rejects) has its stream reset; one that returns leaves the stream to
 * go on.
 * @param dropped streams of this protocol that were lost before this one while no tab took them
 */
export type StreamHandler = (stream: MooringStream, dropped: number) => void | Promise<void>;

interface Handler {
  handle: StreamHandler;
  window: number | undefined;
  /** Given back, and the node has perhaps not heard of that yet. */
  over: boolean;
}

/** The protocols that this page serves; the node bounds how many. */
export class Handlers {
  /** The last one takes the streams. */
  readonly #handlers = new Map<string, Handler[]>();
  readonly protocols: Kept;

  constructor(rpc: Rpc) {
    this.protocols = new Kept((protocol, on, options) =>
      rpc.call(on ? "streams.handle" : "streams.unhandle", { protocols: [protocol] }, options),
    );
    rpc.listen("streams.incoming", (incoming: Incoming, port) => {
      if (port) void this.#incoming(incoming, port);
    });
  }

  /** Serves all of the protocols or none. What gives them back. */
  async add(
    protocols: string[],
    handle: StreamHandler,
    { window, ...options }: StreamOptions & CallOptions,
  ): Promise<() => Promise<void>> {
    checkWindow(window);
    const handler = { handle, window, over: false };
    const told: string[] = [];
    // Before the node is told: it may have streams that waited for this.
    for (const protocol of protocols) this.#handlers.set(protocol, [...(this.#handlers.get(protocol) ?? []), handler]);
    const remove = async (): Promise<void> => {
      handler.over = true;
      await Promise.all(told.splice(0).map((protocol) => this.protocols.remove(protocol)));
      // Not before: until the node has heard, streams go on coming, and are refused.
      for (const protocol of protocols) {
        const others = (this.#handlers.get(protocol) ?? []).filter((each) => each !== handler);
        if (others.length > 0) this.#handlers.set(protocol, others);
        else this.#handlers.delete(protocol);
      }
    };
    try {
      for (const protocol of protocols) {
        await this.protocols.add(protocol, options);
        told.push(protocol);
      }
    } catch (error) {
      await remove();
      throw error;
    }
    return remove;
  }

  async #incoming(incoming: Incoming, port: MessagePort): Promise<void> {
    const handlers = this.#handlers.get(incoming.protocol);
    // Perhaps another client's in this document.
    if (!handlers) return;
    const handler = handlers.findLast(({ over }) => !over);
    if (!handler) {
      refuse(port);
      return;
    }
    const stream = new MooringStream(port, incoming, handler);
    try {
      await handler.handle(stream, incoming.dropped ?? 0);
    } catch (error) {
      stream.reset("the handler failed");
      reportError(error);
    }
  }
}
