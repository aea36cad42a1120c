/**
 * What the page wants of the node until it says otherwise: events, topics, protocols. The node forgets it when it is started
 * anew, when the extension is reloaded, and when the document goes to the back/forward cache; this tells it again.
 */
import { isError, MooringError } from "./errors.js";
import { RESTORE_MAX, RESTORE_MIN } from "./limits.js";
import type { CallOptions, Rpc } from "./rpc.js";

/** One sort of it, by name. Its size is bounded by the node, which refuses more than an origin may have. */
export class Kept {
  readonly #counts = new Map<string, number>();
  /** Something is wanted that the node would not give, for want of a permission perhaps. */
  refused = false;
  readonly #tell: (name: string, on: boolean, options?: CallOptions) => Promise<unknown>;

  constructor(tell: (name: string, on: boolean, options?: CallOptions) => Promise<unknown>) {
    this.#tell = tell;
  }

  get names(): string[] {
    return [...this.#counts.keys()];
  }

  /**
   * Wants it, once more; rejects, and wants it no more, when the node refuses.
   * @param patient wants it still: a node that is not running is told when it is, one that refuses when there are new permissions
   */
  async add(name: string, options?: CallOptions, patient = false): Promise<void> {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    try {
      await this.#tell(name, true, options);
    } catch (error) {
      // The request that met no node has the `Restorer` running.
      if (patient && isError(error, "NodeNotRunning")) return;
      if (patient) this.refused = true;
      else await this.remove(name, isUncertain(error));
      throw error;
    }
  }

  /** Wants it once less. The node is told after the last, if it may have it; what it says to that matters to nobody. */
  async remove(name: string, had = true): Promise<void> {
    const count = (this.#counts.get(name) ?? 0) - 1;
    if (count > 0) this.#counts.set(name, count);
    else if (this.#counts.delete(name) && had) await this.#tell(name, false).catch(() => undefined);
  }

  /** Wants nothing any more. */
  clear(): void {
    for (const name of this.names) {
      this.#counts.delete(name);
      void this.#tell(name, false).catch(() => undefined);
    }
  }

  async restore(name: string): Promise<void> {
    if (this.#counts.has(name)) await this.#tell(name, true);
  }
}

/** Whether the node may have done what it was asked although the answer is an error: nobody waited for it. */
function isUncertain(error: unknown): boolean {
  return !(error instanceof MooringError) || isError(error, "Timeout");
}

/** Tells the node again, until it has heard. */
export class Restorer {
  readonly #kinds: Kept[];
  readonly #failed: (error: MooringError) => void;
  #running = false;
  #again = false;
  #wake: () => void = () => {};
  #closed = false;

  /** `failed` hears of what the node would not take back. */
  constructor(rpc: Rpc, kinds: Kept[], failed: (error: MooringError) => void) {
    this.#kinds = kinds;
    this.#failed = failed;
    rpc.onNotRunning = () => void this.#run();
  }

  /** The node is there, and is not the one that was told. */
  restore(): void {
    this.#again = true;
    this.#wake();
    void this.#run();
  }

  /** There are new permissions. */
  granted(): void {
    if (this.#kinds.some(({ refused }) => refused)) this.restore();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    if (this.#running || this.#closed || this.#kinds.every(({ names }) => names.length === 0)) return;
    this.#running = true;
    let pause = RESTORE_MIN;
    do {
      this.#again = false;
      if (await this.#tellAll()) continue;
      await new Promise<void>((wake) => {
        this.#wake = wake;
        setTimeout(wake, pause);
      });
      pause = Math.min(pause * 2, RESTORE_MAX);
      this.#again = true;
    } while (this.#again && !this.#closed);
    this.#running = false;
  }

  /** False when the node is still not running. */
  async #tellAll(): Promise<boolean> {
    for (const kind of this.#kinds) {
      kind.refused = false;
      for (const name of kind.names) {
        try {
          await kind.restore(name);
        } catch (error) {
          if (this.#closed) return true;
          if (isError(error, "NodeNotRunning")) return false;
          kind.refused = true;
          if (error instanceof MooringError) this.#failed(error);
        }
      }
    }
    return true;
  }
}
