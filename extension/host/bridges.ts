/** MessagePorts on their way from documents, each known by the token that its document was given over its runtime Port. */
import { BRIDGE_WAIT, I_AM_THE_HOST, WORKER } from "../bridge/messages";

export class Bridges {
  readonly #offers = new Map<string, (bridge: MessagePort) => void>();
  #worker: SharedWorker | undefined;

  /** A token for one MessagePort, which `take` gets if it comes in time; undefined where the browser has no such way. */
  offer(take: (bridge: MessagePort) => void): string | undefined {
    if (!this.#reachable()) return undefined;
    const token = crypto.randomUUID();
    const limit = setTimeout(() => this.#offers.delete(token), BRIDGE_WAIT);
    this.#offers.set(token, (bridge) => {
      clearTimeout(limit);
      take(bridge);
    });
    return token;
  }

  /** The worker that brings them; made when the first document asks, as many never do. */
  #reachable(): boolean {
    if (this.#worker) return true;
    try {
      this.#worker = new SharedWorker(`/${WORKER}`);
    } catch {
      return false;
    }
    const { port } = this.#worker;
    port.onmessage = ({ data, ports: [bridge] }: MessageEvent<string>) => {
      const take = this.#offers.get(data);
      this.#offers.delete(data);
      if (!bridge) return;
      if (take) take(bridge);
      else bridge.close();
    };
    port.postMessage(I_AM_THE_HOST);
    return true;
  }
}
