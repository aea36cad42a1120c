/**
 * Firefox's background page, which is persistent (docs/adr/0002-firefox-background.md): the node lives in it, so there
 * is nothing to wake and nothing to broker.
 */
import { startHost } from "../extension/host/supervisor";
import { isAnnounced } from "../extension/host/announced";
import { openStore } from "../extension/host/indexed-db";
import { loadPlatform, STORE } from "../extension/host/platform.firefox";
import { promptClosed } from "./prompts";

// Firefox's `browser` has Chrome's promise-returning shape.
declare const browser: typeof chrome;

startHost(loadPlatform);

browser.windows.onRemoved.addListener((window) => void promptClosed(window));

browser.runtime.onMessage.addListener((message: unknown, sender, respond) => {
  const request = message as { to?: unknown; type?: unknown } | null;
  if (request?.to !== "background" || sender.id !== browser.runtime.id) return undefined;
  if (request.type === "host.announced") {
    void isAnnounced(openStore(STORE)).then((value) => respond({ ok: true, value }));
    return true;
  }
  // Whoever gets this answer talks to the page that has the node. `true` would promise a later one.
  if (request.type === "host.ensure") respond({ ok: true });
  return undefined;
});
