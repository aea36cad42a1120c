// The npm client in Chromium, with the packaged extension.
import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSite, shareOne } from "./support/both.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { allowedClient, asks, clientToServer, connected, outcome } from "./support/client.mjs";
import { ECHO, PERMISSIONS } from "./support/scenarios.mjs";
import { startServer } from "./support/server.mjs";
import { setUp } from "./support/set-up.mjs";
import { until } from "./support/wait.mjs";

let chromium;
let server;

shareOne(launchChromium, {}, (shared) => {
  ({ browser: chromium, server } = shared);
});

test("it connects, asks, dials, pings, and echoes 6 MiB through a window of 256 KiB to a slow reader", async (t) => {
  const page = await clientToServer(chromium, await freshSite(t), server);
  await page.close();
});

test("from a script tag it is the global `mooring`", async (t) => {
  const page = await connected(chromium, await freshSite(t), "/script");
  const { value } = await outcome(page, async () => [window.libp2p.extension, await window.libp2p.status()]);
  const [hello, status] = value;
  assert.equal(hello.version, 1);
  assert.equal(status.state, "online");
  await page.close();
});

test("a document that no extension serves is told so, and one that meets silence too", async (t) => {
  const site = await freshSite(t);
  const page = await chromium.open(site.url("/npm-framed"));
  const frame = await until("the frame", () => page.frames().find((each) => each !== page.mainFrame()));
  await frame.waitForFunction(() => window.mooring, { timeout: 15_000, polling: 50 });
  const framed = await outcome(frame, () => window.mooring.connect());
  assert.deepEqual([framed.error.code, framed.error.name, framed.error.own], [2, "NotAllowed", true]);
  // The same page, with nobody to answer it.
  await page.goto(site.url("/npm"));
  await page.waitForFunction(() => window.mooring, { timeout: 15_000, polling: 50 });
  await page.evaluate(() => window.addEventListener("message", (event) => event.data.to === "page" && event.stopImmediatePropagation(), true));
  const silent = await outcome(page, () => window.mooring.connect({ timeout: 500 }));
  assert.deepEqual([silent.error.code, silent.error.name, silent.error.own], [1, "NotInstalled", true]);
  const aborted = await outcome(page, async () => {
    const reason = new RangeError("changed my mind");
    return (await window.mooring.connect({ signal: AbortSignal.abort(reason) }).catch((error) => error)) === reason;
  });
  assert.equal(aborted.value, true);
  await page.close();
});

test("a node that cannot run is an error of its own", async (t) => {
  const { site, chromium } = await setUp(t, { server: false });
  const page = await connected(chromium, site);
  for (let crash = 1; crash <= 5; crash += 1) {
    await (await chromium.host()).evaluate(() => globalThis.mooringTrap());
    await until("the node to be back", async () => {
      const { value } = await outcome(page, () => window.libp2p.status());
      return value && (crash < 5 ? value.state !== "failed" : value.state === "failed");
    });
  }
  const { error } = await outcome(page, () => window.mooring.connect());
  assert.deepEqual([error.code, error.name], [4900, "NodeNotRunning"]);
  assert.match(error.detail, /crashed/);
});

test("errors are of one class, with the contract's codes and names", async (t) => {
  const page = await connected(chromium, await freshSite(t));
  const fails = async (code, name, work, ...args) => {
    const { error } = await outcome(page, work, ...args);
    assert.deepEqual([error?.code, error?.name, error?.own], [code, name, true], `${work}: ${JSON.stringify(error)}`);
    return error;
  };
  await fails(4100, "Unauthorized", () => window.libp2p.identity());
  await fails(4100, "Unauthorized", () => window.libp2p.pubsub.publish("room", new Uint8Array(1)));
  await fails(4100, "Unauthorized", () => window.libp2p.dht.findProviders("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG"));
  await fails(4100, "Unauthorized", () => window.libp2p.handle("/x/1", () => undefined));
  const refused = await asks(chromium, page, [{ name: "peers" }], "deny");
  assert.deepEqual([refused.error.code, refused.error.name], [4001, "UserRejected"]);
  await asks(chromium, page, [{ name: "dial" }, { name: "streams", protocols: [ECHO, "/none/*"] }]);
  await fails(5006, "BadAddress", () => window.libp2p.dial("/not/a/multiaddr"));
  await fails(5007, "Refused", (address) => window.libp2p.dial(address), server.address);
  await fails(-32602, "InvalidParams", () => window.libp2p.dial([]));
  await fails(4100, "Unauthorized", (peer) => window.libp2p.openStream(peer, "/another/1"), server.peer);
  await asks(chromium, page, PERMISSIONS);
  await outcome(page, (address) => window.libp2p.dial(address), server.address);
  const none = await fails(5010, "ProtocolNotSupported", (peer) => window.libp2p.openStream(peer, ["/none/1", "/none/2"]), server.peer);
  assert.match(none.message, /\w/);
  const { error } = await outcome(page, (peer) => window.libp2p.openStream(peer, "/none/1", { window: 0 }), server.peer);
  assert.deepEqual([error.name, error.own], ["RangeError", false]);
  const uncloneable = await outcome(page, () => window.libp2p.dial({ peer: () => undefined }));
  assert.equal(uncloneable.error.name, "DataCloneError");
  await page.close();
});

