import type { Published, PubsubMessage, TopicPeers } from "./api.js";
import { Kept } from "./kept.js";
import { MAX_MESSAGE_BYTES, MAX_MESSAGES } from "./limits.js";
import type { CallOptions, Rpc } from "./rpc.js";
import type { PeerId } from "./types.js";

/** How a topic is listened to. */
export interface SubscribeOptions {
  /** Ends the subscription: what waits for a message rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Messages kept while the page does not read, at most 1,024 and 4 MiB unless told; beyond, the oldest goes. */
  maxMessages?: number | undefined;
}

/** The messages of a topic, as they come: `for await (const message of subscription)`. Leaving the loop ends it. */
export class Subscription implements AsyncIterableIterator<PubsubMessage> {
  /** The topic. */
  readonly topic: string;
  /** Resolves when the node has joined the topic, and rejects when it has not; the first message awaited rejects with it too. */
  readonly ready: Promise<void>;
  #dropped = 0;
  readonly #max: number;
  #messages: PubsubMessage[] = [];
  #bytes = 0;
  #waiting: { resolve: (result: IteratorResult<PubsubMessage>) => void; reject: (error: Error) => void }[] = [];
  #over = false;
  #error: { error: Error } | undefined;
  readonly #leave: () => void;

  /** @internal */
  constructor(
    topic: string,
    join: (signal?: AbortSignal) => Promise<void>,
    leave: (self: Subscription) => void,
    { signal, maxMessages = MAX_MESSAGES }: SubscribeOptions,
  ) {
    this.topic = topic;
    this.#max = maxMessages;
    const abort = (): void => this.#end({ error: signal?.reason as Error });
    this.#leave = () => {
      signal?.removeEventListener("abort", abort);
      leave(this);
    };
    signal?.addEventListener("abort", abort);
    this.ready = join(signal);
    this.ready.catch((error: Error) => this.#end({ error }));
  }

  /** Messages that were lost: the page did not read them in time, or no tab was there to take them. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The next message; done when the subscription was ended. */
  next(): Promise<IteratorResult<PubsubMessage>> {
    const message = this.#messages.shift();
    if (message) {
      this.#bytes -= message.data.length;
      return Promise.resolve({ done: false, value: message });
    }
    if (this.#error) {
      const { error } = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#over) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends the subscription and forgets what was not read. */
  return(): Promise<IteratorResult<PubsubMessage>> {
    this.#end(undefined);
    this.#messages = [];
    this.#error = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @internal */
  take(message: PubsubMessage): void {
    this.#dropped += message.dropped ?? 0;
    const waiting = this.#waiting.shift();
    if (waiting) {
      waiting.resolve({ done: false, value: message });
      return;
    }
    this.#messages.push(message);
    this.#bytes += message.data.length;
    while (this.#messages.length > this.#max || this.#bytes > MAX_MESSAGE_BYTES) {
      this.#bytes -= this.#messages.shift()!.data.length;
      this.#dropped += 1;
    }
  }

  #end(failed: { error: Error } | undefined): void {
    if (this.#over) return;
    this.#over = true;
    if (failed) this.#messages = [];
    const [first, ...others] = this.#waiting.splice(0);
    if (first && failed) first.reject(failed.error);
    else {
      this.#error = failed;
      first?.resolve({ done: true, value: undefined });
    }
    for (const { resolve } of others) resolve({ done: true, value: undefined });
    this.#leave();
  }
}

/** Topics: gossipsub. Needs `{ name: "pubsub", topics }`. */
export class Pubsub {
  readonly #rpc: Rpc;
  readonly #subscriptions = new Map<string, Set<Subscription>>();
  /** @internal */
  readonly topics: Kept;

  /** @internal */
  constructor(rpc: Rpc) {
    this.#rpc = rpc;
    this.topics = new Kept((topic, on, options) => rpc.call(on ? "pubsub.subscribe" : "pubsub.unsubscribe", { topic }, options));
    rpc.listen("pubsub.message", (message: PubsubMessage) => {
      for (const subscription of this.#subscriptions.get(message.topic) ?? []) subscription.take(message);
    });
  }

  /** Joins a topic. Messages of this node itself do not come. */
  subscribe(topic: string, options: SubscribeOptions = {}): Subscription {
    const { maxMessages } = options;
    if (maxMessages !== undefined && !(maxMessages >= 1)) throw new RangeError("a subscription keeps at least 1 message");
    let joined = false;
    const subscription = new Subscription(
      topic,
      async (signal) => {
        await this.topics.add(topic, { signal });
        joined = true;
        // It was ended meanwhile.
        if (!this.#subscriptions.get(topic)?.has(subscription)) await this.topics.remove(topic);
      },
      (self) => {
        const others = this.#subscriptions.get(topic);
        others?.delete(self);
        if (others?.size === 0) this.#subscriptions.delete(topic);
        if (joined) void this.topics.remove(topic);
      },
      options,
    );
    this.#subscriptions.set(topic, (this.#subscriptions.get(topic) ?? new Set()).add(subscription));
    return subscription;
  }

  /** Publishes a message. */
  publish(topic: string, data: Uint8Array, options?: CallOptions): Promise<Published> {
    return this.#rpc.call("pubsub.publish", { topic, data }, options);
  }

  /** The peers that are known to be in a topic. */
  async peers(topic: string, options?: CallOptions): Promise<PeerId[]> {
    return (await this.#rpc.call<TopicPeers>("pubsub.peers", { topic }, options)).peers;
  }

  /** @internal */
  close(): void {
    for (const subscriptions of this.#subscriptions.values()) {
      for (const subscription of subscriptions) void subscription.return();
    }
  }
}
