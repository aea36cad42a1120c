// The pure parts of the extension's TypeScript, bundled as webpack would and run here without a browser.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { root } from "./support/binaries.mjs";

async function load(file) {
  const { outputFiles } = await build({
    entryPoints: [path.join(root, file)],
    bundle: true,
    format: "esm",
    platform: "neutral",
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

const { measure } = await load("extension/content/measure.ts");
const { parse } = await load("extension/content/envelope.ts");
const { Requests } = await load("extension/content/requests.ts");
const { Link } = await load("extension/content/link.ts");
const { choiceFor, split } = await load("extension/prompt/choice.ts");
const { PagePorts } = await load("extension/host/ports.ts");
const { isAnnounced } = await load("extension/host/announced.ts");
const { FailedHost } = await load("extension/host/failed.ts");

const MIB = 1024 * 1024;
const request = (fields) => ({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 1, method: "node.hello", ...fields } });
const nested = (depth) => (depth === 0 ? 1 : [nested(depth - 1)]);

test("a message is measured by its content", () => {
  assert.equal(measure({ a: "x".repeat(MIB - 100) }).ok, true);
  assert.deepEqual(measure({ a: "x".repeat(MIB) }), { ok: false, why: "size" });
  assert.deepEqual(measure({ a: "é".repeat(MIB / 2 + 1) }), { ok: false, why: "size" });
  assert.equal(measure({ data: new Uint8Array(MIB - 100) }).ok, true);
  assert.deepEqual(measure({ data: new Uint8Array(MIB + 1) }), { ok: false, why: "size" });
  assert.deepEqual(measure(new Array(2 * MIB)), { ok: false, why: "size" });
});

test("a small view does not hide the large buffer that would travel with it", () => {
  assert.deepEqual(measure({ data: new Uint8Array(new ArrayBuffer(2 * MIB), 0, 1) }), { ok: false, why: "size" });
});

test("nesting is counted to 32, a cycle ends there, and shared parts cost what they weigh", () => {
  assert.equal(measure(nested(32)).ok, true);
  assert.deepEqual(measure(nested(33)), { ok: false, why: "depth" });
  const cycle = [];
  cycle.push(cycle, cycle);
  assert.deepEqual(measure(cycle), { ok: false, why: "depth" });
  let shared = "x";
  for (let level = 0; level < 30; level += 1) shared = [shared, shared];
  assert.deepEqual(measure(shared), { ok: false, why: "values" });
});

test("values are counted, and a message with too many is answered whatever its id comes after", () => {
  const values = (count) => ({ list: Array.from({ length: count }, () => 0) });
  assert.equal(measure(values(64_000)).ok, true);
  assert.deepEqual(measure(values(70_000)), { ok: false, why: "values" });
  assert.deepEqual(measure(Array.from({ length: 300 }, () => values(300))), { ok: false, why: "values" });
  const message = { jsonrpc: "2.0", method: "node.hello", params: values(70_000), id: "last" };
  const refused = parse({ mooring: 1, to: "node", message });
  assert.deepEqual([refused.id, refused.error.code], ["last", 5005]);
  const taken = parse({ mooring: 1, to: "node", message: { ...message, params: {} } });
  assert.deepEqual(Object.keys(taken.message), ["id", "jsonrpc", "method", "params"]);
});

test("only what JSON and binary data need may be in a message", () => {
  for (const value of [new Date(), new Map(), new Set(), /x/, new Error("x"), new Boolean(true)]) {
    assert.deepEqual(measure({ value }), { ok: false, why: "type" }, String(value));
  }
  for (const value of [1, "x", true, null, undefined, 1n, new Uint8Array(2), new ArrayBuffer(2), new Float64Array(1)]) {
    assert.equal(measure({ value }).ok, true, String(value));
  }
});

test("what is not for the node is left alone", () => {
  for (const data of [null, 1, "x", [], {}, { mooring: 1 }, { to: "node" }, { mooring: 1, to: "page", message: {} }]) {
    assert.equal(parse(data).kind, "nothing", JSON.stringify(data));
  }
  // Responses and notifications are never answered.
  assert.equal(parse(request({ id: undefined })).kind, "nothing");
  assert.equal(parse({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 1, result: {} } }).kind, "nothing");
});

test("ids are non-empty strings of at most 128 characters or finite numbers", () => {
  for (const id of [0, -1.5, 1e300, "a", "x".repeat(128)]) assert.equal(parse(request({ id })).id, id);
  for (const id of [null, "", "x".repeat(129), NaN, Infinity, true, {}, [1], 1n]) {
    const parsed = parse(request({ id }));
    assert.deepEqual([parsed.kind, parsed.id, parsed.error?.code], ["error", null, -32600], String(id));
  }
});

test("an unknown version is told which one is spoken, under its own id", () => {
  for (const mooring of [0, 2, "1", null, {}]) {
    const parsed = parse({ ...request({ id: "mine" }), mooring });
    assert.deepEqual([parsed.id, parsed.error.code, parsed.error.data.supported], ["mine", -32600, [1]]);
  }
});

test("time limits are taken as far as they make sense", () => {
  assert.equal(parse(request({ params: { timeoutMs: 500 } })).timeout, 500);
  assert.equal(parse(request({ params: { timeoutMs: 1e9 } })).timeout, 300_000);
  assert.equal(parse(request({ params: { timeoutMs: "x" } })).timeout, 30_000);
  assert.equal(parse(request({ method: "permissions.request" })).timeout, 300_000);
});

function table(send = () => false) {
  const failed = [];
  const requests = new Requests({ fail: (id, error) => failed.push([id, error.code]), send });
  return { failed, add: (fields) => requests.add(parse(request(fields))), requests };
}

test("requests wait for a node for 2 s and no longer", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { failed, add } = table();
  add({ id: 1 });
  add({ id: 2, params: { timeoutMs: 500 } });
  t.mock.timers.tick(501);
  assert.deepEqual(failed, [[2, 5002]]);
  t.mock.timers.tick(1_500);
  assert.deepEqual(failed, [[2, 5002], [1, 4900]]);
});

