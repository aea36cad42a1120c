// What goes wrong, over and over: `cargo xtask faults <campaign>`. tests/e2e/faults.test.mjs makes a few runs of each.
import { once } from "node:events";
import { launchChromium } from "../tests/e2e/support/chromium.mjs";
import { available, call, request } from "../tests/e2e/support/page.mjs";
import { askAndAnswer } from "../tests/e2e/support/prompt.mjs";
import { allowed, dial, PERMISSIONS } from "../tests/e2e/support/scenarios.mjs";
import { discard, scratch } from "../tests/e2e/support/scratch.mjs";
import { startServer } from "../tests/e2e/support/server.mjs";
import { startSite } from "../tests/e2e/support/site.mjs";
import { until, within } from "../tests/e2e/support/wait.mjs";
import { quantile, random, spread } from "./stats.mjs";

/** Of the stream that is under way when the service worker goes: at loopback's speed it outlives the stop. */
const STREAM_BYTES = 4_000_000;
/** How soon a new node answers after a trap, in milliseconds. */
const BACK_MS = 3_000;
/** The longest that a browser lives before it is killed, in milliseconds after the first write. */
const LONGEST_LIFE = 1_500;
/** How long the extension may take to say how it is. */
const SAID_MS = 15_000;

/** After so many failures in a row the rest would tell nothing new: the browser is gone, perhaps. */
const MAX_FAILURES = 5;

/** Goes on where a campaign was broken off; a run that throws is one that failed, unless it is the campaign that is being ended. */
async function rounds({ count, say }, log, once) {
  let [ended, failures] = [false, 0];
  // The driver closes its browsers at these, and the run that is under way fails by that.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => (ended = true));
  for (let round = log.done.length + 1; round <= count; round += 1) {
    const run = { round, ...(await once(round).catch((error) => ({ failed: String(error.cause ?? error).split("\n")[0] }))) };
    if (ended) throw new Error("broken off");
    log.add(run);
    failures = run.failed ? failures + 1 : 0;
    if (failures >= MAX_FAILURES) throw new Error(`${failures} runs in a row failed: ${run.failed}`);
    say(JSON.stringify(run));
  }
}

function judge(runs, count, holds, lines = []) {
  const wrong = runs.filter((run) => run.failed || !holds(run));
  return {
    kept: runs.length >= count && wrong.length === 0,
    lines: [`${runs.length - wrong.length} of ${count} as promised`, ...lines, ...wrong.slice(0, 20).map((run) => `not so: ${JSON.stringify(run)}`)],
  };
}

const tally = (runs, of) => {
  const counts = new Map();
  for (const run of runs) counts.set(of(run), (counts.get(of(run)) ?? 0) + 1);
  return [...counts].map(([what, times]) => `${times} × ${what}`);
};

/** Popups talk to the node; one in a tab, and what the node says to it. */
async function dashboard(chromium) {
  const popup = await chromium.openOwn("popup.html");
  await popup.evaluate(() => {
    window.connectAgain = () => {
      window.last = undefined;
      window.port = chrome.runtime.connect({ name: "popup" });
      window.port.onMessage.addListener((message) => {
        if (message.t === "snapshot") window.last = message;
        else window.answered = message;
      });
      window.port.onDisconnect.addListener(() => {
        void chrome.runtime.lastError;
        window.last = undefined;
        setTimeout(window.connectAgain, 20);
      });
    };
    window.connectAgain();
  });
  return {
    page: popup,
    snapshot: (what, fits) =>
      until(what, async () => {
        const last = await popup.evaluate(() => window.last ?? null);
        return last && fits(last) && last;
      }, SAID_MS),
  };
}

const worker = {
  count: 200,
  bytes: STREAM_BYTES,
  title: ({ count }) => `the service worker is stopped ${count} times while a stream carries data`,
  async run(options, log) {
    const [site, server, chromium] = await Promise.all([startSite(), startServer(), launchChromium()]);
    try {
      const page = await allowed(chromium, site, PERMISSIONS);
      await dial(page, server);
      const waker = await chromium.openOwn("popup.html");
      await rounds(options, log, async () => {
        await until("a service worker", async () => {
          await waker.evaluate(() => chrome.runtime.sendMessage({ to: "background", type: "host.ensure" }));
          return chromium.browser.targets().some((each) => each.type() === "service_worker");
        });
        const stopped = await chromium.worker();
        await page.evaluate((peer, bytes) => {
          window.done = undefined;
          window.echoing = window.node.echo(peer, bytes).then(
            ({ sent, received, events }) => (window.done = { intact: sent === received && events.join() === "closeWrite,closed" }),
            (error) => (window.done = { intact: false, error: String(error) }),
          );
        }, server.peer, options.bytes);
        await stopped.close();
        const during = await page.evaluate(() => window.done === undefined);
        const { intact, error } = await page.evaluate(async () => (await window.echoing, window.done));
        return { during, intact, ...(error ? { error } : {}), opened: server.opened(), closed: server.closed() };
      });
      return await chromium.browser.version();
    } finally {
      await Promise.all([chromium.close(), site.close(), server.close()]);
    }
  },
  judge: (runs, { count }) =>
    judge(runs, count, ({ intact, opened, closed }) => intact && opened === 1 && closed === 0, [
      `${runs.filter(({ during }) => during).length} times the stream was under way when the worker had gone`,
    ]),
};

