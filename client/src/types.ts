import type { DhtKey, FoundPeer, Peer } from "./api.js";

/** A registration at a rendezvous point. */
export interface Registration extends FoundPeer {
  /** Seconds until it ends. */
  ttlSeconds: number;
}

/** A message of a topic. */
export interface PubsubMessage {
  /** Its topic. */
  topic: string;
  /** The peer that published it. */
  from: string;
  /** What it published. */
  data: Uint8Array;
  /** The publisher's number of it, where there is one. */
  sequenceNumber: string | null;
  /** Messages of the topic that were lost before this one while no tab took them. */
  dropped?: number;
}

/** What became of a published message. */
export interface Published {
  /** Its id. */
  messageId: string;
  /** Peers it was sent to; none is no error. */
  recipients: number;
}

/** A peer id as text, `12D3KooW…`. */
export type PeerId = Peer["peerId"];

/** A key of the DHT: raw bytes, or a CID or multihash as text. */
export type Key = DhtKey;
