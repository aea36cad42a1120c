// Pages of two browsers that met over our relay talk in a topic; in a network namespace, as webrtc.test.mjs says why.
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { freshSite } from "./support/both.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { launchFirefox } from "./support/firefox.mjs";
import { available, call, heard, request } from "./support/page.mjs";
import { dialDirectly, onlyDirect, pair } from "./support/pair.mjs";
import { askAndAnswer } from "./support/prompt.mjs";
import { allowed } from "./support/scenarios.mjs";
import { startServer } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const browsers = {};
let relay;

before(async () => {
  relay = await startServer({ host });
  const launching = { chromium: launchChromium(), chromium2: launchChromium(), firefox: launchFirefox() };
  for (const [name, launched] of Object.entries(launching)) browsers[name] = await launched;
});

after(async () => {
  for (const launched of Object.values(browsers)) await launched.close();
  await relay?.close();
});

/** Publishes so many messages of random bytes and sizes, 32 at a time; their SHA-256 in hex, and what was answered. */
const publish = (page, topic, count, most = 4096) =>
  page.evaluate(
    async (topic, count, most) => {
      const hashes = [];
      const answers = [];
      const one = async () => {
        while (hashes.length < count) {
          const data = crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() * (most + 1))));
          const at = hashes.push(undefined) - 1;
          const digest = crypto.subtle.digest("SHA-256", data);
          const { result, error } = await window.node.request("pubsub.publish", { topic, data });
          answers.push(error ? error.code : result);
          hashes[at] = [...new Uint8Array(await digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
        }
      };
      await Promise.all(Array.from({ length: Math.min(count, 32) }, one));
      return { hashes, answers };
    },
    topic,
    count,
    most,
  );

