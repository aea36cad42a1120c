// The user keeps the node from sites that hold nothing: to them the extension is not there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { available, call, request } from "./support/page.mjs";
import { allowed } from "./support/scenarios.mjs";
import { setUp } from "./support/set-up.mjs";
import { startSite } from "./support/site.mjs";

/** Has the host obey a command, as the popup would. */
async function obey(chromium, command) {
  const popup = await chromium.openOwn("popup.html");
  const error = await popup.evaluate(
    (command) =>
      new Promise((done) => {
        const port = chrome.runtime.connect({ name: "popup" });
        port.onMessage.addListener((message) => message.t === "done" && done(message.error ?? null));
        port.postMessage({ id: 1, ...command });
      }),
    command,
  );
  assert.equal(error, null);
  await popup.close();
}

/** A page that asks for all it can, in good order and not. */
async function curious(chromium, url) {
  const page = await chromium.open(url);
  await page.evaluate(() => {
    void window.node.request("node.hello");
    void window.node.request("nothing.such");
    window.node.post({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: null, method: "node.hello" } });
    window.node.post({ mooring: 2, to: "node", message: { id: 1 } });
  });
  return page;
}

const heardNothing = async (page) => assert.deepEqual(await page.evaluate(() => window.node.messages), []);

test("a site that holds nothing meets silence, also before there is a host; one that is allowed does not", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  const other = await startSite();
  t.after(() => other.close());
  const page = await allowed(chromium, site, [{ name: "peers" }]);
  await obey(chromium, { command: "setAnnounced", everywhere: false });

  const stranger = await curious(chromium, other.url());
  const again = await chromium.open(site.url());
  await available(again);
  assert.equal((await call(again, "node.hello")).version, 1);
  await call(page, "connections.list");
  await heardNothing(stranger);
  await stranger.close();

  // Neither a host nor anybody who could make one: others hear of that after 2 s.
  await (await chromium.worker()).evaluate(() => {
    chrome.offscreen.createDocument = () => Promise.reject(new Error("not in this test"));
    return chrome.offscreen.closeDocument();
  });
  const early = await curious(chromium, other.url());
  assert.equal((await request(page, "node.hello")).error?.code, 4900);
  await early.waitForFunction(() => performance.now() > 4_000);
  await heardNothing(early);
});

test("switched on again, every site is told", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  await obey(chromium, { command: "setAnnounced", everywhere: false });
  await obey(chromium, { command: "setAnnounced", everywhere: true });
  const page = await curious(chromium, site.url());
  await available(page);
  await page.waitForFunction(() => window.node.messages.filter(({ error }) => error?.code === -32600).length === 2);
});
