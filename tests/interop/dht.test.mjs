// The DHT with js-libp2p: our server keeps what it stores and is asked by it, and a page behind our node finds what it provides, and is found.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { after, before, test } from "node:test";
import { root } from "../e2e/support/binaries.mjs";
import { launchChromium } from "../e2e/support/chromium.mjs";
import { call, request } from "../e2e/support/page.mjs";
import { allowed, dial } from "../e2e/support/scenarios.mjs";
import { end } from "../e2e/support/scratch.mjs";
import { startSite } from "../e2e/support/site.mjs";
import { until, within } from "../e2e/support/wait.mjs";
import { server } from "./support/peers.mjs";

const CID = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
const OTHER_CID = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const PERMISSIONS = [{ name: "identity" }, { name: "dial", privateNetwork: true }, { name: "routing", write: true }];

/** A js-libp2p peer that answers commands; its addresses come first. */
async function jsPeer() {
  const child = spawn(process.execPath, [path.join(root, "tests/interop/js/dht.mjs")], { stdio: ["pipe", "pipe", "inherit"] });
  const addresses = [];
  const waiting = [];
  readline.createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("/")) addresses.push(line);
    else waiting.shift()?.(JSON.parse(line));
  });
  try {
    await until("the js peer to listen", () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      return addresses.length >= 2;
    }, 30_000);
  } catch (error) {
    await end(child);
    throw error;
  }
  const ask = (...command) =>
    within(command[0], 30_000, new Promise((resolve) => {
      waiting.push(resolve);
      child.stdin.write(`${JSON.stringify(command)}\n`);
    }));
  return {
    addresses,
    peer: addresses[0].split("/p2p/").at(-1),
    ask,
    /** Must succeed. */
    async tell(...command) {
      const { result, error } = await ask(...command);
      assert.equal(error, undefined, `${command[0]}: ${error}`);
      return result;
    },
    close: () => end(child),
  };
}

let ours, js, chromium, site, page;

before(async () => {
  ours = await server();
  js = await jsPeer();
  await js.tell("dial", ours.on("tcp"));
  chromium = await launchChromium();
  site = await startSite();
  page = await allowed(chromium, site, PERMISSIONS);
  await dial(page, ours);
});

after(async () => {
  await chromium?.close();
  await site?.close();
  await js?.close();
  await ours?.close();
});

test("our node and theirs find each other over our server", async () => {
  const found = await until("their peer", async () => {
    const { result } = await request(page, "dht.findPeer", { peer: js.peer });
    return result?.addresses.length > 0 && result;
  });
  assert.ok(found.addresses.some((address) => js.addresses.some((each) => each.startsWith(address))), JSON.stringify(found));
  const { id, addresses } = await js.tell("findPeer", ours.peer);
  assert.equal(id, ours.peer);
  assert.ok(addresses.length > 0);
  const { peers } = await call(page, "dht.closestPeers", { key: CID });
  assert.deepEqual(peers.toSorted(), [ours.peer, js.peer].toSorted());
});

test("what they provide, our page finds", async () => {
  await js.tell("provide", CID);
  const { providers } = await until("a provider", async () => {
    const found = await call(page, "dht.findProviders", { key: CID });
    return found.providers.some(({ peer }) => peer === js.peer) && found;
  });
  const { addresses } = providers.find(({ peer }) => peer === js.peer);
  assert.ok(addresses.length > 0, JSON.stringify(providers));
});

test("what our page provides, they find", async () => {
  await until("an address to give", async () => (await call(page, "identity.get")).addresses.length > 0);
  await call(page, "dht.provide", { key: OTHER_CID });
  const { peerId } = await call(page, "identity.get");
  const providers = await js.tell("findProviders", OTHER_CID);
  const found = providers.filter(({ id }) => id === peerId);
  assert.ok(found.length > 0, JSON.stringify(providers));
  assert.ok(found.some(({ addresses }) => addresses.some((address) => address.includes("/p2p-circuit"))), JSON.stringify(found));
});

test("what they put, our page gets", async () => {
  const text = (text) => Buffer.from(text).toString("base64");
  const took = await js.tell("put", text("/mooring/theirs"), text("their value"));
  assert.ok(took.includes(ours.peer), `${took}`);
  const value = await page.evaluate(async () => {
    const key = new TextEncoder().encode("/mooring/theirs");
    const { value } = await window.node.call("dht.get", { key });
    return new TextDecoder().decode(value);
  });
  assert.equal(value, "their value");
});

test("what our page puts, they get, and so does the page", async () => {
  const value = await page.evaluate(async () => {
    const bytes = (text) => new TextEncoder().encode(text);
    await window.node.call("dht.put", { key: bytes("/mooring/ours"), value: bytes("our value") });
    const { value } = await window.node.call("dht.get", { key: bytes("/mooring/ours") });
    return new TextDecoder().decode(value);
  });
  assert.equal(value, "our value");
  const theirs = await js.tell("get", Buffer.from("/mooring/ours").toString("base64"));
  assert.equal(Buffer.from(theirs, "base64").toString(), "our value");
});
