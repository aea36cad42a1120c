// What ships, in Chromium: link-time optimisation and wasm-opt are in no other build that is tested.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { extensionDir } from "../e2e/support/binaries.mjs";
import { freshSite, inOneBrowser } from "../e2e/support/both.mjs";
import { launchChromium } from "../e2e/support/chromium.mjs";
import { call } from "../e2e/support/page.mjs";
import { allowed, dial, echoes, manyEchoes } from "../e2e/support/scenarios.mjs";

let chromium;
let server;

inOneBrowser(launchChromium, {}, (shared) => {
  ({ browser: chromium, server } = shared);
});

test("it is a release: without what only tests may do, and without names", () => {
  const wasm = new WebAssembly.Module(fs.readFileSync(path.join(extensionDir("chrome"), "mooring_host_bg.wasm")));
  assert.deepEqual(WebAssembly.Module.exports(wasm).filter(({ name }) => name.toLowerCase().includes("trap")), []);
  assert.deepEqual(WebAssembly.Module.customSections(wasm, "name"), []);
});

test("it dials, pings, and streams echo what was sent by hash", async (t) => {
  const page = await allowed(chromium, await freshSite(t));
  await dial(page, server);
  const { rttMs } = await call(page, "peers.ping", { peer: server.peer });
  assert.ok(rttMs > 0 && rttMs < 5_000, `${rttMs} ms`);
  await echoes(page, server.peer, [1, 16_384, 262_144, 4 * 1024 * 1024]);
  await manyEchoes(page, server.peer, 200, 20);
  assert.equal(server.closed(), 0);
  await page.close();
});
