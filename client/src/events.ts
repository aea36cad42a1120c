import type { ConnectionEvent, ConnectionUpgraded, EventName, Granted, Hello, PeerEvent, StateChanged } from "./api.js";
import { isError, MooringError } from "./errors.js";
import { Kept } from "./kept.js";
import type { Rpc } from "./rpc.js";

/** What the node tells by itself. The key is the event's type, the value its `detail`. */
export interface NodeEvents {
  /** A peer's first connection opened. */
  "peer.connected": PeerEvent;
  /** A peer's last connection closed. */
  "peer.disconnected": PeerEvent;
  /** A connection opened. */
  "connection.opened": ConnectionEvent;
  /** A connection closed. */
  "connection.closed": ConnectionEvent;
  /** Another connection to a peer is used from now on: a direct one after a relayed one, or the other way round. */
  "connection.upgraded": ConnectionUpgraded;
  /** The node's state changed. */
  "node.stateChanged": StateChanged;
  /** What this site may do changed. */
  "permissions.changed": Granted;
  /**
   * The node is there (again): its extension was reloaded, or this page came back from the back/forward cache. Handlers,
   * subscriptions and events go on by themselves; streams that were open are gone.
   */
  "node.available": Hello;
  /** Something that nobody waits for failed: events without their permission, or what the node would not take back. */
  error: MooringError;
}

/** Hears an event of that type. */
export type NodeEventListener<K extends keyof NodeEvents> =
  | ((event: CustomEvent<NodeEvents[K]>) => void)
  | { handleEvent(event: CustomEvent<NodeEvents[K]>): void };

type AnyListener = NodeEventListener<keyof NodeEvents>;

/** The client's own events; the others the node sends when it is asked. */
type Local = Exclude<keyof NodeEvents, EventName>;
const LOCAL: Record<Local, true> = { "node.available": true, error: true };

/** An `EventTarget` that asks the node for an event while somebody listens to it. */
export class NodeEventTarget extends EventTarget {
  readonly #rpc: Rpc;
  readonly #listeners = new Map<string, Map<AnyListener, EventListener>>();
  /** @internal */
  protected readonly events: Kept;

  /** @internal */
  constructor(rpc: Rpc) {
    super();
    this.#rpc = rpc;
    this.events = new Kept((name, on) => rpc.call(on ? "events.subscribe" : "events.unsubscribe", { events: [name] }));
  }

  /** Listens to an event; the node is asked for it with the first listener. Without its permission there is an `error` event. */
  override addEventListener<K extends keyof NodeEvents>(
    type: K,
    listener: NodeEventListener<K> | null,
    options?: AddEventListenerOptions | boolean,
  ): void {
    const { once, signal } = typeof options === "object" ? options : {};
    const listeners = this.#listeners.get(type) ?? new Map<AnyListener, EventListener>();
    const key = listener as AnyListener | null;
    if (!key || signal?.aborted || listeners.has(key)) return;
    const wrapped = (event: Event): void => {
      if (once) this.removeEventListener(type, listener);
      const custom = event as CustomEvent<never>;
      if (typeof key === "function") key.call(this, custom);
      else key.handleEvent(custom);
    };
    this.#listeners.set(type, listeners.set(key, wrapped));
    signal?.addEventListener("abort", () => this.removeEventListener(type, listener), { once: true });
    super.addEventListener(type, wrapped);
    if (listeners.size === 1 && !(type in LOCAL)) {
      this.#rpc.listen(type, (detail) => this.emit(type, detail));
      void this.#ask(type);
    }
  }

  /** Listens no more; the node is told after the last listener. */
  override removeEventListener<K extends keyof NodeEvents>(type: K, listener: NodeEventListener<K> | null): void {
    const listeners = this.#listeners.get(type);
    const wrapped = listeners?.get(listener as AnyListener);
    if (!listeners || !wrapped) return;
    super.removeEventListener(type, wrapped);
    listeners.delete(listener as AnyListener);
    if (listeners.size > 0) return;
    this.#listeners.delete(type);
    void this.events.remove(type);
  }

  /** @internal */
  protected emit<K extends keyof NodeEvents>(type: K, detail: NodeEvents[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  async #ask(type: string): Promise<void> {
    try {
      await this.events.add(type, undefined, true);
    } catch (error) {
      if (error instanceof MooringError && !isError(error, "Aborted")) this.emit("error", error);
    }
  }
}