test("what a request waited for the node counts towards its time limit", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const failed = [];
  const sent = [];
  let up = false;
  let clock = 0;
  const tick = (ms) => {
    clock += ms;
    t.mock.timers.tick(ms);
  };
  const out = { fail: (id, error) => failed.push([id, error.code]), send: (message) => up && sent.push(message) > 0 };
  const requests = new Requests(out, () => clock);
  requests.add(parse(request({ id: 1, params: { timeoutMs: 3_000 } })));
  tick(1_900);
  up = true;
  requests.flush();
  // 3 s from when it was asked, and the grace that the node has for its own answer.
  tick(1_349);
  assert.deepEqual(failed, []);
  tick(1);
  assert.deepEqual(failed, [[1, 5002]]);
  assert.deepEqual(sent.at(-1), { jsonrpc: "2.0", method: "rpc.cancel", params: { id: 1 } });
});

test("what waited goes in order, what was gone with the node is answered", () => {
  const sent = [];
  let up = false;
  const { failed, add, requests } = table((message) => up && sent.push(message.id) > 0);
  add({ id: 1 });
  add({ id: 2 });
  up = true;
  requests.flush();
  up = false;
  add({ id: 3 });
  requests.nodeGone();
  assert.deepEqual(sent, [1, 2]);
  assert.deepEqual(failed, [[1, 4900], [2, 4900]]);
  requests.cancel(3, {});
  assert.deepEqual(failed.at(-1), [3, 5008]);
  assert.equal(requests.settle(3), false);
});

test("a document that comes back while a host is being made opens one port", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const ports = [];
  const asked = [];
  const listeners = () => {
    const all = [];
    return { addListener: (listener) => all.push(listener), fire: (...values) => all.forEach((each) => each(...values)) };
  };
  globalThis.chrome = {
    runtime: {
      id: "abc",
      connect: () => {
        const port = { open: true, onMessage: listeners(), onDisconnect: listeners(), disconnect: () => (port.open = false) };
        ports.push(port);
        return port;
      },
      sendMessage: (_message, answer) => asked.push(answer),
    },
  };
  t.after(() => delete globalThis.chrome);
  let ready = 0;
  const ignored = () => undefined;
  const link = new Link({ ready: () => (ready += 1), message: ignored, lost: ignored, orphaned: ignored });
  link.start();
  ports[0].open = false;
  ports[0].onDisconnect.fire();
  assert.equal(asked.length, 1);
  // Into the back/forward cache and out again, with the question still open.
  link.stop();
  link.start();
  assert.equal(ports.length, 2);
  asked[0]();
  t.mock.timers.tick(10);
  assert.deepEqual(ports.map(({ open }) => open), [false, true]);
  ports[1].onMessage.fire({ t: "ready", available: null });
  assert.equal(ready, 1);
  // The next loss is asked about anew.
  ports[1].onDisconnect.fire();
  asked[1]();
  t.mock.timers.tick(10);
  assert.equal(ports.length, 3);
});

test("an id that is still unanswered is not taken twice, 1 is not \"1\", and the table is bounded", () => {
  const { failed, add, requests } = table(() => true);
  add({ id: 1 });
  add({ id: "1" });
  add({ id: 1 });
  assert.deepEqual(failed, [[1, -32600]]);
  for (let id = 2; id <= 4095; id += 1) add({ id });
  assert.equal(failed.length, 1);
  add({ id: 9999 });
  assert.deepEqual(failed.at(-1), [9999, 5005]);
  assert.equal(requests.settle(1), true);
  add({ id: 9999 });
  assert.equal(failed.length, 2);
  requests.failAll("the test is over");
});

test("a prompt's choices split into what is granted and what is denied", () => {
  const dial = choiceFor({ name: "dial", privateNetwork: true });
  dial.extra = false;
  const streams = choiceFor({ name: "streams", protocols: ["/a", "/b"] });
  streams.values[0] = false;
  const peers = choiceFor({ name: "peers" });
  peers.allowed = false;
  assert.deepEqual(split([dial, streams, peers, choiceFor({ name: "identity" })]), {
    granted: [{ name: "dial" }, { name: "streams", protocols: ["/b"] }, { name: "identity" }],
    denied: [{ name: "dial", privateNetwork: true }, { name: "streams", protocols: ["/a"] }, { name: "peers" }],
  });
});

