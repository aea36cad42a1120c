/** How many ports of pages are open, so that no tab and no site takes what others need. The extension's own are not counted. */
import { MAX_PORTS, MAX_PORTS_PER_ORIGIN, MAX_PORTS_PER_TAB } from "./limits";
import type { Sender } from "./sender";

export class PagePorts {
  #all = 0;
  readonly #byOrigin = new Map<string, number>();
  readonly #byTab = new Map<number, number>();

  /** Counts a page's port; how to give its place back, or undefined when it has none. */
  take({ origin = "", tabId = -1 }: Sender): (() => void) | undefined {
    const ofOrigin = this.#byOrigin.get(origin) ?? 0;
    const ofTab = this.#byTab.get(tabId) ?? 0;
    if (this.#all >= MAX_PORTS || ofOrigin >= MAX_PORTS_PER_ORIGIN || ofTab >= MAX_PORTS_PER_TAB) return undefined;
    this.#all += 1;
    this.#byOrigin.set(origin, ofOrigin + 1);
    this.#byTab.set(tabId, ofTab + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#all -= 1;
      less(this.#byOrigin, origin);
      less(this.#byTab, tabId);
    };
  }
}

function less<K>(counts: Map<K, number>, key: K): void {
  const left = (counts.get(key) ?? 0) - 1;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}