/** Counts how often the wasm is entered after it trapped: its exports are wrapped before the host page loads them. */
function countEntries() {
  const wrapped = (instance) => {
    const exports = {};
    for (const [name, value] of Object.entries(instance.exports)) {
      exports[name] = typeof value !== "function" ? value : (...given) => {
        if (globalThis.trapped) sessionStorage.setItem("test.entered", String(Number(sessionStorage.getItem("test.entered") ?? 0) + 1));
        try {
          return value(...given);
        } catch (error) {
          if (error instanceof WebAssembly.RuntimeError) {
            globalThis.trapped = true;
            sessionStorage.setItem("test.trapped", String(Number(sessionStorage.getItem("test.trapped") ?? 0) + 1));
          }
          throw error;
        }
      };
    }
    return { exports };
  };
  const streaming = WebAssembly.instantiateStreaming;
  WebAssembly.instantiateStreaming = async (...given) => {
    const { module, instance } = await streaming.apply(WebAssembly, given);
    return { module, instance: wrapped(instance) };
  };
}

const traps = {
  count: 100,
  title: ({ count }) => `the node's wasm traps ${count} times`,
  async run(options, log) {
    const [site, server, chromium] = await Promise.all([startSite(), startServer(), launchChromium()]);
    try {
      const page = await allowed(chromium, site, PERMISSIONS, { duration: "always" });
      const { peerId } = await call(page, "identity.get");
      await call(page, "events.subscribe", { events: ["node.stateChanged"] });
      await page.evaluate(() => {
        window.states = [];
        addEventListener("message", ({ data }) => {
          if (data?.message?.method === "node.stateChanged") window.states.push({ at: performance.now(), ...data.message.params });
        });
      });
      const host = await chromium.host();
      const session = await host.createCDPSession();
      await session.send("Page.enable");
      await session.send("Page.addScriptToEvaluateOnNewDocument", { source: `(${countEntries})()` });
      await host.evaluate(() => location.reload());
      const online = () => until("the node to run", async () => (await request(page, "node.status")).result?.state === "online", SAID_MS);
      await online();
      await rounds(options, log, async () => {
        // It has something to end: a connection, and a stream in the middle of its bytes.
        await until("a connection", () => dial(page, server));
        await page.evaluate((peer) => void window.node.echo(peer, 2_000_000).catch(() => undefined), server.peer);
        await host.evaluate(() => {
          // Each is to be a crash of its own, and not part of a series that ends in safe mode.
          sessionStorage.clear();
          globalThis.ofBefore = true;
        });
        const begun = await page.evaluate(() => ((window.states = []), performance.now()));
        await host.evaluate(() => globalThis.mooringTrap());
        await page.waitForFunction(() => window.states.some(({ state }) => state === "online"), { timeout: SAID_MS, polling: 10 });
        const states = await page.evaluate(() => window.states);
        const after = (wanted) => Math.round(states.find(({ state }) => state === wanted)?.at - begun);
        const { fresh, trapped, entered } = await host.evaluate(() => ({
          fresh: globalThis.ofBefore === undefined,
          trapped: Number(sessionStorage.getItem("test.trapped") ?? 0),
          entered: Number(sessionStorage.getItem("test.entered") ?? 0),
        }));
        const same = (await call(page, "identity.get")).peerId === peerId;
        return { saidMs: after("starting"), backMs: after("online"), fresh, trapped, entered, same };
      });
      return await chromium.browser.version();
    } finally {
      await Promise.all([chromium.close(), site.close(), server.close()]);
    }
  },
  judge(runs, { count }) {
    const back = runs.map(({ backMs }) => backMs).filter(Number.isFinite);
    const { min, median, max } = spread(back);
    return judge(
      runs,
      count,
      ({ saidMs, backMs, fresh, trapped, entered, same }) => saidMs < 2_000 && backMs < BACK_MS && fresh && trapped >= 1 && entered === 0 && same,
      [`a new one runs after ${min} to ${max} ms, median ${median}, p99 ${Math.round(quantile(back, 0.99))}; pages hear of the trap after at most ${Math.max(...runs.map(({ saidMs }) => saidMs ?? 0))} ms`],
    );
  },
};

