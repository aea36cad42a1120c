// What goes wrong in Chromium, and how the extension recovers: the host document goes, the node crashes, the extension reloads.
import assert from "node:assert/strict";
import { test } from "node:test";
import { available, call, request } from "./support/page.mjs";
import { allowed } from "./support/scenarios.mjs";
import { setUp } from "./support/set-up.mjs";
import { until } from "./support/wait.mjs";

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

/** Makes a task in the node's wasm panic, as a fault would: the instance traps. */
const trap = async (chromium) => (await chromium.host()).evaluate(() => globalThis.mooringTrap());

test("the node crashes: it is replaced and keeps its identity; crashing over and over it counts as failed", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  const page = await allowed(chromium, site, [{ name: "identity" }], { duration: "once" });
  const { peerId } = await call(page, "identity.get");
  const pending = request(page, "permissions.request", { permissions: [{ name: "peers" }] });
  await chromium.prompt();
  await trap(chromium);
  assert.equal((await pending).error?.code, 4900);
  // The grant was for this document, and the document is still there.
  assert.equal((await call(page, "identity.get")).peerId, peerId);
  const another = await chromium.open(site.url());
  await available(another);
  assert.equal((await request(another, "identity.get")).error?.code, 4100);
  await another.close();

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
