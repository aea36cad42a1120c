// A page and go-libp2p in one topic.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium } from "../e2e/support/chromium.mjs";
import { call } from "../e2e/support/page.mjs";
import { allowed } from "../e2e/support/scenarios.mjs";
import { startSite } from "../e2e/support/site.mjs";
import { until } from "../e2e/support/wait.mjs";
import { listen } from "./support/peers.mjs";

const TOPIC = "interop";
const COUNT = 200;

let chromium;
before(async () => {
  chromium = await launchChromium();
});
after(() => chromium?.close());

test(`${COUNT} messages to go-libp2p, and as many from it`, async (t) => {
  const remote = await listen("go", ["--topic", TOPIC]);
  t.after(() => remote.close());
  const site = await startSite();
  t.after(() => site.close());
  const page = await allowed(chromium, site, [
    { name: "dial", privateNetwork: true },
    { name: "pubsub", topics: [TOPIC] },
  ]);
  await call(page, "connections.dial", { addresses: [remote.on("webrtc-direct")] });
  await call(page, "pubsub.subscribe", { topic: TOPIC });
  await until("the other in the topic", async () => (await call(page, "pubsub.peers", { topic: TOPIC })).peers.includes(remote.peer));
  const { sent, ids, failed } = await page.evaluate(
    async (topic, count) => {
      const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      window.hash = async (bytes) => hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
      window.hex = hex;
      const sent = [];
      const ids = [];
      const failed = [];
      const one = async () => {
        while (sent.length < count) {
          const at = sent.push(undefined) - 1;
          // Small ones, some large enough for peers to say at once that they have them, and the largest that an answer has room for.
          const data = crypto.getRandomValues(new Uint8Array(at % 50 === 0 ? 60 * 1024 : Math.floor(Math.random() * 2048)));
          sent[at] = await window.hash(data);
          const { result, error } = await window.node.request("pubsub.publish", { topic, data });
          if (error || result.recipients !== 1) failed.push(error ?? result);
          ids.push(result?.messageId);
        }
      };
      await Promise.all(Array.from({ length: 16 }, one));
      return { sent, ids, failed };
    },
    TOPIC,
    COUNT,
  );
  assert.deepEqual(failed, []);
  assert.equal(new Set(ids).size, COUNT);
  const answers = await until(`${COUNT} answers`, async () => {
    const answers = await page.evaluate(() =>
      Promise.all(
        window.node.notifications("pubsub.message").map(async ({ data, from, messageId, sequenceNumber, dropped }) => ({
          said: window.hex(data.subarray(0, 32)),
          found: await window.hash(data.subarray(32)),
          from,
          messageId,
          number: BigInt(sequenceNumber).toString(16).padStart(16, "0"),
          dropped,
        })),
      ),
    );
    if (answers.length < COUNT) throw new Error(`${answers.length} came`);
    return answers;
  }, 30_000);
  assert.equal(answers.length, COUNT);
  for (const { said, found, from, messageId, number, dropped } of answers) {
    assert.equal(said, found);
    assert.equal(from, remote.peer);
    assert.ok(messageId.endsWith(number));
    assert.equal(dropped, undefined);
  }
  assert.deepEqual(answers.map(({ said }) => said).toSorted(), sent.toSorted());
  await page.close();
});