const kills = {
  count: 300,
  title: ({ count }) => `the browser is killed ${count} times while it stores permissions and settings`,
  async run(options, log) {
    const profile = scratch("kills");
    const site = await startSite();
    const next = random(options.count);
    let version;
    /** What was said to be stored, and what was asked for and not answered when the end came. */
    let known;
    try {
      await rounds(options, log, async (round) => {
        const chromium = await launchChromium({ profile });
        let page;
        let found;
        try {
          version ??= await chromium.browser.version();
          page = await chromium.open(site.url());
          await available(page);
          const popup = await dashboard(chromium);
          const { identity, iceServers, paused, reason, state } = await popup.snapshot("the node to say how it is", ({ state }) => state !== "starting");
          if (!known) {
            await askAndAnswer(chromium, page, [{ name: "identity" }], "allow", { duration: "always" });
            known = { peerId: identity.peerId, topics: ["identity"], asked: [], servers: [iceServers], pauses: [paused] };
          }
          const { granted } = await call(page, "permissions.query");
          const held = granted.flatMap(({ name, topics }) => topics ?? [name]);
          found = {
            state,
            ...(reason && !paused ? { reason } : {}),
            identity: identity.peerId === known.peerId,
            // All that was said to be stored, and beside it only what was asked for.
            grants: known.topics.every((topic) => held.includes(topic)) && held.every((topic) => known.topics.includes(topic) || known.asked.includes(topic)),
            settings: known.servers.some((each) => each.join() === iceServers.join()) && known.pauses.includes(paused),
            held: held.length,
          };
          known = { ...known, topics: held, asked: [], servers: [iceServers], pauses: [paused] };

          // From here on it writes; each kind on its own, until the end.
          let over = false;
          const keepOn = async (write) => {
            while (!over) await write();
          };
          let settings = 0;
          const command = async (command, remember) => {
            settings += 1;
            remember(false);
            const ok = await popup.page.evaluate(async (id, command) => {
              window.answered = undefined;
              window.port.postMessage({ id, ...command });
              while (window.answered?.id !== id) await new Promise((done) => setTimeout(done, 1));
              return !window.answered.error;
            }, settings, command);
            if (ok) remember(true);
          };
          const writing = [
            keepOn(async () => {
              const servers = [`stun:round${round}.example:${1000 + settings}`];
              await command({ command: "setIceServers", servers }, (done) => (known.servers = done ? [servers] : [...known.servers, servers]));
              const paused = settings % 4 > 1;
              await command({ command: "setPaused", paused }, (done) => (known.pauses = done ? [paused] : [...known.pauses, paused]));
            }),
            keepOn(async () => {
              const topic = `round${round}/${Math.floor(next() * 1e9)}`;
              known.asked.push(topic);
              const { result } = await askAndAnswer(chromium, page, [{ name: "pubsub", topics: [topic] }], "allow", { duration: "always" });
              if (result) known.topics.push(topic);
            }),
            // What is held is kept small, and taking it back writes as well.
            ...(known.topics.length > 40 ? [call(page, "permissions.revoke", { permissions: [{ name: "pubsub" }] }).catch(() => undefined)] : []),
          ];
          // They end with the browser.
          for (const each of writing) each.catch(() => undefined);
          if (known.topics.length > 40) [known.topics, known.asked] = [["identity"], known.topics];
          const life = Math.round(next() * LONGEST_LIFE);
          await new Promise((done) => setTimeout(done, life));
          over = true;
          const child = chromium.browser.process();
          const gone = once(child, "exit");
          child.kill("SIGKILL");
          await within("the browser to end", 10_000, gone);
          return { ...found, life, wrote: settings };
        } finally {
          await chromium.close().catch(() => undefined);
        }
      });
      return version;
    } finally {
      await site.close();
      // What the killed browser had started may still write for a moment.
      const removed = () => {
        try {
          discard(profile);
          return true;
        } catch {
          return false;
        }
      };
      await until("the profile to be let go", removed, 30_000);
    }
  },
  judge: (runs, { count }) =>
    judge(runs, count, ({ identity, grants, settings, reason }) => identity && grants && settings && !reason, [
      `${runs.reduce((sum, { wrote }) => sum + (wrote ?? 0), 0)} writes of settings under way or done; lives of ${Math.min(...runs.map(({ life }) => life ?? 0))} to ${Math.max(...runs.map(({ life }) => life ?? 0))} ms`,
    ]),
};

