// A stream against the contract's rules for its port, with the test at the node's end.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { load } from "./load.mjs";

const { MooringStream } = await load("stream.ts");
const KiB = 1024;

const ports = [];
after(() => ports.forEach((port) => port.close()));

/** A stream, and the node's end of it: what came there, and a way to wait for it. */
function open(options) {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const got = [];
  let news = () => {};
  port1.onmessage = ({ data }) => {
    got.push(data);
    news();
  };
  const node = {
    got,
    say: (message) => port1.postMessage(message),
    data: (bytes) => port1.postMessage({ type: "data", bytes }),
    /** Messages of that type, once there are so many. */
    async heard(type, count = 1) {
      for (;;) {
        const found = got.filter((message) => message.type === type);
        if (found.length >= count) return found;
        await new Promise((resolve) => (news = resolve));
      }
    },
  };
  return { stream: new MooringStream(port2, { stream: "1", protocol: "/p", peer: "12D3" }, options), node };
}

/** Nothing came for a good number of turns of the event loop, in which ports of one process deliver. */
async function settled(node) {
  const before = node.got.length;
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  return node.got.length === before || settled(node);
}

const numbered = (size, start = 0) => Uint8Array.from({ length: size }, (_, index) => (start + index) % 251);
const sizes = (messages) => messages.map(({ bytes }) => bytes.length);
const concat = (messages) => Buffer.concat(messages.map(({ bytes }) => bytes));

test("it grants its window at once, and no more until somebody reads", async () => {
  const { stream, node } = open({ window: 400 });
  assert.deepEqual(await node.heard("credit"), [{ type: "credit", bytes: 400 }]);
  for (let at = 0; at < 400; at += 100) node.data(numbered(100, at));
  await settled(node);
  assert.equal(node.got.length, 1);

  const reader = stream.readable.getReader();
  assert.deepEqual((await reader.read()).value, numbered(100));
  assert.deepEqual(await node.heard("credit", 2), [{ type: "credit", bytes: 400 }, { type: "credit", bytes: 100 }]);
  await settled(node);
  assert.equal(node.got.length, 2, "what nobody asked for stays in the window");
});

test("a window of one byte moves", async () => {
  const { stream, node } = open({ window: 1 });
  const reader = stream.readable.getReader();
  for (let byte = 0; byte < 5; byte += 1) {
    await node.heard("credit", byte + 1);
    node.data(Uint8Array.of(byte));
    assert.deepEqual((await reader.read()).value, Uint8Array.of(byte));
  }
});

test("more than was granted resets the stream", async () => {
  const { stream, node } = open({ window: 10 });
  node.data(numbered(11));
  assert.deepEqual(await node.heard("reset"), [{ type: "reset", reason: "protocol" }]);
  await assert.rejects(stream.readable.getReader().read(), { code: 5003, name: "StreamReset" });
});

test("a chunk is split at 256 KiB and at the credit, the page keeps it, and the writer waits for more", async () => {
  const { stream, node } = open();
  const chunk = numbered(700 * KiB + 5);
  const writer = stream.writable.getWriter();
  let written = false;
  const writing = writer.write(chunk).then(() => (written = true));
  await settled(node);
  assert.deepEqual(node.got.filter(({ type }) => type === "data"), []);

  node.say({ type: "credit", bytes: 300 * KiB });
  assert.deepEqual(sizes(await node.heard("data", 2)), [256 * KiB, 44 * KiB]);
  await settled(node);
  assert.equal(written, false);
  assert.equal(writer.desiredSize <= 0, true, "a pipe into it waits too");

  node.say({ type: "credit", bytes: 1024 * KiB });
  await writing;
  const sent = await node.heard("data", 4);
  assert.deepEqual(sizes(sent), [256 * KiB, 44 * KiB, 256 * KiB, 144 * KiB + 5]);
  assert.equal(chunk.length, 700 * KiB + 5);
  assert.ok(concat(sent).equals(chunk));
});