test("neither a tab nor a site takes the ports that others need", () => {
  const ports = new PagePorts();
  const open = (origin, tabId) => ports.take({ name: "page", origin, tabId, frameId: 0, extension: false });
  // A renderer that was broken into, in one tab, with all the origins of its site.
  const held = [];
  for (let at = 0; at < 5_000; at += 1) {
    const leave = open(`https://n${at}.evil.example`, 1);
    if (leave) held.push(leave);
  }
  assert.equal(held.length, 16);
  // And one site in more tabs than there can be.
  for (let tab = 2; tab < 5_000; tab += 1) {
    const leave = open("https://evil.example", tab);
    if (leave) held.push(leave);
  }
  assert.equal(held.length, 16 + 512);
  const other = open("https://other.example", 9_999);
  assert.ok(other);
  for (const leave of [...held, ...held, other]) leave();
  assert.ok(open("https://evil.example", 1), "each gives one place back, once");
});

test("a node that failed keeps its silence towards those whom it does not serve", () => {
  const said = (sender, announced = true) => {
    const host = new FailedHost({ product: "Mooring", version: "1", setBadge: () => undefined }, "it crashed", announced);
    const messages = [];
    const page = { name: "page", origin: "https://a.example", frameId: 0, lifecycle: "active", extension: false };
    const handle = host.connect({ ...page, ...sender }, (message) => messages.push(message), () => undefined);
    for (const message of [null, {}, { m: null }, { t: "rpc", m: { id: 1, method: "node.status" } }]) handle.receive(message);
    return messages;
  };
  for (const origin of ["https://a.example:8443", "https://[2001:db8::1]:1", "http://localhost", "http://127.0.0.1:1", "http://[::1]:65535"]) {
    const [ready, status, ...rest] = said({ origin });
    assert.equal(ready.available.version, 1, origin);
    assert.equal(status.m.result.state, "failed");
    assert.deepEqual(rest, []);
  }
  assert.ok(said({ lifecycle: undefined })[0].available);
  const silence = [{ t: "ready", available: null }];
  for (const origin of [
    "null",
    "",
    "https://",
    "http://a.example",
    "http://localhost.evil.example",
    "http://localhost:",
    "http://localhost:99999",
    "http://localhost:80:80",
    "http://127.0.0.10",
    "http://sub.localhost",
    "file://",
    "chrome-extension://abc",
    "https://a.example/path",
    "https://user@a.example",
    "https://a.example evil",
    `https://${"a".repeat(300)}`,
    undefined,
  ]) {
    assert.deepEqual(said({ origin }), silence, origin);
  }
  for (const sender of [{ frameId: 3 }, { frameId: undefined }, { lifecycle: "prerender" }]) assert.deepEqual(said(sender), silence);
  assert.deepEqual(said({ extension: true }), []);
  // It cannot know who is allowed: where the user wants strangers to hear nothing, nobody does.
  assert.deepEqual(said({}, false), silence);
});

test("who may hear of the node without its word: everybody until the user chose, nobody if that cannot be read", async () => {
  const announced = (value) => isAnnounced({ get: async () => value() });
  for (const value of [undefined, null, "everywhere"]) assert.equal(await announced(() => value), true, String(value));
  for (const value of ["allowed", "", 5, {}]) assert.equal(await announced(() => value), false, String(value));
  const broken = () => {
    throw new Error("the disk is on fire");
  };
  assert.equal(await announced(broken), false);
});

test("every word of the prompt is in _locales, and no message is left over", () => {
  const folder = path.join(root, "extension/prompt");
  const sources = fs.readdirSync(folder).filter((file) => file.endsWith(".ts")).map((file) => fs.readFileSync(path.join(folder, file), "utf8"));
  const manifest = fs.readFileSync(path.join(root, "manifest.json"), "utf8");
  const locales = path.join(root, "extension/_locales");
  const english = JSON.parse(fs.readFileSync(path.join(locales, "en/messages.json"), "utf8"));
  for (const key of Object.keys(english)) {
    assert.ok(sources.some((source) => source.includes(`"${key}"`)) || manifest.includes(`__MSG_${key}__`), key);
  }
  for (const locale of fs.readdirSync(locales)) {
    const messages = JSON.parse(fs.readFileSync(path.join(locales, locale, "messages.json"), "utf8"));
    assert.deepEqual(Object.keys(messages).sort(), Object.keys(english).sort(), locale);
    for (const [key, { message }] of Object.entries(messages)) assert.ok(message.trim(), `${locale}: ${key}`);
  }
  // That each key exists is the compiler's to check; what is shown must come from there.
  const html = fs.readFileSync(path.join(folder, "prompt.html"), "utf8");
  assert.doesNotMatch(html.replace(/<title>[^<]*<\/title>/, ""), />[^<]*[a-z]{3}[^<]*</i);
});
