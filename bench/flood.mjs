// What a page can do to the node with messages alone: `cargo xtask soak flood`.
import { launchChromium } from "../tests/e2e/support/chromium.mjs";
import { errorsInChromium } from "../tests/e2e/support/errors.mjs";
import { available, call } from "../tests/e2e/support/page.mjs";
import { allowed, dial } from "../tests/e2e/support/scenarios.mjs";
import { startServer } from "../tests/e2e/support/server.mjs";
import { startSite } from "../tests/e2e/support/site.mjs";
import { until } from "../tests/e2e/support/wait.mjs";
import { messages } from "./messages.mjs";
import { quantile } from "./stats.mjs";

const SEED = 6;
/** Messages between two looks at the answers: more than an origin may have in flight, so that limits are met too. */
const BATCH = 200;
/** As many seconds as the promise has. */
const SECONDS = 30;
/** Messages that the flooding tab posts before it lets what it posted be dispatched. */
const BURST = 500;
/** The promise to another tab, in milliseconds. */
const P95_MS = 100;
/** The longest that a request without a time limit of its own takes to be answered, and some more. */
const LAST_ANSWER_MS = 45_000;

/** What no message may change: grants, identity, connections, all that is stored, and the host document itself. */
async function state(launched, page) {
  const { peerId } = await call(page, "identity.get");
  const { granted } = await call(page, "permissions.query");
  const { connections } = await call(page, "connections.list");
  const worker = await launched.worker();
  const host = await launched.host();
  return JSON.stringify({
    peerId,
    granted,
    connections: connections.map(({ id, peerId, remoteAddress }) => ({ id, peerId, remoteAddress })),
    stored: await worker.evaluate(async () => JSON.stringify(await chrome.storage.local.get(null))),
    host: await host.evaluate(() => performance.timeOrigin),
  });
}

/** In the page: listens for answers, and keeps no message. */
function count() {
  window.node.messages.length = 0;
  window.node.messages.push = () => 0;
  const answers = new Map();
  window.addEventListener("message", ({ data }) => {
    if (data?.mooring !== 1 || data.to !== "page" || data.message.id === undefined) return;
    const key = data.message.id === null ? "null" : `${typeof data.message.id} ${data.message.id}`;
    const seen = answers.get(key) ?? { times: 0, codes: [] };
    seen.times += 1;
    seen.codes.push(data.message.error?.code ?? 0);
    answers.set(key, seen);
  });
  window.answers = answers;
}

/** In the page: posts messages and waits until each that is to be answered is; how it went. */
async function post(source, seed, from, total, batch, patience) {
  window.generate ??= (0, eval)(`(${source})`)(seed);
  const wanted = (window.wanted ??= new Map());
  for (let index = from; index < from + total; index += 1) {
    const { data, key } = window.generate(index);
    if (key !== undefined) wanted.set(key, (wanted.get(key) ?? 0) + 1);
    try {
      window.postMessage(data, location.origin);
    } catch {
      // Not to be cloned: the browser itself refuses it, and nobody has heard anything.
      if (key !== undefined) wanted.set(key, wanted.get(key) - 1);
      window.uncloneable = (window.uncloneable ?? 0) + 1;
    }
    if (index % batch !== batch - 1) continue;
    const marker = `marker ${index}`;
    wanted.set(`string ${marker}`, 1);
    await window.node.request("node.hello", {}, marker);
  }
  const missing = () => [...wanted].filter(([key, times]) => (window.answers.get(key)?.times ?? 0) < times);
  const end = performance.now() + patience;
  while (missing().length > 0 && performance.now() < end) await new Promise((done) => setTimeout(done, 100));
  const marker = "last marker";
  wanted.set(`string ${marker}`, (wanted.get(`string ${marker}`) ?? 0) + 1);
  await window.node.request("node.hello", {}, marker);
  // The client hears it first, the counter after it.
  await new Promise((done) => setTimeout(done));
  const codes = {};
  let answered = 0;
  const wrong = [];
  for (const [key, seen] of window.answers) {
    if ((wanted.get(key) ?? 0) !== seen.times) wrong.push(`${key}: ${seen.times} answers, not ${wanted.get(key) ?? 0}`);
    answered += seen.times;
    for (const code of seen.codes) codes[code] = (codes[code] ?? 0) + 1;
  }
  for (const [key] of missing()) if (!window.answers.has(key)) wrong.push(`${key}: no answer`);
  return { answered, codes, wrong: wrong.slice(0, 20), wrongCount: wrong.length, uncloneable: window.uncloneable ?? 0 };
}