test("an abort rejects with the signal's reason, and the node hears of it", async (t) => {
  const page = await allowedClient(chromium, await freshSite(t));
  const { value } = await outcome(page, async () => {
    const reason = new RangeError("changed my mind");
    const cancelled = (id) => window.heard.filter(({ to, message }) => to === "page" && message.id === id);
    const results = [];
    for (const begin of [
      // Nobody is there, and nothing says so for longer than this test takes.
      (signal) => window.libp2p.dial("/ip4/127.0.0.1/udp/9/webrtc-direct/certhash/uEiDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w/p2p/12D3KooWGzXnbQ4oBFCNqbLvb9eKc8XJw6gTRNRHJTK6xQtkjLwa", { signal }),
      (signal) => window.libp2p.permissions.request([{ name: "background" }], { signal }),
    ]) {
      const controller = new AbortController();
      const before = window.heard.length;
      const outcome = begin(controller.signal).catch((error) => error);
      await window.libp2p.status();
      const { id } = window.heard.slice(before).find(({ to, message }) => to === "node" && message.method !== "node.status").message;
      const unanswered = cancelled(id).length === 0;
      controller.abort(reason);
      const mine = (await outcome) === reason;
      while (cancelled(id).length === 0) await new Promise((done) => setTimeout(done, 10));
      results.push([unanswered, mine, cancelled(id)[0].message.error.code]);
    }
    return results;
  });
  assert.deepEqual(value, [[true, true, 5008], [true, true, 5008]]);
  await page.close();
});

test("a stream whose opening was given up while it was on its way is reset", async (t) => {
  const page = await allowedClient(chromium, await freshSite(t));
  await outcome(page, (address) => window.libp2p.dial(address), server.address);
  const { value } = await outcome(page, async (peer, protocol) => {
    // The answer is there and the page has not seen it yet: the abort comes between the two.
    const controller = new AbortController();
    const taken = new Promise((resolve) => {
      window.look = ({ data, ports: [port] }) => {
        if (data.to !== "page" || !data.message.result?.stream) return;
        const said = [];
        const { postMessage } = port;
        port.postMessage = (message) => {
          said.push(message.type);
          postMessage.call(port, message);
          resolve(said);
        };
        controller.abort(new RangeError("too late"));
      };
    });
    const error = await window.libp2p.openStream(peer, protocol, { signal: controller.signal }).catch((error) => error);
    return [error.message, await taken];
  }, server.peer, ECHO);
  assert.deepEqual(value, ["too late", ["reset"]]);
  await page.close();
});

test("events come while somebody listens, and without their permission once it is given", async (t) => {
  const page = await connected(chromium, await freshSite(t));
  await page.evaluate(() => {
    window.events = [];
    const note = (event) => window.events.push([event.type, event.detail.peerId ?? event.detail.connection?.peerId ?? event.detail.code]);
    window.note = note;
    for (const type of ["error", "peer.connected", "connection.closed"]) window.libp2p.addEventListener(type, note);
    window.libp2p.addEventListener("connection.opened", note, { once: true });
  });
  await until("the errors", () => page.evaluate(() => window.events.length === 3));
  assert.deepEqual(await page.evaluate(() => window.events), Array(3).fill(["error", 4100]));
  await page.evaluate(() => (window.events.length = 0));
  await asks(chromium, page);

  const own = await startServer();
  t.after(() => own.close());
  await outcome(page, (address) => window.libp2p.dial(address), own.address);
  const told = () => page.evaluate(() => window.events.map(([type, peer]) => `${type} ${peer}`));
  await until("the events", async () => (await told()).length === 2);
  assert.deepEqual((await told()).sort(), [`connection.opened ${own.peer}`, `peer.connected ${own.peer}`]);
  // `once` was the last listener of its event.
  const unsubscribed = () => page.evaluate(() => window.heard.filter(({ message }) => message.method === "events.unsubscribe").map(({ message }) => message.params.events[0]));
  await until("the end of `once`", async () => (await unsubscribed()).includes("connection.opened"));
  await page.evaluate(() => window.libp2p.removeEventListener("peer.connected", window.note));
  await own.close();
  await until("the end of the connection", async () => (await told()).includes(`connection.closed ${own.peer}`), 60_000);
  assert.deepEqual((await unsubscribed()).sort(), ["connection.opened", "peer.connected"]);
  await page.close();
});

