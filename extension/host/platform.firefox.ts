/** The platform as Firefox's background page has it: it may do everything itself. */
import { setBadge } from "../../background/badge";
import { closePrompt, openPrompt } from "../../background/prompts";
import { openStore } from "./indexed-db";
import type { Platform, Store } from "./platform";
import { extensionOrigin } from "./sender";

// Firefox's `browser` has Chrome's promise-returning shape; MV2 calls the button `browserAction`.
declare const browser: typeof chrome & { browserAction: typeof chrome.action };

/** The database that holds all there is to keep. */
export const STORE = "mooring";

const session: Store = {
  get: async (key) => (await browser.storage.session.get(key))[key],
  set: (key, value) => browser.storage.session.set({ [key]: value }),
  remove: (key) => browser.storage.session.remove(key),
};

export function loadPlatform(): Promise<Platform> {
  const manifest = browser.runtime.getManifest();
  return Promise.resolve({
    extensionOrigin: extensionOrigin(),
    product: manifest.name,
    version: manifest.version,
    browser: "firefox",
    storage: openStore(STORE),
    session,
    openPrompt,
    closePrompt,
    setBadge: (state, connections) => void setBadge(browser.browserAction, state, connections).catch(() => undefined),
  });
}
