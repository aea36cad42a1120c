// The page API's contract as far as it needs no other peer, in Chromium with the packaged extension.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { available, call, heard, postRaw, request } from "./support/page.mjs";
import { answerPrompt, askAndAnswer } from "./support/prompt.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/wait.mjs";

let chromium;
let site;

before(async () => {
  site = await startSite();
  chromium = await launchChromium();
});

after(async () => {
  await chromium?.close();
  await site?.close();
});

/** A page of an origin of its own, so that grants of other tests do not matter; closed with the test. */
async function fresh(t, path = "/") {
  const own = await startSite();
  const page = await chromium.open(own.url(path));
  t.after(async () => {
    await page.close();
    await own.close();
  });
  return Object.assign(page, { origin: own.origin, site: own });
}

const code = async (page, method, params) => (await request(page, method, params)).error?.code;

test("a page hears once that there is a node, and hello says the same", async (t) => {
  const page = await fresh(t);
  await available(page);
  const hello = await call(page, "node.hello");
  assert.deepEqual(Object.keys(hello).sort(), ["product", "productVersion", "version"]);
  assert.equal(hello.version, 1);
  assert.equal(hello.product, "Mooring");
  await call(page, "node.hello");
  assert.deepEqual(await heard(page, "node.available"), [hello]);
});

test("the status names no ids and no addresses", async (t) => {
  const page = await fresh(t);
  const status = await until("the node to be online", async () => {
    const now = await call(page, "node.status");
    return now.state === "online" && now;
  });
  assert.ok(status.transports.includes("webrtc-direct"), status.transports);
  assert.ok(status.services.includes("ping"), status.services);
  for (const limit of Object.values(status.limits)) assert.equal(typeof limit, "number");
  assert.doesNotMatch(JSON.stringify(status), /12D3KooW|\/ip4\//);
});

test("a page that comes back from the back/forward cache hears it again", async (t) => {
  const page = await fresh(t);
  await available(page);
  await page.evaluate(() => {
    window.stayed = true;
  });
  await page.goto(site.url());
  await page.goBack();
  if (!(await page.evaluate(() => window.stayed === true))) {
    t.skip("this browser did not keep the page");
    return;
  }
  await page.waitForFunction(() => window.node.notifications("node.available").length === 2);
  await call(page, "node.hello");
});

test("pages whose policy forbids all connections can use the node", async (t) => {
  const page = await fresh(t, "/strict");
  await available(page);
  await call(page, "node.hello");
});

test("pages on loopback are served by every name of it", async (t) => {
  const six = await startSite("::1");
  t.after(() => six.close());
  for (const url of [six.url(), site.url().replace("127.0.0.1", "localhost")]) {
    const page = await chromium.open(url);
    await available(page);
    assert.equal((await call(page, "node.hello")).version, 1, url);
    await page.close();
  }
});

test("a page that is only prerendered meets silence until it is looked at", async (t) => {
  const page = await fresh(t);
  await available(page);
  await page.evaluate(() => {
    const rules = document.createElement("script");
    rules.type = "speculationrules";
    rules.textContent = JSON.stringify({ prerender: [{ urls: ["/prerendered"], eagerness: "immediate" }] });
    document.head.append(rules);
  });
  await until("the prerendering", () =>
    page.site.requests.some(({ url, purpose }) => url === "/asked-early" && purpose?.includes("prerender")),
  );
  await page.evaluate(() => {
    location.href = "/prerendered";
  });
  // The driver's view of the page changes hands with it.
  await until("the prerendered page to be shown and to hear of the node", () =>
    page.evaluate(() => window.early !== undefined && window.node.notifications("node.available").length > 0),
  );
  const { prerendered, early } = await page.evaluate(() => ({ prerendered: window.prerendered, early: window.early }));
  assert.equal(prerendered, true);
  assert.deepEqual(early, [], "nothing was heard before");
  await call(page, "node.hello");
});

test("frames and sandboxed documents meet silence", async (t) => {
  const sandboxed = await fresh(t, "/sandboxed");
  const framing = await fresh(t, "/framed");
  await available(framing);
  const frame = framing.frames().find((each) => each !== framing.mainFrame());
  for (const silent of [sandboxed.mainFrame(), frame]) {
    await silent.evaluate(() => {
      void window.node.request("node.hello", {}, "unheard");
      window.postMessage({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: "unheard2", method: "node.hello" } }, "*");
    });
  }
  // Whatever would answer them has had the time of a full round trip of another page.
  await call(framing, "node.hello");
  await call(framing, "node.status");
  for (const silent of [sandboxed.mainFrame(), frame]) {
    assert.deepEqual(await silent.evaluate(() => window.node.messages), []);
  }
});

