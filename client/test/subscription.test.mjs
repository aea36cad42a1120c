import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { Subscription } = await load("pubsub.ts");

/** A subscription whose topic is joined when told, and how often it left. */
function open(options) {
  const joining = deferred();
  const left = [];
  const subscription = new Subscription("room", () => joining.promise, (self) => left.push(self), options ?? {});
  return { subscription, joining, left };
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

const message = (byte, extra = {}) => ({ topic: "room", from: "12D3", data: Uint8Array.of(byte), sequenceNumber: null, ...extra });
const bytes = async (subscription, count) => {
  const read = [];
  for (let at = 0; at < count; at += 1) read.push((await subscription.next()).value.data[0]);
  return read;
};

test("messages come in order, whether they are awaited or wait, and leaving the loop leaves the topic", async () => {
  const { subscription, left } = open();
  const awaited = bytes(subscription, 2);
  for (const byte of [1, 2, 3, 4]) subscription.take(message(byte));
  assert.deepEqual(await awaited, [1, 2]);
  for await (const { data } of subscription) {
    assert.equal(data[0], 3);
    break;
  }
  assert.deepEqual(left, [subscription]);
  assert.deepEqual(await subscription.next(), { done: true, value: undefined });
});

test("of more than it keeps the oldest go, and are counted with what was lost before they came", async () => {
  const { subscription } = open({ maxMessages: 3 });
  for (const byte of [1, 2, 3, 4, 5]) subscription.take(message(byte, byte === 1 && { dropped: 7 }));
  assert.equal(subscription.dropped, 2 + 7);
  assert.deepEqual(await bytes(subscription, 3), [3, 4, 5]);
});

test("large messages are bounded by their bytes", async () => {
  const { subscription } = open();
  const data = new Uint8Array(1024 * 1024);
  for (let at = 0; at < 10; at += 1) subscription.take({ ...message(0), data });
  assert.equal(subscription.dropped, 6);
  // What was read makes room again.
  await bytes(subscription, 4);
  for (let at = 0; at < 4; at += 1) subscription.take({ ...message(0), data });
  assert.equal(subscription.dropped, 6);
});

test("an abort rejects once with its reason, at once, and then it is done", async () => {
  const controller = new AbortController();
  const { subscription, left } = open({ signal: controller.signal });
  const awaited = [subscription.next(), subscription.next()];
  const reason = new RangeError("changed my mind");
  controller.abort(reason);
  await assert.rejects(awaited[0], reason);
  assert.equal((await awaited[1]).done, true);
  assert.equal((await subscription.next()).done, true);
  assert.equal(left.length, 1);
});

test("a topic that cannot be joined rejects who awaits `ready`, and who awaits a message", async () => {
  const { subscription, joining, left } = open();
  const why = new Error("no");
  joining.reject(why);
  await assert.rejects(subscription.ready, why);
  await assert.rejects(subscription.next(), why);
  assert.equal((await subscription.next()).done, true);
  assert.equal(left.length, 1);
});
