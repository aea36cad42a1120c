// Asks for every method from every kind of document in one browser, while a site beside them holds every permission.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { root } from "../binaries.mjs";
import { selfSigned } from "../certificate.mjs";
import { answerPrompt } from "../prompt.mjs";
import { discard, scratch } from "../scratch.mjs";
import { startSite } from "../site.mjs";
import { until } from "../wait.mjs";
import { early, kinds, NAME } from "./kinds.mjs";
import { PROBE } from "./probe.mjs";

/** Every method of the contract, as they are generated from it. */
const METHODS = [...fs.readFileSync(path.join(root, "extension/generated/Method.ts"), "utf8").matchAll(/\| "([^"]+)"/g)].map(([, name]) => name);

/** Those that need no grant, and `events.unsubscribe`, which shows nothing. */
const FREE = ["node.hello", "node.status", "permissions.query", "permissions.revoke", "events.unsubscribe"];
const ASK = "permissions.request";

const EVERYTHING = [
  { name: "identity" },
  { name: "peers" },
  { name: "dial", privateNetwork: true },
  { name: "streams", protocols: ["/matrix/1"] },
  { name: "pubsub", topics: ["matrix"] },
  { name: "routing", write: true },
  { name: "background" },
];

const params = {
  [ASK]: { permissions: [{ name: "identity" }] },
  "events.subscribe": { events: ["peer.connected"] },
  "events.unsubscribe": { events: ["peer.connected"] },
};

const REQUESTS = METHODS.map((method) => ({ method, params: params[method] ?? {} }));

/** What the contract says to a site that is served and holds nothing; the user closes the question. */
const expected = (method) => (method === ASK ? 4001 : FREE.includes(method) ? "result" : 4100);

const probeRoutes = {
  "/": () => ({ body: PROBE }),
  "/sandboxed": () => ({ body: PROBE, headers: { "content-security-policy": "sandbox allow-scripts" } }),
  "/early": () => ({ body: early(REQUESTS) }),
  "/asked-early": () => ({ body: "" }),
};

/** The sites; all of them on loopback. */
async function startSites(t) {
  const start = async (...options) => {
    const site = await startSite(...options);
    t.after(() => site.close());
    return site;
  };
  const more = { routes: probeRoutes };
  return {
    home: await start("127.0.0.1", "127.0.0.1", more),
    other: {
      https: await start("127.0.0.1", "127.0.0.1", { ...more, tls: selfSigned("127.0.0.1") }),
      localhost: await start("localhost", "127.0.0.1", more),
      port: await start("127.0.0.1", "127.0.0.1", more),
      six: await start("::1", "::1", more),
      named: await start(NAME, "127.0.0.1", more),
      // For a document that is opened after all others.
      last: await start("127.0.0.1", "127.0.0.1", more),
    },
  };
}

const announced = (view) => until("the announcement", () => view.evaluate(() => window.probe.heard.some(({ method }) => method === "node.available")));

/** Allows the holder everything, and shows that all the grants that are asked for elsewhere do change the answers. */
async function allowEverything(launched, home) {
  const holder = await launched.open(home.url());
  await announced(holder);
  const asked = holder.evaluate((permissions) => window.probe.request("permissions.request", { permissions }), EVERYTHING);
  await answerPrompt(launched, "allow");
  assert.equal((await asked).granted.length, EVERYTHING.length);
  const requests = REQUESTS.filter(({ method }) => method !== "permissions.revoke");
  const answers = await holder.evaluate((requests) => (window.probe.ask(requests), window.probe.answers(requests.map(({ method }) => method))), requests);
  for (const [method, answer] of answers) assert.notEqual(answer, 4100, `${method} with every permission`);
  return holder;
}

/** A served document's answers to everything: pairs of method and answer. */
async function answered(launched, view) {
  await announced(view);
  await view.evaluate((requests) => window.probe.ask(requests), REQUESTS);
  const origin = await view.evaluate(() => location.origin);
  let named;
  await answerPrompt(launched, "close", { before: async (prompt) => (named = await prompt.$eval("#origin", (element) => element.textContent)) });
  assert.equal(named, origin, "the question names who asks");
  const answers = await view.evaluate((methods) => window.probe.answers(methods), METHODS);
  const heard = await view.evaluate(() => window.probe.heard.map(({ id, method }) => id ?? method));
  assert.deepEqual(heard.toSorted(), ["node.available", ...METHODS].toSorted(), "one announcement, one answer each, and nothing else");
  return answers;
}