// Each is posted as it stands; the answers are [id, code] pairs, in order, and none means silence.
const hostile = [
  ["a batch", `{ mooring: 1, to: "node", message: [{ jsonrpc: "2.0", id: 1, method: "node.hello" }] }`, [[null, -32600]]],
  ["an empty batch", `{ mooring: 1, to: "node", message: [] }`, [[null, -32600]]],
  ["no message", `{ mooring: 1, to: "node" }`, [[null, -32600]]],
  ["text for a message", `{ mooring: 1, to: "node", message: "node.hello" }`, [[null, -32600]]],
  ["an unknown version", `{ mooring: 2, to: "node", message: { jsonrpc: "2.0", id: "v", method: "node.hello" } }`, [["v", -32600]]],
  ["a version as text", `{ mooring: "1", to: "node", message: { jsonrpc: "2.0", id: 7, method: "node.hello" } }`, [[7, -32600]]],
  ["an id that is null", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: null, method: "node.hello" } }`, [[null, -32600]]],
  ["an id that is no text", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: "\\ud800", method: "node.hello" } }`, [[null, -32600]]],
  ["an empty id", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: "", method: "node.hello" } }`, [[null, -32600]]],
  ["an id that is too long", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: "x".repeat(129), method: "node.hello" } }`, [[null, -32600]]],
  ["an id that is no number", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: NaN, method: "node.hello" } }`, [[null, -32600]]],
  ["an id that is an object", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: { toString: 1 }, method: "node.hello" } }`, [[null, -32600]]],
  ["no jsonrpc", `{ mooring: 1, to: "node", message: { id: 2, method: "node.hello" } }`, [[2, -32600]]],
  ["a wrong jsonrpc", `{ mooring: 1, to: "node", message: { jsonrpc: "1.0", id: 2, method: "node.hello" } }`, [[2, -32600]]],
  ["no method", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 3 } }`, [[3, -32600]]],
  ["a method that is an object", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 4, method: {} } }`, [[4, -32600]]],
  ["2 MiB of text", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 5, method: "node.hello", params: { a: "x".repeat(2 ** 21) } } }`, [[5, 5005]]],
  ["2 MiB of bytes", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 5, method: "node.hello", params: { a: new Uint8Array(2 ** 21) } } }`, [[5, 5005]]],
  ["a billion laughs", `(() => { let a = "ha"; for (let i = 0; i < 29; i++) a = [a, a]; return { mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 6, method: "node.hello", params: { a } } }; })()`, [[6, 5005]]],
  ["deep nesting", `(() => { let a = {}; for (let i = 0; i < 40; i++) a = { a }; return { mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 8, method: "node.hello", params: a } }; })()`, [[8, -32600]]],
  ["a cycle", `(() => { const m = { jsonrpc: "2.0", id: 9, method: "node.hello" }; m.params = m; return { mooring: 1, to: "node", message: m }; })()`, [[9, -32600]]],
  ["a map in the parameters", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 10, method: "node.hello", params: { a: new Map() } } }`, [[10, -32600]]],
  ["a blob in the parameters", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 10, method: "node.hello", params: { a: new Blob(["x"]) } } }`, [[10, -32600]]],
  ["too many values, and the id last", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", method: "node.hello", params: { a: Array.from({ length: 70000 }, () => 0) }, id: "last" } }`, [["last", 5005]]],
  ["an array without end", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 11, method: "node.hello", params: { a: new Array(4e9) } } }`, [[11, 5005]]],
  ["a notification", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", method: "permissions.request", params: { permissions: [{ name: "peers" }] } } }`, []],
  ["a response", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 12, result: {} } }`, []],
  ["a cancel of nothing", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", method: "rpc.cancel", params: { id: "nothing" } } }`, []],
  ["a cancel without an id", `{ mooring: 1, to: "node", message: { jsonrpc: "2.0", method: "rpc.cancel", params: {} } }`, []],
  ["no version", `{ to: "node", message: { jsonrpc: "2.0", id: 13, method: "node.hello" } }`, []],
  ["nobody's message", `{ hello: "world" }`, []],
  ["nothing", `null`, []],
];