/** Serves the echo protocol with the client. */
const echo = (page) =>
  outcome(page, async (protocol) => {
    window.served = 0;
    window.stop = await window.libp2p.handle(protocol, async ({ readable, writable }) => {
      window.served += 1;
      await readable.pipeTo(writable);
    });
  }, ECHO);

test("handlers serve another browser over a relay, also after the extension was reloaded and the page came back", async (t) => {
  const near = await launchChromium();
  t.after(() => near.close());
  const site = await freshSite(t);
  const [page, far] = [await allowedClient(near, site), await allowedClient(chromium, site)];
  const { error } = await echo(page);
  assert.equal(error, undefined, JSON.stringify(error));

  /** The far page reaches the near one's node, and gets back what it sends. */
  const reaches = async () => {
    await until("a connection to the relay", async () => {
      const { value } = await outcome(page, (address) => window.libp2p.dial(address), server.address);
      return value;
    });
    const circuits = await until("a circuit address", async () => {
      const { value } = await outcome(page, () => window.libp2p.identity());
      const own = value?.addresses.filter((address) => address.includes(`/p2p/${server.peer}/p2p-circuit/p2p/`));
      return own?.length > 0 && own;
    });
    const peer = circuits[0].split("/p2p/").at(-1);
    await outcome(far, (addresses) => window.libp2p.dial(addresses), circuits);
    return outcome(far, async (peer, protocol) => {
      const stream = await window.libp2p.openStream(peer, protocol, { timeout: 10_000 });
      await new Blob([new Uint8Array(100_000).fill(7)]).stream().pipeTo(stream.writable);
      let [bytes, wrong] = [0, 0];
      for await (const chunk of stream.readable) {
        bytes += chunk.length;
        wrong += chunk.filter((byte) => byte !== 7).length;
      }
      return [bytes, wrong];
    }, peer, ECHO);
  };
  assert.deepEqual(await reaches(), { value: [100_000, 0] });

  await page.evaluate(() => window.libp2p.addEventListener("node.available", () => (window.again = true)));
  await near.reload();
  await page.waitForFunction(() => window.again, { timeout: 20_000, polling: 50 });
  // The grants were for the session, which the reload may have ended.
  const { value: held } = await outcome(page, () => window.libp2p.permissions.query());
  if (held.length < PERMISSIONS.length) await asks(near, page);
  assert.deepEqual(await until("the handler to be back", async () => {
    const result = await reaches();
    return result.value && result;
  }, 30_000), { value: [100_000, 0] });

  await page.evaluate(() => (window.again = false));
  // While a stream's way to the host is made the extension has a frame in the page, and Chromium keeps no page with one.
  await until("head and body alone", () => page.evaluate(() => document.documentElement.children.length === 2));
  await page.goto(site.url("/script"));
  await page.goBack();
  assert.equal(await page.evaluate(() => window.served), 2, "from the cache, as it was left");
  await page.waitForFunction(() => window.again, { timeout: 20_000, polling: 50 });
  assert.deepEqual(await until("the handler to be back", async () => {
    const result = await reaches();
    return result.value && result;
  }, 30_000), { value: [100_000, 0] });
  assert.equal(await page.evaluate(() => window.served), 3);

  await page.evaluate(() => window.stop());
  const { error: gone } = await reaches();
  assert.equal(gone.code, 5010);
});

test("a closed client gives back what it had and rejects what it is asked", async (t) => {
  const page = await allowedClient(chromium, await freshSite(t));
  await echo(page);
  const { value } = await outcome(page, async () => {
    const waiting = window.libp2p.permissions.request([{ name: "background" }]).catch((error) => error.name);
    window.libp2p.close();
    return [await waiting, await window.libp2p.status().catch((error) => error.name)];
  });
  assert.deepEqual(value, ["Aborted", "Aborted"]);
  const posted = await page.evaluate(() => window.heard.filter(({ to }) => to === "node").map(({ message }) => message.method));
  assert.ok(posted.includes("streams.unhandle") && posted.includes("rpc.cancel"), posted.join());
  await page.close();
});