test("a small view does not take its buffer along", async () => {
  const { stream, node } = open();
  node.say({ type: "credit", bytes: 100 });
  await stream.writable.getWriter().write(new Uint8Array(1_000_000).subarray(10, 20));
  const [{ bytes }] = await node.heard("data");
  assert.deepEqual([bytes.length, bytes.buffer.byteLength], [10, 10]);
});

test("the remote's end is the end of the reading only, after all that came before", async () => {
  const { stream, node } = open();
  node.data(numbered(5));
  node.data(numbered(7));
  node.say({ type: "closeWrite" });
  const read = [];
  for await (const chunk of stream.readable) read.push(chunk.length);
  assert.deepEqual(read, [5, 7]);

  node.say({ type: "credit", bytes: 10 });
  const writer = stream.writable.getWriter();
  await writer.write(numbered(3));
  await writer.close();
  await node.heard("closeWrite");
  node.say({ type: "closed" });
  assert.deepEqual(await stream.closed, { reason: undefined });
  assert.deepEqual(node.got.map(({ type }) => type).filter((type) => type !== "credit"), ["data", "closeWrite"]);
});

test("data that came before the last word is read after it", async () => {
  const { stream, node } = open();
  node.data(numbered(5));
  node.say({ type: "closeWrite" });
  node.say({ type: "closed" });
  await stream.closed;
  const read = [];
  for await (const chunk of stream.readable) read.push(chunk.length);
  assert.deepEqual(read, [5]);
});

test("an end without the remote's is an error, never a cut", async () => {
  const { stream, node } = open();
  node.say({ type: "closed" });
  await assert.rejects(stream.readable.getReader().read(), { code: 5003 });
  await assert.rejects(stream.writable.getWriter().write(numbered(1)), { code: 5003 });
});

test("who cancels the reading tells the remote, and goes on writing", async () => {
  const { stream, node } = open();
  node.data(numbered(5));
  await stream.readable.cancel();
  await node.heard("stopReading");
  node.data(numbered(5));
  node.say({ type: "closeWrite" });
  node.say({ type: "credit", bytes: 10 });
  await stream.writable.getWriter().write(numbered(3));
  await node.heard("data");
});

test("a remote that reads no more fails the writing, also one that waits, and can still be read", async () => {
  const { stream, node } = open();
  const writing = stream.writable.getWriter().write(numbered(3));
  node.say({ type: "stopReading" });
  await assert.rejects(writing, { code: 5003 });
  node.data(numbered(5));
  assert.equal((await stream.readable.getReader().read()).value.length, 5);
});

test("aborting the writing resets the stream, also while a write waits for credit", async () => {
  const { stream, node } = open();
  const writer = stream.writable.getWriter();
  const writing = writer.write(numbered(3));
  const reading = stream.readable.getReader().read();
  const aborting = writer.abort(new Error("enough"));
  await assert.rejects(writing);
  await assert.rejects(reading, { code: 5003, detail: "enough" });
  await aborting.catch(() => undefined);
  assert.deepEqual(await node.heard("reset"), [{ type: "reset", reason: "enough" }]);
  node.say({ type: "closed" });
  assert.deepEqual(await stream.closed, { reason: "enough" });
});

test("a reset of the remote fails both ways with its reason", async () => {
  const { stream, node } = open();
  const reading = stream.readable.getReader().read();
  const writing = stream.writable.getWriter().write(numbered(3));
  node.say({ type: "reset", reason: "revoked" });
  for (const failed of [reading, writing]) await assert.rejects(failed, { code: 5003, detail: "revoked" });
  stream.reset("too late");
  node.say({ type: "closed" });
  assert.deepEqual(await stream.closed, { reason: "revoked" });
  assert.deepEqual(node.got.filter(({ type }) => type === "reset"), []);
});

test("what is not bytes resets the stream instead of being sent", async () => {
  const { stream, node } = open();
  node.say({ type: "credit", bytes: 10 });
  await assert.rejects(stream.writable.getWriter().write("text"), TypeError);
  assert.equal((await node.heard("reset")).length, 1);
});