test(`${hostile.length} hostile or broken messages get the stated answer and change nothing`, async (t) => {
  const page = await fresh(t);
  await available(page);
  for (const [what, source, expected] of hostile) {
    const answers = await postRaw(page, source);
    assert.deepEqual(
      answers.map(({ id, error }) => [id, error?.code]),
      expected,
      what,
    );
    for (const { jsonrpc, error } of answers) {
      assert.equal(jsonrpc, "2.0");
      assert.equal(typeof error.message, "string");
      assert.equal(typeof error.data.name, "string");
    }
  }
  const [{ error }] = await postRaw(page, `{ mooring: 9, to: "node", message: { id: 1 } }`);
  assert.deepEqual(error.data.supported, [1]);
  assert.deepEqual(await call(page, "permissions.query"), { granted: [] });
  assert.deepEqual(await chromium.promptsOpen(), []);
});

test("messages that the page made up itself, or that come from another window, are not answered", async (t) => {
  const page = await fresh(t, "/framed");
  await available(page);
  const strays = await page.evaluate(async () => {
    const envelope = (id) => ({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id, method: "node.hello" } });
    window.dispatchEvent(
      new MessageEvent("message", { data: envelope("forged"), source: window, origin: location.origin }),
    );
    const frame = document.querySelector("iframe");
    frame.contentWindow.eval(`parent.postMessage(${JSON.stringify(envelope("framed"))}, "*")`);
    await window.node.request("node.hello");
    await window.node.request("node.hello");
    return window.node.messages.filter(({ id }) => id === "forged" || id === "framed");
  });
  assert.deepEqual(strays, []);
});

test("a page that breaks the language it runs in breaks only itself", async (t) => {
  const page = await fresh(t);
  await available(page);
  const hello = await page.evaluate(async () => {
    Object.defineProperty(Object.prototype, "id", { get: () => "poison", configurable: true });
    Array.prototype.push = () => {
      throw new Error("poison");
    };
    Map.prototype.get = Map.prototype.set = () => undefined;
    const heard = new Promise((done) => {
      window.addEventListener("message", ({ data }) => data.to === "page" && done(data.message));
    });
    window.postMessage({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: "x", method: "node.hello" } }, "*");
    const message = await heard;
    return { own: Object.getOwnPropertyDescriptor(message, "id").value, version: message.result.version };
  });
  assert.deepEqual(hello, { own: "x", version: 1 });
});

test("a document that is opened anew keeps its node", async (t) => {
  const page = await fresh(t);
  await available(page);
  const version = await page.evaluate(async () => {
    document.open();
    document.write("<p>new</p>");
    document.close();
    const heard = new Promise((done) => {
      window.addEventListener("message", ({ data }) => data.to === "page" && data.message.id === "again" && done(data.message));
    });
    await new Promise((done) => setTimeout(done, 0));
    window.postMessage({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: "again", method: "node.hello" } }, "*");
    return (await heard).result.version;
  });
  assert.equal(version, 1);
});

