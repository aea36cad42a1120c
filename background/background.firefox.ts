/**
 * Firefox's background page, which is persistent (docs/adr/0002-firefox-background.md): the node lives in it, so there
 * is nothing to wake and nothing to broker.
 */
import { startHost } from "../extension/host/supervisor";
import { loadPlatform } from "../extension/host/platform.firefox";
import { promptClosed } from "./prompts";

// Firefox's `browser` has Chrome's promise-returning shape.
declare const browser: typeof chrome;

startHost(loadPlatform);

browser.windows.onRemoved.addListener((window) => void promptClosed(window));

browser.runtime.onMessage.addListener((message: unknown, sender, respond) => {
  const request = message as { to?: unknown; type?: unknown } | null;
  if (request?.to !== "background" || request.type !== "host.ensure" || sender.id !== browser.runtime.id) return undefined;
  // Whoever gets this answer talks to the page that has the node. `true` would promise a later one.
  respond({ ok: true });
  return undefined;
});
