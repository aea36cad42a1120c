// The Rust client in Chromium, with the packaged extension.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { root } from "./support/binaries.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { answerPrompt } from "./support/prompt.mjs";
import { ECHO } from "./support/scenarios.mjs";
import { startServer } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const TOPIC = "rust";
const page = `<!doctype html><title>rust</title><script type="module">
  import start, { Probe } from "/mooring_client_probe.js";
  window.notes = [];
  window.note = (text) => window.notes.push(text);
  window.posted = [];
  addEventListener("message", ({ data }) => window.posted.push(data));
  await start();
  window.probe = await Probe.connect();
</script>`;

let chromium;
let server;
let site;

before(async () => {
  const folder = path.join(root, "target/pkg/client-probe");
  site = http.createServer(({ url }, response) => {
    const type = url.endsWith(".js") ? "text/javascript" : url.endsWith(".wasm") ? "application/wasm" : "text/html";
    response.writeHead(200, { "content-type": type, "cache-control": "no-store" });
    response.end(type === "text/html" ? page : fs.readFileSync(path.join(folder, path.basename(url))));
  });
  await new Promise((done) => site.listen(0, "127.0.0.1", done));
  server = await startServer();
  chromium = await launchChromium();
});

after(async () => {
  await chromium?.close();
  await server?.close();
  site?.closeAllConnections();
  site?.close();
});

async function connected() {
  const page = await chromium.open(`http://127.0.0.1:${site.address().port}/`);
  await page.waitForFunction(() => window.probe, { timeout: 30_000, polling: 50 });
  return page;
}

const notes = (page) => page.evaluate(() => window.notes);

test("it asks, dials, echoes, hears events, and a dropped call is cancelled", async (t) => {
  const page = await connected();
  t.after(() => page.close());
  const refused = await page.evaluate(() => window.probe.listen().catch((code) => code));
  assert.equal(refused, 4100);
  const allowed = page.evaluate((topic, protocol) => window.probe.allow(topic, protocol), TOPIC, ECHO);
  // Beyond the extension's reload.
  await answerPrompt(chromium, "allow", { duration: "always" });
  assert.equal(await allowed, 4);
  await page.evaluate(() => window.probe.listen());
  const total = 1024 * 1024 + 1;
  assert.equal(await page.evaluate((...args) => window.probe.echo(...args), server.address, ECHO, total), total);
  await until("the event", async () => (await notes(page)).includes(`peer ${server.peer}`));

  await page.evaluate((address) => window.probe.give_up(address), "/ip4/127.0.0.1/udp/9/webrtc-direct/certhash/uEiDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w/p2p/12D3KooWGzXnbQ4oBFCNqbLvb9eKc8XJw6gTRNRHJTK6xQtkjLwa");
  assert.equal((await notes(page)).at(-1), "given up");
  const code = await until("the answer to what was cancelled", () =>
    page.evaluate(() => {
      const cancel = window.posted.findLast(({ message }) => message?.method === "rpc.cancel");
      return cancel && window.posted.find(({ to, message }) => to === "page" && message.id === cancel.message.params.id)?.message.error.code;
    }),
  );
  assert.equal(code, 5008);
});

test("a subscription goes on after the extension was reloaded", async (t) => {
  const [one, other] = [await connected(), await connected()];
  t.after(() => Promise.all([one.close(), other.close()]));
  const ask = async () => {
    const allowed = one.evaluate((topic, protocol) => window.probe.allow(topic, protocol), TOPIC, ECHO);
    return allowed;
  };
  assert.equal(await ask(), 4, "it holds them from the test before");
  await one.evaluate((topic) => window.probe.subscribe(topic), TOPIC);
  await one.evaluate(() => window.probe.listen());
  await other.evaluate((topic) => window.probe.publish(topic, "one"), TOPIC);
  await until("the message", async () => (await notes(one)).includes("message one"));
  await chromium.reload();
  await until("the node to be back", async () => (await notes(one)).includes("available"), 30_000);
  await until("a message after that", async () => {
    await other.evaluate((topic) => window.probe.publish(topic, "two").catch(() => undefined), TOPIC);
    return (await notes(one)).includes("message two");
  }, 30_000);
});