test("a method is known before its grant is asked for, and the grant before the parameters", async (t) => {
  const page = await fresh(t);
  await available(page);
  assert.equal(await code(page, "node.nothing"), -32601);
  assert.equal(await code(page, "__proto__"), -32601);
  assert.equal(await code(page, "permissions.request", { permissions: [{ name: "everything" }] }), -32602);
  assert.equal(await code(page, "permissions.request", { permissions: [{ name: "peers", colour: 1 }] }), -32602);
  assert.equal(await code(page, "permissions.request", {}), -32602);
  assert.equal(await code(page, "node.hello", { timeoutMs: -1 }), -32602);
  for (const method of [
    "identity.get",
    "peers.list",
    "peers.ping",
    "connections.dial",
    "connections.list",
    "connections.release",
    "streams.open",
    "streams.handle",
    "streams.unhandle",
    "pubsub.subscribe",
    "pubsub.unsubscribe",
    "pubsub.publish",
    "pubsub.peers",
    "dht.findPeer",
    "dht.closestPeers",
    "dht.findProviders",
    "dht.provide",
    "dht.stopProviding",
    "dht.get",
    "dht.put",
    "rendezvous.register",
    "rendezvous.discover",
    "rendezvous.unregister",
  ]) {
    // The parameters are nonsense: without the grant nobody looks at them.
    assert.equal(await code(page, method, { nonsense: true }), 4100, method);
  }
});

test("what is granted is judged by parameters, then by address, and what is not built says so", async (t) => {
  const page = await fresh(t);
  await available(page);
  const permissions = [
    { name: "dial" },
    { name: "pubsub", topics: ["news"] },
    { name: "routing" },
    { name: "streams", protocols: ["/chat/*"] },
  ];
  const { result } = await askAndAnswer(chromium, page, permissions);
  assert.deepEqual(result.granted.map(({ name }) => name).sort(), ["dial", "pubsub", "routing", "streams"]);

  assert.equal(await code(page, "connections.dial", {}), -32602);
  assert.equal(await code(page, "connections.dial", { addresses: "x" }), -32602);
  assert.equal(await code(page, "connections.dial", { addresses: ["not a multiaddr"] }), 5006);
  const peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
  const certhash = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g";
  for (const address of [
    `/ip4/127.0.0.1/udp/9/webrtc-direct/certhash/${certhash}/p2p/${peer}`,
    `/ip4/192.168.1.1/udp/9/webrtc-direct/certhash/${certhash}/p2p/${peer}`,
    `/ip6/::1/udp/9/webrtc-direct/certhash/${certhash}/p2p/${peer}`,
    `/ip6/::ffff:10.0.0.1/udp/9/webrtc-direct/certhash/${certhash}/p2p/${peer}`,
    `/dns4/localhost/tcp/9/wss/p2p/${peer}`,
    `/dns4/printer.local/tcp/9/wss/p2p/${peer}`,
  ]) {
    assert.equal(await code(page, "connections.dial", { addresses: [address] }), 5007, address);
  }
  // Outside the caveats; then inside them, malformed; then inside them and not built yet.
  assert.equal(await code(page, "streams.open", { peer, protocols: ["/other/1"] }), 4100);
  assert.equal(await code(page, "pubsub.subscribe", { topic: "other" }), 4100);
  assert.equal(await code(page, "pubsub.publish", { topic: "news" }), -32602);
  const [put, publish] = await page.evaluate(async () => {
    const bytes = new Uint8Array(2);
    // Driven by hand: binary does not travel to a page under test unharmed.
    const put = await window.node.request("dht.put", { key: bytes, value: bytes });
    const publish = await window.node.request("pubsub.publish", { topic: "news", data: bytes });
    return [put.error?.code, publish.result?.recipients];
  });
  assert.equal(put, 4100, "routing was granted without writing");
  assert.equal(publish, 0, "nobody is there, which is no error");
  // Built, and nobody is there to ask.
  assert.equal(await code(page, "dht.findPeer", { peer }), 5009);
});