/** In the page: posts as fast as what it posts is dispatched, for that long; then waits for the answers. */
async function floodFor(milliseconds, burst, patience) {
  const answered = new Uint8Array(16 * 1024 * 1024);
  let [posted, ones, more] = [0, 0, 0];
  const codes = {};
  const { port1, port2 } = new MessageChannel();
  let go;
  port2.onmessage = () => go();
  window.addEventListener("message", ({ data }) => {
    if (data === "burst") {
      // Behind what the window has to dispatch, also the answers that came meanwhile.
      port1.postMessage(0);
      return;
    }
    const id = data?.mooring === 1 && data.to === "page" ? data.message.id : undefined;
    if (typeof id !== "number") return;
    if (answered[id]++ === 0) ones += 1;
    else more += 1;
    const code = data.message.error?.code ?? 0;
    codes[code] = (codes[code] ?? 0) + 1;
  });
  const begun = performance.now();
  while (performance.now() - begun < milliseconds && posted + burst < answered.length) {
    const dispatched = new Promise((done) => (go = done));
    for (let i = 0; i < burst; i += 1) {
      window.postMessage({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: posted++, method: "node.status", params: {} } }, location.origin);
    }
    window.postMessage("burst", location.origin);
    await dispatched;
  }
  const took = performance.now() - begun;
  const end = performance.now() + patience;
  while (ones < posted && performance.now() < end) await new Promise((done) => setTimeout(done, 50));
  return { posted, milliseconds: took, answeredOnce: ones, more, codes };
}

/** Requests of another tab until that is over, one after another; milliseconds. */
async function requests(page, over) {
  const times = [];
  while (!over()) {
    times.push(await page.evaluate(async () => (await window.node.request("node.status")).ms));
    await new Promise((done) => setTimeout(done, 20));
  }
  return times;
}

export const flood = {
  count: 100_000,
  bytes: 0,
  rate: SECONDS,
  title: ({ count, rate }) => `${count} messages of a seeded generator, right and wrong ones, and then as many as a tab can post for ${rate} s`,
  async run({ host, count: total, rate: seconds, say }, log) {
    log.done.length = 0;
    const running = [];
    try {
      const server = await startServer({ host });
      running.push(server);
      // Another site of another process: of what a page does to its own, nobody promises anything.
      const [site, other] = [await startSite(), await startSite("localhost")];
      running.push(site, other);
      const launched = await launchChromium();
      running.push(launched);
      const page = await allowed(launched, site);
      await dial(page, server);
      const beside = await launched.open(other.url());
      await available(beside);
      const errors = await errorsInChromium(launched, { page, beside });
      const before = await state(launched, page);
      await page.evaluate(count);
      const begun = performance.now();
      let answers;
      for (let from = 0; from < total; ) {
        const part = Math.min(total - from, 10_000);
        answers = await page.evaluate(post, messages.toString(), SEED, from, part, BATCH, LAST_ANSWER_MS);
        from += part;
        say(`${from} messages after ${Math.round(performance.now() - begun)} ms; ${JSON.stringify(answers)}`);
      }
      const milliseconds = performance.now() - begun;
      const unchanged = before === await state(launched, page);
      await page.close();

      const flooding = await launched.open(site.url("/"));
      await available(flooding);
      await flooding.evaluate(() => void (window.node.messages.push = () => 0));
      const idle = [];
      const idleEnd = performance.now() + 3_000;
      idle.push(...await requests(beside, () => performance.now() > idleEnd));
      let over = false;
      const fast = flooding.evaluate(floodFor, seconds * 1_000, BURST, LAST_ANSWER_MS).finally(() => (over = true));
      const times = await Promise.all([fast, requests(beside, () => over)]);
      const after = await until("the state after the flood", () => state(launched, flooding));
      log.add({
        answers, milliseconds, unchanged: unchanged && after === before, errors: await errors.all(),
        fast: times[0], idleP95: quantile(idle, 0.95), p95: quantile(times[1], 0.95), most: Math.max(...times[1]), requests: times[1].length,
      });
      return await launched.browser.version();
    } finally {
      for (const each of running.reverse()) await each.close();
    }
  },
  judge([run], { count: total }) {
    if (!run) return { kept: false, lines: ["it did not come to its end"] };
    const { answers, milliseconds, unchanged, errors, fast, idleP95, p95, most, requests } = run;
    const once = fast.answeredOnce === fast.posted && fast.more === 0;
    const ms = (value) => value.toFixed(1);
    return {
      kept: answers.wrongCount === 0 && unchanged && errors.length === 0 && once && p95 <= P95_MS,
      lines: [
        `${total} messages in ${(milliseconds / 1000).toFixed(1)} s, of which the browser itself refused ${answers.uncloneable}; ${answers.answered} answers, by code ${JSON.stringify(answers.codes)}`,
        `${answers.wrongCount} requests with another number of answers than one`,
        ...answers.wrong,
        `${fast.posted} messages in ${(fast.milliseconds / 1000).toFixed(1)} s: ${Math.round(fast.posted / (fast.milliseconds / 1000))} a second; ${fast.answeredOnce} were answered, ${fast.more} more than once; by code ${JSON.stringify(fast.codes)}`,
        `another tab beside it: p95 ${ms(p95)} ms of ${requests} requests, at most ${ms(most)}; idle ${ms(idleP95)}`,
        `grants, identity, connections, storage and host document ${unchanged ? "are as before" : "are NOT as before"}`,
        `${errors.length} errors in page, content script, host and service worker`,
        ...errors.slice(0, 20),
      ],
    };
  },
};
