import type { DhtKey, FoundPeer, Peer } from "./api.js";

/** A registration at a rendezvous point. */
export interface Registration extends FoundPeer {
  /** Seconds until it ends. */
  ttlSeconds: number;
}

/** A peer id as text, `12D3KooW…`. */
export type PeerId = Peer["peerId"];

/** A key of the DHT: raw bytes, or a CID or multihash as text. */
export type Key = DhtKey;
