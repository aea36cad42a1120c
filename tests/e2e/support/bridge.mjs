// Whether a document's streams go past its runtime Port (extension/bridge/messages.ts).
import assert from "node:assert/strict";
import { echoes } from "./scenarios.mjs";
import { until } from "./wait.mjs";

const SIZE = 4 * 1024 * 1024;

/** Counts what content scripts say over their runtime Ports from now on: in the host, where they all arrive. */
async function portMessages(launched) {
  if (launched.kind === "chromium") {
    const host = await launched.host();
    await host.evaluate(() => {
      globalThis.portMessages = 0;
      chrome.runtime.onConnect.addListener((port) => port.onMessage.addListener(() => (globalThis.portMessages += 1)));
    });
    return { count: () => host.evaluate(() => globalThis.portMessages), close: async () => undefined };
  }
  // The background page is within reach of the extension's other pages alone.
  const popup = await launched.openOwn("popup.html");
  await popup.evaluate(async () => {
    const background = await browser.runtime.getBackgroundPage();
    background.portMessages = 0;
    background.browser.runtime.onConnect.addListener((port) => port.onMessage.addListener(() => (background.portMessages += 1)));
  });
  return {
    count: () => popup.evaluate(async () => (await browser.runtime.getBackgroundPage()).portMessages),
    close: () => popup.close(),
  };
}

/**
 * `open` makes a page with its grants and its connection. A first stream, on which the document moves, then one of 4 MiB: whole, and
 * over the runtime Port or past it.
 */
export async function carries(launched, open, server, { past }) {
  const counter = await portMessages(launched);
  const page = await open();
  await echoes(page, server.peer, [1, SIZE]);
  const before = await counter.count();
  assert.ok(before > 0, "the counter hears the Port");
  await echoes(page, server.peer, [SIZE]);
  const more = (await counter.count()) - before;
  if (past) assert.equal(more, 0, "nothing goes over the Port any more");
  else assert.ok(more > 16, `${more} messages over the Port`);
  const traces = () => page.evaluate(() => document.documentElement.querySelectorAll("div, iframe").length);
  await until("every trace in the page to be gone", async () => (await traces()) === 0);
  await counter.close();
  return page;
}
