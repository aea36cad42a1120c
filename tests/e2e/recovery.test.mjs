// What goes wrong in Chromium, and how the extension recovers: the host document goes, the node crashes, the extension reloads.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { available, call, heard, request } from "./support/page.mjs";
import { allowed } from "./support/scenarios.mjs";
import { discard, scratch } from "./support/scratch.mjs";
import { setUp } from "./support/set-up.mjs";
import { startSite } from "./support/site.mjs";
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

/** What the page hears of the node's state from now on. */
async function listening(page) {
  await call(page, "events.subscribe", { events: ["node.stateChanged"] });
  let known = (await heard(page, "node.stateChanged")).length;
  return {
    /** Waits for the next states, one after the other; how long it took. */
    async hears(...states) {
      const begun = Date.now();
      for (const wanted of states) {
        await until(`the state ${wanted}`, async () => {
          const all = await heard(page, "node.stateChanged");
          const at = all.findIndex(({ state }, index) => index >= known && state === wanted);
          if (at < 0) return false;
          known = at + 1;
          return true;
        });
      }
      return Date.now() - begun;
    },
  };
}

test("a page that only listens hears within 2 s that the node went, and that another runs", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  const page = await chromium.open(site.url());
  await available(page);
  const state = await listening(page);
  for (const end of [() => trap(chromium), async () => (await chromium.worker()).evaluate(() => chrome.offscreen.closeDocument())]) {
    await end();
    assert.ok((await state.hears("starting")) < 2_000);
    assert.ok((await state.hears("online")) < 3_000);
  }
});

test("safe mode outlasts the browser and is said to pages and in the popup; the user starts the node again", async (t) => {
  const profile = scratch("profile");
  t.after(() => discard(profile));
  const site = await startSite();
  t.after(() => site.close());
  const { peerId } = await crashesTooOften(profile, site);

  const chromium = await launchChromium({ profile });
  t.after(() => chromium.close());
  const page = await chromium.open(site.url());
  await available(page);
  const { state, reason } = await call(page, "node.status");
  assert.equal(state, "failed");
  assert.match(reason, /crashed 5 times in a row; the last time: /);
  const popup = await chromium.openOwn("popup.html");
  await popup.waitForSelector('[data-testid="start-again"]', { timeout: 10_000 });
  const shown = await popup.evaluate(() => document.querySelector('[data-testid="status"]').textContent);
  assert.match(shown, /The node was stopped: .*crashed 5 times in a row/);
  await popup.click('[data-testid="start-again"]');
  await until("the node to run", async () => (await request(page, "node.status")).result?.state === "online");
  assert.equal((await call(page, "identity.get")).peerId, peerId, "the same node");
});

/** A run of the browser in which the node ends in safe mode. */
async function crashesTooOften(profile, site) {
  const chromium = await launchChromium({ profile });
  try {
    const page = await allowed(chromium, site, [{ name: "identity" }], { duration: "always" });
    const own = await call(page, "identity.get");
    const state = await listening(page);
    for (let crash = 1; crash <= 5; crash += 1) {
      await trap(chromium);
      assert.ok((await state.hears("starting")) < 2_000);
      await state.hears(crash < 5 ? "online" : "failed");
    }
    return own;
  } finally {
    await chromium.close();
  }
}

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
  const state = await listening(page);
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
  // It is being started anew; and then it is said that this does not help.
  await state.hears("starting", "failed");
});
