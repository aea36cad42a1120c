// The node's life in Chromium: it outlives tabs and the service worker, and comes back when it goes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { available, call, request } from "./support/page.mjs";
import { allowed, dial, echoes } from "./support/scenarios.mjs";
import { discard, scratch } from "./support/scratch.mjs";
import { startServer } from "./support/server.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/wait.mjs";

/** A browser, a site and perhaps a server, all gone with the test. */
async function setUp(t, { server: withServer = true, ...options } = {}) {
  const site = await startSite();
  t.after(() => site.close());
  const server = withServer ? await startServer() : undefined;
  t.after(() => server?.close());
  const chromium = await launchChromium(options);
  t.after(() => chromium.close());
  return { site, server, chromium };
}

test("all tabs close, another opens a minute later, after the service worker died: one connection, never closed", async (t) => {
  // DevTools would keep the worker alive.
  const { site, server, chromium } = await setUp(t, { attachWorker: false });
  const page = await allowed(chromium, site);
  const connection = await dial(page, server);
  await page.close();

  // The minute is what is tested; the worker ends after 30 s without an event.
  await new Promise((done) => setTimeout(done, 60_000));

  const later = await chromium.open(site.url());
  await available(later);
  const { connections } = await call(later, "connections.list");
  assert.deepEqual(
    connections.map(({ id, openedAt }) => [id, openedAt]),
    [[connection.id, connection.openedAt]],
  );
  await call(later, "peers.ping", { peer: server.peer });
  await echoes(later, server.peer, [10_000]);
  assert.deepEqual([server.opened(), server.closed()], [1, 0]);
});

test("the service worker is stopped: requests, connection and prompts go on", async (t) => {
  const { site, server, chromium } = await setUp(t);
  const page = await allowed(chromium, site, [{ name: "dial", privateNetwork: true }]);
  await dial(page, server);
  const stopped = await chromium.worker();
  await stopped.close();
  await call(page, "peers.ping", { peer: server.peer });
  assert.deepEqual([server.opened(), server.closed()], [1, 0]);

  // This wakes it again: the storage, the window and the badge are its.
  const own = await startSite();
  t.after(() => own.close());
  const other = await allowed(chromium, own, [{ name: "peers" }], { duration: "always" });
  assert.equal((await call(other, "connections.list")).connections.length, 1);
});

test("the browser restarts with its profile: same peer id, lasting grants stay, session grants go", async (t) => {
  const profile = scratch("profile");
  t.after(() => discard(profile));
  const lasting = await startSite();
  const passing = await startSite();
  t.after(() => Promise.all([lasting.close(), passing.close()]));

  let first;
  let chromium = await launchChromium({ profile });
  try {
    const page = await allowed(chromium, lasting, [{ name: "identity" }], { duration: "always" });
    first = await call(page, "identity.get");
    await allowed(chromium, passing, [{ name: "identity" }], { duration: "session" });
  } finally {
    await chromium.close();
  }

  chromium = await launchChromium({ profile });
  try {
    const page = await chromium.open(lasting.url());
    await available(page);
    assert.equal((await call(page, "identity.get")).peerId, first.peerId);
    const other = await chromium.open(passing.url());
    await available(other);
    assert.deepEqual(await call(other, "permissions.query"), { granted: [] });
  } finally {
    await chromium.close();
  }
});

test("with Chromium's NoSdpMangleUfrag trial forced on, it still connects", async (t) => {
  const { site, server, chromium } = await setUp(t, {
    args: ["--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/"],
  });
  const page = await allowed(chromium, site);
  await dial(page, server);
  await call(page, "peers.ping", { peer: server.peer });
  await echoes(page, server.peer, [100_000]);
});

test("the host document is closed: what it had gets 4900, and a new one is there within 3 s", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  const page = await chromium.open(site.url());
  await available(page);
  const pending = request(page, "permissions.request", { permissions: [{ name: "identity" }] });
  await chromium.prompt();
  const close = async () => (await chromium.worker()).evaluate(() => chrome.offscreen.closeDocument());

  const start = Date.now();
  await close();
  const { error } = await pending;
  assert.equal(error?.code, 4900);
  assert.ok(Date.now() - start < 2_000, "answered at once");
  await call(page, "node.hello");
  assert.ok(Date.now() - start < 3_000, `back after ${Date.now() - start} ms`);
  await until("the prompt of the node that went to close", async () => (await chromium.promptsOpen()).length === 0);

  // With nobody there to ask for it.
  await page.close();
  await close();
  await until("a new host document", () => chromium.hostTarget(), 3_000);
  const contexts = await (await chromium.worker()).evaluate(async () => {
    const found = await chrome.runtime.getContexts({ contextTypes: ["OFFSCREEN_DOCUMENT"] });
    return found.length;
  });
  assert.equal(contexts, 1);
});

test("many who ask for a host at once get one", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  const pages = await Promise.all(Array.from({ length: 8 }, () => chromium.open(site.url())));
  await Promise.all(pages.map(available));
  await (await chromium.worker()).evaluate(() => chrome.offscreen.closeDocument());
  await Promise.all(pages.map((page) => call(page, "node.hello")));
  const count = chromium.browser.targets().filter((each) => each.url().endsWith("/host.html")).length;
  assert.equal(count, 1);
});

/** What a panic in the node's wasm looks like to the document it runs in. */
const trap = async (chromium) =>
  (await chromium.host()).evaluate(() => {
    setTimeout(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
  });

test("the node crashes: it is replaced and keeps its identity; crashing over and over it counts as failed", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  const page = await allowed(chromium, site, [{ name: "identity" }]);
  const { peerId } = await call(page, "identity.get");
  const pending = request(page, "permissions.request", { permissions: [{ name: "peers" }] });
  await chromium.prompt();
  await trap(chromium);
  assert.equal((await pending).error?.code, 4900);
  // The grant was for the session, and the session goes on.
  assert.equal((await call(page, "identity.get")).peerId, peerId);

  for (let crash = 2; crash <= 5; crash += 1) {
    await trap(chromium);
    await until("the node to be back", async () => {
      const { result } = await request(page, "node.status");
      return result && (crash < 5 ? result.state !== "failed" : result.state === "failed");
    });
  }
  const { reason } = await call(page, "node.status");
  assert.match(reason, /crashed/);
  assert.equal((await request(page, "identity.get")).error?.code, 4900);
});

test("the extension is reloaded: open pages hear of the new one", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  const page = await chromium.open(site.url());
  await available(page);
  await chromium.reload();
  await page.waitForFunction(() => window.node.notifications("node.available").length === 2, { timeout: 20_000 });
  const answers = await page.evaluate(async () => {
    await window.node.request("node.hello", {}, "after");
    await window.node.request("node.status");
    return window.node.answers("after").length;
  });
  assert.equal(answers, 1);
});

test("a host that is gone for good is answered for within 2 s", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  const page = await chromium.open(site.url());
  await available(page);
  // Neither a host nor anybody who could make one.
  await (await chromium.worker()).evaluate(() => {
    chrome.offscreen.createDocument = () => Promise.reject(new Error("not in this test"));
    return chrome.offscreen.closeDocument();
  });
  const answers = await Promise.all(Array.from({ length: 5 }, () => request(page, "node.hello")));
  for (const { error, ms } of answers) {
    assert.equal(error?.code, 4900);
    assert.ok(ms < 2_500, `${ms} ms`);
  }
});