test("what is no address, or none that a browser could dial, is said to be that, and changes nothing", async (t) => {
  const page = await fresh(t);
  await available(page);
  await askAndAnswer(chromium, page, [{ name: "peers" }, { name: "dial", privateNetwork: true }]);
  const peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
  const certhash = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g";
  const direct = "/ip4/203.0.113.7/udp/9/webrtc-direct";
  const wrong = [
    "", "/", "//", "\0", "/ip4", "/ip4/1.2.3/tcp/1", "/ip4/256.1.1.1/tcp/1/ws", "/ip6/::1::/tcp/1/ws", "/tcp/99999", "/unknown/1",
    "x".repeat(5_000), "/ip4/203.0.113.7".repeat(400), "/p2p/nobody", "/memory/1", "/unix/tmp/socket",
    "/ip4/203.0.113.7/tcp/9", "/ip4/203.0.113.7/udp/9/quic-v1", "/ip4/203.0.113.7/udp/9/utp",
    `${direct}/p2p/${peer}`, `${direct}/certhash/zzz/p2p/${peer}`, `${direct}/certhash/${certhash}/p2p/nobody`,
    `/ip4/203.0.113.7/tcp/9/webrtc-direct/certhash/${certhash}/p2p/${peer}`, `/p2p/${peer}/p2p-circuit/p2p-circuit/p2p/${peer}`,
    ` ${direct}/certhash/${certhash}/p2p/${peer}`,
  ];
  const got = [];
  for (const address of wrong) got.push([address.slice(0, 80), await code(page, "connections.dial", { addresses: [address] })]);
  assert.deepEqual(got.filter(([, code]) => code !== 5006), []);
  assert.deepEqual((await call(page, "connections.list")).connections, []);
});

test("a denial is an answer, holds for the same choice, and leaves other choices open", async (t) => {
  const page = await fresh(t);
  await available(page);
  const denied = await askAndAnswer(chromium, page, [{ name: "identity" }], "deny");
  assert.equal(denied.error.code, 4001);
  assert.equal(denied.error.data.name, "UserRejected");
  assert.equal(await code(page, "identity.get"), 4100);
  // Without another prompt.
  assert.equal(await code(page, "permissions.request", { permissions: [{ name: "identity" }] }), 4001);
  assert.deepEqual(await chromium.promptsOpen(), []);
  const { result } = await askAndAnswer(chromium, page, [{ name: "peers" }]);
  assert.deepEqual(result.granted, [{ name: "peers" }]);
  assert.deepEqual((await call(page, "connections.list")).connections, []);
});

test("closing the window is no denial", async (t) => {
  const page = await fresh(t);
  await available(page);
  assert.equal((await askAndAnswer(chromium, page, [{ name: "identity" }], "close")).error.code, 4001);
  const { result } = await askAndAnswer(chromium, page, [{ name: "identity" }]);
  assert.deepEqual(result.granted, [{ name: "identity" }]);
  const { peerId, addresses } = await call(page, "identity.get");
  assert.match(peerId, /^12D3KooW/);
  assert.ok(Array.isArray(addresses));
});

test("the window shows the full origin, and the user may trim what is asked", async (t) => {
  const page = await fresh(t);
  await available(page);
  const permissions = [{ name: "dial", privateNetwork: true }, { name: "streams", protocols: ["/a/1", "/b/1"] }, { name: "peers" }];
  const { result } = await askAndAnswer(chromium, page, permissions, "allow", {
    duration: "always",
    before: async (prompt) => {
      assert.equal(await prompt.$eval("#origin", (element) => element.textContent), page.origin);
      assert.equal(await prompt.title(), `${page.origin} asks for permission`);
      assert.match(await prompt.$eval("body", (body) => body.innerText), /Connect to peers[^]*local network[^]*Remember this[^]*Allow/);
      await prompt.click(`[data-permission="dial"] .caution input`);
      await prompt.click(`[data-permission="streams"] .value input`);
      await prompt.click(`[data-permission="peers"] input`);
    },
  });
  const byName = Object.fromEntries(result.granted.map((each) => [each.name, each]));
  assert.deepEqual(byName, { dial: { name: "dial" }, streams: { name: "streams", protocols: ["/b/1"] } });
  assert.equal(await code(page, "connections.list"), 4100);
});

