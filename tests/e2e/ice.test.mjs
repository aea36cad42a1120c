// Which STUN servers are asked, and when: as the user chose, and only while a connection by `/webrtc` is made.
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { askServers } from "./support/ice.mjs";
import { connectionsTo, dialDirectly, pair } from "./support/pair.mjs";
import { call } from "./support/page.mjs";
import { startServer } from "./support/server.mjs";
import { startSite } from "./support/site.mjs";
import { startStun } from "./support/stun.mjs";
import { until } from "./support/wait.mjs";

const by = (id) => `[data-testid="${id}"]`;

/** Types the list in the popup, and saves it. */
async function save(popup, list) {
  await popup.bringToFront();
  await popup.$eval(by("servers"), (input, list) => (input.value = list), list);
  await popup.click(by("servers-save"));
}

test("the servers that the user chose are asked for a connection by /webrtc, and no others", async (t) => {
  const [near, far] = [await launchChromium(), await launchChromium()];
  t.after(() => Promise.all([near.close(), far.close()]));
  const relay = await startServer({ host });
  t.after(() => relay.close());
  const site = await startSite();
  t.after(() => site.close());
  const stun = await startStun(host);
  t.after(() => stun.close());
  const pages = await pair(near, far, site, relay);

  const popup = await far.openOwn("popup.html");
  await popup.click(`${by("settings")} summary`);
  const shown = () => popup.$eval(by("servers"), ({ value }) => value);
  await until("the choice to be shown", async () => (await shown()) === "");
  await save(popup, `\n ${stun.url} \nturn:10.83.0.1 secretly`);
  const said = await popup.waitForSelector(by("notice"));
  const words = await said.evaluate((notice) => notice.textContent);
  assert.match(words, /Line 3 names no server/);
  assert.doesNotMatch(words, /secretly/);
  await save(popup, `\n ${stun.url} \n`);
  await until("the list to be taken", async () => (await shown()) === stun.url && !(await popup.$(by("notice"))));
  assert.equal(stun.asked(), 0, "asked before there is a reason");

  const again = async () => {
    await pages.far.bringToFront();
    await dialDirectly(pages.far, pages.peer, pages.addresses);
    await call(pages.far, "connections.release", { peer: pages.peer });
    await until("the connection to end", async () => (await connectionsTo(pages.far, pages.peer)).length === 0, 60_000);
  };
  await again();
  const asked = stun.asked();
  assert.ok(asked > 0, "it was not asked");

  // The next connection is made without.
  await askServers(far, []);
  await until("the popup to show none", async () => (await shown()) === "");
  await again();
  assert.equal(stun.asked(), asked);

  await popup.bringToFront();
  await popup.click(by("servers-default"));
  await until("the default to be shown", async () => /^stun:[^\n]+\nstun:[^\n]+$/.test(await shown()));
});
