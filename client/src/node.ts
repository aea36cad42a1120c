import type { Connection, Connections, Descriptor, Dialed, Granted, Hello, Identity, Peer, Peers, Ping, Revocation, Status, Stream } from "./api.js";
import { NodeEventTarget } from "./events.js";
import { Handlers, type StreamHandler } from "./handlers.js";
import { Restorer } from "./kept.js";
import { Pubsub } from "./pubsub.js";
import { Dht, Rendezvous } from "./routing.js";
import type { CallOptions, Rpc } from "./rpc.js";
import { checkWindow, MooringStream, type StreamOptions } from "./stream.js";
import type { PeerId } from "./types.js";

/** What this site may do. */
export interface Permissions {
  /** Asks the user for what is missing, in a window of the extension; all that the site then holds. Fails with `UserRejected`. */
  request(permissions: Descriptor[], options?: CallOptions): Promise<Descriptor[]>;
  /** All that the site holds. */
  query(options?: CallOptions): Promise<Descriptor[]>;
  /** Gives back what is named, or everything; what the site still holds. */
  revoke(permissions?: Revocation[], options?: CallOptions): Promise<Descriptor[]>;
}

/** Whom to dial: a peer, addresses, or both. */
export interface DialTarget {
  /** The peer's id, where the addresses do not end in it. */
  peer?: PeerId | undefined;
  /** Multiaddrs, tried together. */
  addresses?: string[] | undefined;
}

/** How a stream is opened. */
export interface OpenStreamOptions extends CallOptions, StreamOptions {
  /** Whether a relayed connection will do: true unless told. */
  allowRelayed?: boolean | undefined;
}

/** The visitor's node, as far as this site is allowed to use it. `connect` makes one. */
export class MooringNode extends NodeEventTarget {
  /** The extension that said it is there. */
  readonly extension: Hello;
  /** What this site may do. */
  readonly permissions: Permissions;
  /** Other peers. */
  readonly peers: {
    /** The peers that the node knows, connected ones first. Needs `peers`. */
    list(options?: CallOptions): Promise<Peer[]>;
    /** One round trip, in milliseconds. Needs `dial`. */
    ping(peer: PeerId, options?: CallOptions): Promise<number>;
  };
  /** The node's connections, which outlive this page. */
  readonly connections: {
    /** Those that are open, the oldest first. Needs `peers`. */
    list(options?: CallOptions): Promise<Connection[]>;
    /** Gives up this site's interest in a peer; its streams live on. Needs `dial`. */
    release(peer: PeerId, options?: CallOptions): Promise<void>;
  };
  /** Topics. */
  readonly pubsub: Pubsub;
  /** The DHT. */
  readonly dht: Dht;
  /** Rendezvous points. */
  readonly rendezvous: Rendezvous;
  readonly #rpc: Rpc;
  readonly #handlers: Handlers;
  readonly #restorer: Restorer;

  /** @internal */
  constructor(rpc: Rpc, hello: Hello) {
    super(rpc);
    this.#rpc = rpc;
    this.extension = hello;
    const permissions = async (
      method: "request" | "query" | "revoke",
      permissions?: object[],
      options?: CallOptions,
    ): Promise<Descriptor[]> => {
      const { granted } = await rpc.call<Granted>(`permissions.${method}`, { permissions }, options);
      if (method === "request") this.#restorer.granted();
      return granted;
    };
    this.permissions = {
      request: (wanted, options) => permissions("request", wanted, options),
      query: (options) => permissions("query", undefined, options),
      revoke: (given, options) => permissions("revoke", given, options),
    };
    this.peers = {
      list: async (options) => (await rpc.call<Peers>("peers.list", {}, options)).peers,
      ping: async (peer, options) => (await rpc.call<Ping>("peers.ping", { peer }, options)).rttMs,
    };
    this.connections = {
      list: async (options) => (await rpc.call<Connections>("connections.list", {}, options)).connections,
      release: async (peer, options) => {
        await rpc.call("connections.release", { peer }, options);
      },
    };
    this.pubsub = new Pubsub(rpc);
    this.dht = new Dht(rpc);
    this.rendezvous = new Rendezvous(rpc);
    this.#handlers = new Handlers(rpc);
    const kept = [this.events, this.pubsub.topics, this.#handlers.protocols];
    this.#restorer = new Restorer(rpc, kept, (error) => this.emit("error", error));
    rpc.listen("node.available", (detail: Hello) => {
      this.#restorer.restore();
      this.emit("node.available", detail);
    });
  }

  /** How the node is, and what this browser and build can do. */
  status(options?: CallOptions): Promise<Status> {
    return this.#rpc.call("node.status", {}, options);
  }

  /** The node's peer id and addresses. Needs `identity`. */
  identity(options?: CallOptions): Promise<Identity> {
    return this.#rpc.call("identity.get", {}, options);
  }

  /**
   * Connects to a peer; an open connection is reused. Needs `dial`.
   * @param target a multiaddr, a list of them, a peer id, or both
   */
  async dial(target: string | string[] | DialTarget, options?: CallOptions): Promise<Connection> {
    let to: DialTarget;
    if (typeof target === "string") to = target.startsWith("/") ? { addresses: [target] } : { peer: target };
    else if (Array.isArray(target)) to = { addresses: target };
    else to = { peer: target.peer, addresses: target.addresses };
    return (await this.#rpc.call<Dialed>("connections.dial", to, options)).connection;
  }

  /**
   * Opens a stream to a peer. Needs `streams` for the protocol, and `dial` where there is no connection.
   * @param protocols in order of preference
   */
  async openStream(peer: PeerId, protocols: string | string[], options: OpenStreamOptions = {}): Promise<MooringStream> {
    const { allowRelayed, window } = options;
    checkWindow(window);
    const params = { peer, protocols: list(protocols), allowRelayed };
    const { result, port } = await this.#rpc.request<Stream>("streams.open", params, options);
    return new MooringStream(port!, result, { window });
  }

  /**
   * Takes inbound streams of these protocols, all of them or none. Needs `streams` for them. Of several tabs the last one
   * to ask takes them, of several handlers in a tab too.
   * @returns what ends it
   */
  handle(
    protocols: string | string[],
    handler: StreamHandler,
    options: CallOptions & StreamOptions = {},
  ): Promise<() => Promise<void>> {
    return this.#handlers.add(list(protocols), handler, options);
  }

  /** Gives back handlers, subscriptions and events, and ends what is unanswered. Open streams and the node go on. */
  close(): void {
    this.#restorer.close();
    this.pubsub.close();
    for (const kept of [this.events, this.#handlers.protocols]) kept.clear();
    this.#rpc.close();
  }
}

function list(protocols: string | string[]): string[] {
  return typeof protocols === "string" ? [protocols] : protocols;
}
