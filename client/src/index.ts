/**
 * Uses the libp2p node in the visitor's browser from a web page.
 *
 * @packageDocumentation
 */
export { connect, type ConnectOptions } from "./connect.js";
export { ErrorCode, MooringError, type ErrorName, type MooringErrorOptions } from "./errors.js";
export type { NodeEventListener, NodeEvents, NodeEventTarget } from "./events.js";
export type { StreamHandler } from "./handlers.js";
export type { DialTarget, MooringNode, OpenStreamOptions, Permissions } from "./node.js";
export type { Pubsub, SubscribeOptions, Subscription } from "./pubsub.js";
export type { Dht, Rendezvous, RendezvousOptions } from "./routing.js";
export type { CallOptions } from "./rpc.js";
export type { MooringStream, StreamEnd, StreamOptions } from "./stream.js";
export type { Key, PeerId, Registration } from "./types.js";
export type {
  Connection,
  ConnectionEvent,
  ConnectionUpgraded,
  Descriptor,
  Direction,
  EventName,
  FoundPeer,
  GrantName,
  Granted,
  Hello,
  Identity,
  NodeState,
  Path,
  Peer,
  PeerEvent,
  Published,
  PubsubMessage,
  Revocation,
  StateChanged,
  Status,
} from "./api.js";
