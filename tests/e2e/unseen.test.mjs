// The extension's frame in a page whose stream moves to a MessagePort tells the page nothing of where it comes from: Firefox gives each
// installation an address of its own, which would be the same name for this visitor on every site. Inside a network namespace
// (support/namespace.mjs says why).
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { launchFirefox } from "./support/firefox.mjs";
import { allowed, dial, echoes } from "./support/scenarios.mjs";
import { startServer } from "./support/server.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/wait.mjs";

/** Runs in the page, before anything else of it: keeps as text all that it is told of what is loaded, put into it or posted to it. */
function watch() {
  const seen = [];
  window.seen = seen;
  window.addEventListener("securitypolicyviolation", ({ blockedURI, sourceFile, effectiveDirective }) => seen.push(["policy", effectiveDirective, blockedURI, sourceFile]));
  for (const type of ["load", "error"]) window.addEventListener(type, ({ target }) => seen.push([type, target?.src]), true);
  window.addEventListener("message", ({ origin }) => seen.push(["message", origin]));
  new PerformanceObserver((list) => list.getEntries().forEach(({ entryType, name }) => seen.push([entryType, name]))).observe({ entryTypes: ["resource", "navigation"] });
  const location = (frame) => {
    try {
      return frame.location.href;
    } catch (error) {
      return error.name;
    }
  };
  new MutationObserver((records) => {
    for (const { addedNodes } of records) {
      for (const node of addedNodes) seen.push(["node", node.outerHTML, String(node.shadowRoot), ...Array.from(window, location)]);
    }
  }).observe(document, { childList: true, subtree: true });
}

const POLICIES = { none: undefined, "no frames": "frame-src 'none'", "nothing but scripts": "default-src 'none'; script-src 'unsafe-inline' 'self'" };

let server;
before(async () => {
  server = await startServer({ host });
});
after(() => server?.close());

for (const [browser, launch] of Object.entries({ Chromium: launchChromium, Firefox: launchFirefox })) {
  test(`a page finds nothing of the address of the extension's frame, in ${browser}`, async (t) => {
    const launched = await launch();
    t.after(() => launched.close());
    for (const [name, policy] of Object.entries(POLICIES)) {
      const headers = policy ? { "content-security-policy": policy } : {};
      const body = `<!doctype html><title>watches</title><script>(${watch})()</script><script src="/client.js"></script>`;
      const site = await startSite("127.0.0.1", "127.0.0.1", { routes: { "/": () => ({ body, headers }) } });
      t.after(() => site.close());
      const page = await allowed(launched, site);
      await dial(page, server);
      await echoes(page, server.peer, [1, 1024 * 1024]);
      // Else there was nothing to be found.
      const came = () => page.evaluate(() => window.seen.some(([what, html]) => what === "node" && html?.startsWith("<div hidden")));
      await until("the frame's place in the page", came);
      await until("the page without it", () => page.evaluate(() => document.documentElement.querySelectorAll(":scope > div").length === 0));
      const told = await page.evaluate(() => JSON.stringify([window.seen, performance.getEntries(), document.documentElement.outerHTML]));
      assert.doesNotMatch(told, /ShadowRoot/, `policy: ${name}`);
      assert.doesNotMatch(told, /extension:/, `policy: ${name}`);
      assert.doesNotMatch(told, new RegExp(new URL(launched.origin).host), `policy: ${name}`);
      await page.close();
    }
  });
}
