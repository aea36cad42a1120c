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
