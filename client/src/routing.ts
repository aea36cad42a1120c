import type { ClosestPeers, DhtRecord, FoundPeer, Providers } from "./api.js";
import type { CallOptions, Rpc } from "./rpc.js";
import type { Key, PeerId, Registration } from "./types.js";

/** The DHT. Needs `{ name: "routing" }`; what announces or stores needs `write: true` in it. */
export class Dht {
  readonly #rpc: Rpc;

  /** @internal */
  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  /** Where a peer can be reached; fails with `NotFound`. */
  findPeer(peer: PeerId, options?: CallOptions): Promise<FoundPeer> {
    return this.#rpc.call("dht.findPeer", { peer }, options);
  }

  /** The peers closest to a key, the closest first. */
  async closestPeers(key: Key, options?: CallOptions): Promise<PeerId[]> {
    return (await this.#rpc.call<ClosestPeers>("dht.closestPeers", { key }, options)).peers;
  }

  /** Who provides a key: 20 at most unless `limit` says otherwise, perhaps nobody. */
  async findProviders(key: Key, options: CallOptions & { limit?: number | undefined } = {}): Promise<FoundPeer[]> {
    const { limit } = options;
    return (await this.#rpc.call<Providers>("dht.findProviders", { key, limit }, options)).providers;
  }

  /** Announces that this node provides a key. */
  async provide(key: Key, options?: CallOptions): Promise<void> {
    await this.#rpc.call("dht.provide", { key }, options);
  }

  /** Announces it no more. */
  async stopProviding(key: Key, options?: CallOptions): Promise<void> {
    await this.#rpc.call("dht.stopProviding", { key }, options);
  }

  /** The value under a key; fails with `NotFound`. */
  async get(key: Key, options?: CallOptions): Promise<Uint8Array> {
    return (await this.#rpc.call<DhtRecord>("dht.get", { key }, options)).value;
  }

  /** Stores a value under a key. */
  async put(key: Key, value: Uint8Array, options?: CallOptions): Promise<void> {
    await this.#rpc.call("dht.put", { key, value }, options);
  }
}

/** How a rendezvous point is asked. */
export interface RendezvousOptions extends CallOptions {
  /** The point's peer id; one that the node knows unless told. */
  point?: PeerId | undefined;
}

/** Rendezvous points. Needs `{ name: "routing" }`; to register, with `write: true`. */
export class Rendezvous {
  readonly #rpc: Rpc;

  /** @internal */
  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  /** Registers this node under a namespace. */
  async register(namespace: string, options: RendezvousOptions & { ttlSeconds?: number | undefined } = {}): Promise<void> {
    const { point, ttlSeconds } = options;
    await this.#rpc.call("rendezvous.register", { namespace, point, ttlSeconds }, options);
  }

  /** Who is registered under a namespace. */
  async discover(namespace: string, options: RendezvousOptions = {}): Promise<Registration[]> {
    const { point } = options;
    const params = { namespace, point };
    return (await this.#rpc.call<{ registrations: Registration[] }>("rendezvous.discover", params, options)).registrations;
  }

  /** Takes the registration back. */
  async unregister(namespace: string, options: RendezvousOptions = {}): Promise<void> {
    const { point } = options;
    await this.#rpc.call("rendezvous.unregister", { namespace, point }, options);
  }
}