/** The messages that a page got, in order, with the SHA-256 of their data. */
const received = (page) =>
  page.evaluate(async () => {
    const messages = [];
    for (const { data, ...rest } of window.node.notifications("pubsub.message")) {
      if (!(data instanceof Uint8Array)) throw new Error("no Uint8Array");
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
      messages.push({ ...rest, hash: [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") });
    }
    return messages;
  });

/** Waits for so many messages from a peer, and no more than that; they. */
async function gets(page, from, count) {
  const messages = await until(`${count} messages`, async () => {
    const messages = (await received(page)).filter((message) => message.from === from);
    if (messages.length < count) throw new Error(`${messages.length} came`);
    return messages;
  });
  assert.equal(messages.length, count);
  return messages;
}

/** Waits until both nodes know that the other is in the topic. */
async function together(topic, ...pages) {
  for (const [page, other] of [pages, pages.toReversed()]) {
    const { peerId } = await call(other, "identity.get");
    await until("the other in the topic", async () => (await call(page, "pubsub.peers", { topic })).peers.includes(peerId));
  }
}

for (const [near, far] of [["chromium", "chromium2"], ["firefox", "chromium"]]) {
  test(`${near} and ${far}: pages talk in a topic, until it is taken back`, async (t) => {
    const topic = `room of ${near}`;
    const permissions = [{ name: "pubsub", topics: [topic] }];
    const site = await freshSite(t);
    const otherSite = await freshSite(t);
    const pages = await pair(browsers[near], browsers[far], site, relay);
    t.after(() => Promise.all([pages.near.close(), pages.far.close()].map((closing) => closing.catch(() => undefined))));
    await dialDirectly(pages.far, pages.peer, pages.addresses);
    const farPeer = (await call(pages.far, "identity.get")).peerId;
    // What is on its way over a circuit is lost with it.
    await Promise.all([onlyDirect(pages.far, pages.peer), onlyDirect(pages.near, farPeer)]);
    for (const [name, page] of [[near, pages.near], [far, pages.far]]) {
      assert.equal((await request(page, "pubsub.subscribe", { topic })).error.code, 4100);
      const { error } = await askAndAnswer(browsers[name], page, permissions);
      assert.equal(error, undefined, JSON.stringify(error));
      assert.deepEqual(await call(page, "pubsub.subscribe", { topic }), {});
    }
    await together(topic, pages.near, pages.far);
    // Another tab of the site, and another site in the same browser.
    const tab = await browsers[near].open(site.url());
    await available(tab);
    await call(tab, "pubsub.subscribe", { topic });
    const other = await allowed(browsers[far], otherSite, permissions);
    await call(other, "pubsub.subscribe", { topic });

    const start = Date.now();
    const [fromNear, fromFar] = await Promise.all([publish(pages.near, topic, 200), publish(pages.far, topic, 200)]);
    for (const [{ hashes, answers }, from, listeners] of [
      [fromNear, pages.peer, [pages.far, other, tab]],
      [fromFar, farPeer, [pages.near, other, tab]],
    ]) {
      assert.deepEqual([...new Set(answers.map((answer) => answer.recipients ?? answer))], [1]);
      for (const listener of listeners) {
        const messages = await gets(listener, from, 200);
        assert.deepEqual(messages.map(({ hash }) => hash).toSorted(), hashes.toSorted());
        assert.ok(messages.every((message) => message.topic === topic && /^\d+$/.test(message.sequenceNumber) && !("dropped" in message)));
        const ids = answers.map(({ messageId }) => messageId);
        assert.deepEqual(messages.map(({ messageId }) => messageId).toSorted(), ids.toSorted());
        // What one publishes at once arrives in that order.
        const numbers = messages.map(({ sequenceNumber }) => BigInt(sequenceNumber));
        assert.ok(numbers.every((number, at) => at === 0 || number > numbers[at - 1]), "out of order");
      }
    }
    t.diagnostic(`200 messages each way: ${Date.now() - start} ms`);
    // Nobody got its own.
    assert.ok((await received(pages.near)).every(({ from }) => from === farPeer));
    assert.ok((await received(pages.far)).every(({ from }) => from === pages.peer));

    // The largest there is, and one more byte.
    const { limits } = await call(pages.near, "node.status");
    const sizes = await pages.near.evaluate(async (topic, most) => {
      const ask = async (size) => {
        const { result, error } = await window.node.request("pubsub.publish", { topic, data: new Uint8Array(size) });
        return error ? { code: error.code, detail: error.data.detail } : result.recipients;
      };
      return [await ask(most), await ask(most + 1)];
    }, topic, limits.publishBytes);
    assert.deepEqual(sizes, [1, { code: 5005, detail: "publishBytes" }]);
    await gets(pages.far, pages.peer, 201);
    await gets(other, pages.peer, 201);

    // Taken back: the site hears nothing more, the other one in the same browser does.
    await call(pages.far, "permissions.revoke", { permissions: [{ name: "pubsub" }] });
    assert.equal((await request(pages.far, "pubsub.publish", { topic })).error.code, 4100);
    await publish(pages.near, topic, 5);
    await gets(other, pages.peer, 206);
    await call(pages.far, "node.status");
    assert.equal((await heard(pages.far, "pubsub.message")).length, 201);
    await other.close();
    await tab.close();
    await call(pages.far, "connections.release", { peer: pages.peer });
  });
}

test("messages wait for a site's next tab, where it may work in the background", async (t) => {
  const topic = "while you were away";
  const permissions = [{ name: "pubsub", topics: [topic] }, { name: "background" }];
  const site = await freshSite(t);
  const pages = await pair(browsers.chromium, browsers.chromium2, site, relay);
  t.after(() => pages.far.close());
  await dialDirectly(pages.far, pages.peer, pages.addresses);
  const farPeer = (await call(pages.far, "identity.get")).peerId;
  for (const [launched, page] of [[browsers.chromium, pages.near], [browsers.chromium2, pages.far]]) {
    await askAndAnswer(launched, page, permissions);
    await call(page, "pubsub.subscribe", { topic });
  }
  await together(topic, pages.near, pages.far);
  // It sees when the messages have come; another site has no part in what waits.
  const witness = await allowed(browsers.chromium, await freshSite(t), permissions);
  await call(witness, "pubsub.subscribe", { topic });
  await publish(pages.far, topic, 1);
  await gets(pages.near, farPeer, 1);
  await pages.near.close();

  const { hashes } = await publish(pages.far, topic, 20);
  const missed = (await gets(witness, farPeer, 21)).slice(1);
  const back = await browsers.chromium.open(site.url());
  await available(back);
  await call(back, "pubsub.subscribe", { topic });
  const messages = await gets(back, farPeer, 20);
  assert.deepEqual(messages, missed);
  assert.deepEqual(messages.map(({ hash }) => hash).toSorted(), hashes.toSorted());
  // They came after the answer, when a page looks out for them.
  const order = await back.evaluate(() => window.node.messages.map(({ id, method }) => (id === undefined ? method : "answer")));
  assert.ok(order.indexOf("pubsub.message") > order.lastIndexOf("answer"), JSON.stringify(order));
  const { hashes: live } = await publish(pages.far, topic, 1);
  assert.equal((await gets(back, farPeer, 21)).at(-1).hash, live[0]);
  await witness.close();
  await back.close();
});
