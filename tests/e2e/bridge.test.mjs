// The way past the runtime Port: a document that carries much moves to a MessagePort of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSite, inOneBrowser } from "./support/both.mjs";
import { carries } from "./support/bridge.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { available, call } from "./support/page.mjs";
import { allowed, dial, echoes } from "./support/scenarios.mjs";
import { until } from "./support/wait.mjs";

let chromium;
let server;

inOneBrowser(launchChromium, {}, (shared) => {
  ({ browser: chromium, server } = shared);
});

/** A page of a fresh site, at `path`, with its connection. */
const opens = (t, path) => async () => {
  const site = await freshSite(t);
  const first = await allowed(chromium, site);
  const page = await chromium.open(site.url(path));
  await available(page);
  await first.close();
  await dial(page, server);
  return page;
};

test("streams go past the Port, also in a page that allows no frames", async (t) => {
  for (const path of ["/", "/strict"]) {
    const page = await carries(chromium, opens(t, path), server, { past: true });
    await page.close();
  }
});

test("where a frame is impossible they go over the Port", async (t) => {
  const page = await carries(chromium, opens(t, "/isolated"), server, { past: false });
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  await page.close();
});

test("a new host gets a MessagePort of its own", async (t) => {
  const page = await carries(chromium, opens(t), server, { past: true });
  const workers = () => chromium.browser.targets().filter((each) => each.type() === "shared_worker").length;
  assert.equal(workers(), 1);
  await (await chromium.worker()).evaluate(() => chrome.offscreen.closeDocument());
  await until("the old worker to go with its host", () => workers() === 0);
  await until("the node to be back", async () => (await call(page, "node.status")).state === "online");
  await dial(page, server);
  // The document is the same, so a worker is there only if it has asked anew.
  await echoes(page, server.peer, [1, 1024 * 1024]);
  await until("a new worker", () => workers() === 1);
  await echoes(page, server.peer, [1024 * 1024]);
  await page.close();
});

test("a MessagePort with a token that was not given, or was used, reaches nobody", async (t) => {
  const host = await chromium.host();
  await host.evaluate(() => {
    globalThis.tokens = [];
    const { randomUUID } = crypto;
    crypto.randomUUID = () => {
      const token = randomUUID.call(crypto);
      globalThis.tokens.push(token);
      return token;
    };
    globalThis.portsClosed = 0;
    const { close } = MessagePort.prototype;
    MessagePort.prototype.close = function () {
      globalThis.portsClosed += 1;
      close.call(this);
    };
  });
  const page = await carries(chromium, opens(t, "/"), server, { past: true });
  const [used, ...others] = await host.evaluate(() => globalThis.tokens);
  assert.ok(used);
  assert.deepEqual(others, []);
  const before = await host.evaluate(() => globalThis.portsClosed);
  // What the frame does, in a page of the extension.
  const own = await chromium.openOwn("popup.html");
  await own.evaluate((tokens) => {
    window.heard = [];
    for (const token of tokens) {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => window.heard.push(data);
      port1.postMessage({ t: "rpc", m: { id: 1, jsonrpc: "2.0", method: "node.status" } });
      new SharedWorker(chrome.runtime.getURL("bridge-worker.js")).port.postMessage(token, [port2]);
      (window.kept ??= []).push(port1);
    }
  }, ["no token", "", "00000000-0000-4000-8000-000000000000", "__proto__", used]);
  // Asked in the host: Chromium tells the other end nothing of it.
  await until("the host to have closed them", async () => (await host.evaluate(() => globalThis.portsClosed)) === before + 5);
  // The one that has a MessagePort keeps it, and its answers come to it alone.
  await echoes(page, server.peer, [1]);
  assert.equal((await call(page, "node.status")).state, "online");
  assert.deepEqual(await own.evaluate(() => window.heard), []);
  await own.close();
  await page.close();
});