/** What a silent document must not find: anything. */
async function untouched(view, addresses, name) {
  const { files, ...traces } = await view.evaluate((addresses) => window.probe.traces(addresses), addresses);
  assert.deepEqual(traces, { heard: [], troubles: [], page: traces.page, globals: [], runtime: "undefined", loaded: [] }, name);
  assert.match(traces.page, /^<html>[^]*<p>probe<\/p>/);
  assert.doesNotMatch(traces.page, /<(div|iframe|style|link)/, `${name}: nothing is put into the page`);
  assert.equal(new Set(files).size, 1, `${name}: the extension's files load as those of one that is not there: ${files.join(", ")}`);
  assert.notEqual(files[0], "loads", name);
}

/** A prerendered page cannot be asked before it is looked at. */
async function untouchedEarly(outer, name) {
  // Behind other tabs it would be loaded anew.
  await outer.bringToFront();
  await outer.evaluate(() => {
    location.href = "/early";
  });
  // The driver's view of the page changes hands with it.
  const heard = await until("the prerendered page to be shown", () => outer.evaluate(() => window.early));
  assert.deepEqual(heard, [], name);
  await announced(outer);
  const answers = await outer.evaluate(() => window.probe.heard.filter(({ id }) => id !== undefined));
  assert.deepEqual(answers, [], `${name}: what was asked early is not answered later either`);
}

/**
 * @param {object} t the test
 * @param {(options: object) => Promise<object>} launch launchChromium or launchFirefox
 * @returns for each kind its cells, by method; undefined where the browser has no such documents
 */
export async function matrix(t, launch) {
  const folder = scratch("origins");
  t.after(() => discard(folder));
  const { home, other } = await startSites(t);
  const launched = await launch({ acceptInsecureCerts: true, names: [NAME] });
  t.after(() => launched.close());
  const holder = await allowEverything(launched, home);
  const held = await holder.evaluate(() => window.probe.request("permissions.query"));
  const world = { launched, home, other, holder, folder };
  const foreign = launched.origin.replace(/[^/]{4}$/, (end) => [...end].reverse().join(""));
  const files = ["popup.html", ...(launched.kind === "chromium" ? ["bridge.html", "host.html"] : [])];
  const addresses = [launched.origin, foreign].flatMap((origin) => files.map((file) => `${origin}/${file}`));

  const cells = new Map();
  const silent = [];
  for (const { name, served, lacks, open } of kinds) {
    if (lacks?.includes(launched.kind)) continue;
    const views = await open(world);
    if (served) {
      for (const view of views) cells.set(name, await answered(launched, view));
      continue;
    }
    silent.push({ name, views });
    for (const view of views) if (!view.early) await view.evaluate((requests) => window.probe.ask(requests), REQUESTS);
  }
  // A document that came after all of these has heard of the node and had an answer: so would they have.
  const last = await launched.open(other.last.url());
  await announced(last);
  for (const method of ["node.hello", "node.status", "permissions.query"]) await last.evaluate((method) => window.probe.request(method), method);
  assert.deepEqual(await launched.promptsOpen(), [], "nobody else's question is open");
  for (const { name, views } of silent) {
    for (const view of views) await (view.early ? untouchedEarly(view.early, name) : untouched(view, addresses, name));
    cells.set(name, METHODS.map((method) => [method, "silence"]));
  }
  assert.deepEqual(await holder.evaluate(() => window.probe.request("permissions.query")), held, "nobody took anything from the site that holds it");
  for (const { name, served } of kinds) {
    if (served) assert.deepEqual(cells.get(name), METHODS.map((method) => [method, expected(method)]), name);
  }
  return kinds.map(({ name }) => cells.has(name) && Object.fromEntries(cells.get(name)));
}