/** What may happen to a stored text. */
const DAMAGES = {
  flipped: (text, next) => {
    const at = Math.floor(next() * text.length);
    return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << Math.floor(next() * 7))) + text.slice(at + 1);
  },
  cut: (text, next) => text.slice(0, Math.floor(next() * text.length)),
  doubled: (text) => text + text,
  number: (_, next) => Math.floor(next() * 1e9),
  list: (text) => [text],
  object: (text) => ({ text }),
  boolean: () => true,
  empty: () => "",
  gone: () => undefined,
};

const records = {
  count: 1_000,
  title: ({ count }) => `what is stored is flipped, cut, of a wrong type or gone, ${count} times`,
  async run(options, log) {
    const [site, chromium] = await Promise.all([startSite(), launchChromium()]);
    try {
      const page = await allowed(chromium, site, [{ name: "identity" }], { duration: "always" });
      // The second copy of each.
      await askAndAnswer(chromium, page, [{ name: "peers" }], "allow", { duration: "always" });
      const popup = await dashboard(chromium);
      const first = await popup.snapshot("the node to run", ({ state }) => state === "online");
      const { peerId } = first.identity;
      const storage = (work, ...given) => chromium.worker().then((worker) => worker.evaluate(work, ...given));
      const whole = await storage(() => chrome.storage.local.get(null));
      const names = Object.keys(whole).filter((name) => typeof whole[name] === "string");
      const next = random(options.count);
      // As it was when it was broken off.
      const turns = Array.from({ length: options.count }, () => {
        const record = names[Math.floor(next() * names.length)];
        const pair = /\.[ab]$/.test(record) && next() < 0.5 ? [`${record.slice(0, -1)}a`, `${record.slice(0, -1)}b`] : [record];
        const kinds = Object.keys(DAMAGES);
        return pair.map((name) => {
          const kind = kinds[Math.floor(next() * kinds.length)];
          return { name, kind, value: DAMAGES[kind](whole[name] ?? "", next) };
        });
      });
      await rounds(options, log, async (round) => {
        const damage = turns[round - 1];
        await storage(async (whole, damage) => {
          const before = await chrome.storage.local.get(null);
          await chrome.storage.local.remove(Object.keys(before).filter((name) => !name.startsWith("background.")));
          const now = { ...whole };
          for (const { name, value } of damage) {
            if (value === undefined || value === null) delete now[name];
            else now[name] = value;
          }
          await chrome.storage.local.set(now);
          // Nothing of the session may stand in for it.
          await chrome.offscreen.closeDocument();
        }, whole, damage.map((each) => ({ ...each })));
        const begun = Date.now();
        await popup.page.evaluate(() => (window.last = undefined));
        const said = await popup.snapshot("the node to say how it is", ({ state }) => state === "online" || state === "failed" || state === "offline");
        const ms = Date.now() - begun;
        const site = said.sites.find(({ origin }) => page.url().startsWith(origin));
        const held = (site?.granted ?? []).map(({ descriptor, name }) => (descriptor ?? { name }).name).sort();
        return {
          damage: damage.map(({ name, kind }) => `${name} ${kind}`),
          state: said.state,
          identity: said.identity.state === "ready" ? (said.identity.peerId === peerId ? "same" : "NEW") : said.identity.state,
          held,
          ...(said.reason ? { reason: said.reason } : {}),
          ms,
        };
      });
      return await chromium.browser.version();
    } finally {
      await Promise.all([chromium.close(), site.close()]);
    }
  },
  judge: (runs, { count }) =>
    judge(runs, count, isSaid, tally(runs, (run) => (run.failed ? "no answer" : `identity ${run.identity}, ${run.held.length} of 2 permissions, ${run.reason ? `said: ${run.reason}` : "nothing to say"}`))),
};

/** The same identity or none, with the reason; and permissions that are gone are said to be. */
function isSaid({ state, identity, held, reason }) {
  if (identity === "damaged") return state === "failed" && Boolean(reason);
  return identity === "same" && (held.length > 0 || Boolean(reason));
}

export const faults = { worker, traps, kills, records };