test("in its first half second the window has nothing that could be pressed", async (t) => {
  const page = await fresh(t);
  await available(page);
  const asked = request(page, "permissions.request", { permissions: [{ name: "peers" }] });
  const prompt = await chromium.prompt();
  await prompt.waitForSelector("body.ready");
  const { before, armed } = await prompt.evaluate(
    () =>
      new Promise((done) => {
        const start = performance.now();
        const pressable = () => document.querySelectorAll("button, select, input:enabled").length;
        const before = pressable();
        new MutationObserver(() => pressable() > 0 && done({ before, armed: performance.now() - start })).observe(
          document.body,
          { childList: true, subtree: true, attributes: true },
        );
      }),
  );
  assert.equal(before, 0);
  assert.ok(armed > 0);
  assert.equal(await prompt.evaluate(() => document.activeElement.tagName), "H1", "Enter and Space press nothing");
  await answerPrompt(chromium, "close");
  assert.equal((await asked).error?.code, 4001);
});

test("a window that lost its focus or was hidden has nothing to press until it is looked at again", async (t) => {
  const page = await fresh(t);
  await available(page);
  const asked = request(page, "permissions.request", { permissions: [{ name: "peers" }, { name: "identity" }] });
  const prompt = await chromium.prompt();
  await prompt.waitForSelector('[data-testid="allow"]');
  await prompt.select('[data-testid="duration"]', "hour");
  await prompt.click('[data-permission="identity"] input');
  // Headless, every window always has its focus: so what the browser would say is said for it.
  const seen = await prompt.evaluate(async () => {
    const pressable = () => document.querySelectorAll("button, select, input:enabled").length;
    const hidden = (value) => {
      Object.defineProperty(document, "visibilityState", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    };
    /** Milliseconds until something could be pressed. */
    const armed = () =>
      new Promise((done) => {
        const start = performance.now();
        new MutationObserver((_, observer) => {
          if (pressable() === 0) return;
          observer.disconnect();
          done(performance.now() - start);
        }).observe(document.body, { childList: true, subtree: true, attributes: true });
      });
    const seen = { before: pressable() };
    window.dispatchEvent(new Event("blur"));
    seen.blurred = pressable();
    // Shown again without its focus is not enough.
    hidden("hidden");
    hidden("visible");
    seen.shown = await Promise.race([armed(), new Promise((done) => setTimeout(() => done("nothing"), 700))]);
    window.dispatchEvent(new Event("focus"));
    seen.focused = await armed();
    // A first click gives the focus to a window that had none: it is no answer.
    window.dispatchEvent(new Event("focus"));
    seen.again = pressable();
    hidden("hidden");
    hidden("visible");
    seen.unhidden = await armed();
    return seen;
  });
  assert.ok(seen.before > 0);
  assert.deepEqual([seen.blurred, seen.shown, seen.again], [0, "nothing", 0]);
  for (const ms of [seen.focused, seen.unhidden]) assert.ok(ms > 490, `${ms} ms`);
  // What was chosen is kept.
  assert.equal(await prompt.$eval('[data-testid="duration"]', ({ value }) => value), "hour");
  assert.equal(await prompt.$eval('[data-permission="identity"] input', ({ checked }) => checked), false);
  await answerPrompt(chromium, "allow");
  assert.deepEqual((await asked).result, { granted: [{ name: "peers" }] });
});

test("grants are kept by origin, and given back by name or all", async (t) => {
  const page = await fresh(t);
  const other = await fresh(t);
  await available(page);
  await available(other);
  await askAndAnswer(chromium, page, [{ name: "peers" }, { name: "identity" }]);
  assert.deepEqual(await call(other, "permissions.query"), { granted: [] });
  assert.equal(await code(other, "peers.list"), 4100);
  assert.deepEqual(await call(page, "permissions.revoke", { permissions: [{ name: "peers" }] }), { granted: [{ name: "identity" }] });
  assert.equal(await code(page, "peers.list"), 4100);
  assert.deepEqual(await call(page, "permissions.revoke"), { granted: [] });
});

test("a request can be cancelled, and is answered at its time limit", async (t) => {
  const page = await fresh(t);
  await available(page);
  const cancelled = page.evaluate(async () => {
    const asked = window.node.request("permissions.request", { permissions: [{ name: "identity" }] }, "cancel me");
    const heard = new Promise((done) => {
      window.cancelIt = () => {
        window.node.notify("rpc.cancel", { id: "cancel me" });
        done();
      };
    });
    await heard;
    const { error } = await asked;
    return { code: error.code, answers: window.node.answers("cancel me").length };
  });
  await chromium.prompt();
  await page.evaluate(() => window.cancelIt());
  assert.deepEqual(await cancelled, { code: 5008, answers: 1 });
  await until("the prompt to close", async () => (await chromium.promptsOpen()).length === 0);

  const { error, ms } = await request(page, "permissions.request", { permissions: [{ name: "identity" }], timeoutMs: 1_000 });
  assert.equal(error.code, 5002);
  assert.ok(ms >= 990 && ms < 3_000, `${ms} ms`);
  await until("the prompt to close", async () => (await chromium.promptsOpen()).length === 0);
});

test("two requests with one id: the second is refused, the first goes on", async (t) => {
  const page = await fresh(t);
  await available(page);
  // Past the client, which would take the refusal for the first one's answer.
  const post = (method, params) =>
    page.evaluate(
      (method, params) => window.node.post({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: "twin", method, params } }),
      method,
      params,
    );
  const answers = () => page.evaluate(() => window.node.answers("twin"));
  await post("permissions.request", { permissions: [{ name: "peers" }] });
  await chromium.prompt();
  await post("node.hello", {});
  await until("the refusal", async () => (await answers()).length === 1);
  assert.equal((await answers())[0].error.code, -32600);
  await answerPrompt(chromium, "allow");
  await until("the answer", async () => (await answers()).length === 2);
  assert.deepEqual((await answers())[1].result, { granted: [{ name: "peers" }] });
});

test("a flood is bounded, every request of it is answered once, and the node works on", async (t) => {
  const page = await fresh(t);
  await available(page);
  const { codes, unanswered } = await page.evaluate(async () => {
    const codes = {};
    const all = [];
    for (let index = 0; index < 6_000; index += 1) {
      all.push(
        window.node.request("node.status").then(({ error }) => {
          const code = error?.code ?? 0;
          codes[code] = (codes[code] ?? 0) + 1;
        }),
      );
    }
    await Promise.all(all);
    const answers = new Map();
    for (const { id } of window.node.messages) answers.set(id, (answers.get(id) ?? 0) + 1);
    return { codes, unanswered: [...answers.values()].filter((count) => count !== 1 && count !== undefined).length };
  });
  assert.ok(codes[0] >= 64, JSON.stringify(codes));
  assert.deepEqual(Object.keys(codes).filter((each) => each !== "0" && each !== "5005"), []);
  // node.available has no id: one group of notifications.
  assert.ok(unanswered <= 1, `${unanswered} ids were answered more than once`);
  assert.equal((await call(page, "node.hello")).version, 1);
});

test("a tab that opens all the ports it can shuts nobody else out", async (t) => {
  const page = await fresh(t);
  await available(page);
  // As a renderer that was broken into might, with what a content script has.
  const refused = await (await chromium.worker()).evaluate(async (url) => {
    const [tab] = await chrome.tabs.query({ url: `${new URL(url).origin.replace(/:\d+$/, "")}/*`, active: true });
    const [{ result }] = await chrome.scripting.executeScript({
      target: { tabId: tab.id },
      func: async () => {
        const ports = Array.from({ length: 4_200 }, () => chrome.runtime.connect({ name: "page" }));
        window.held = ports; // one that nobody refers to would close
        let refused = 0;
        const settled = ports.map((port) => new Promise((done) => {
          port.onMessage.addListener(done);
          port.onDisconnect.addListener(() => done((refused += 1)));
        }));
        await Promise.all(settled);
        return refused;
      },
    });
    return result;
  }, page.url());
  assert.ok(refused > 4_000 && refused < 4_200, `${refused} were refused`);
  const popup = await chromium.openOwn("popup.html");
  await until("the popup to show the node", () =>
    popup.evaluate(() => document.querySelector('[data-testid="peer-id"]')?.textContent?.includes("12D3")),
  );
  await popup.close();
  const other = await fresh(t);
  await available(other);
  await call(other, "node.hello");
});
