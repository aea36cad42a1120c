// A page that spoils its own built-ins before any client loads hurts itself: the node answers it as any other, its grants are what the user
// allowed, other tabs do not notice, and the extension has no error and keeps nothing. In both browsers, inside a network namespace
// (support/namespace.mjs says why).
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { extensionErrors } from "./support/errors.mjs";
import { launchFirefox } from "./support/firefox.mjs";
import { call } from "./support/page.mjs";
import { poisoned, poisons } from "./support/poison.mjs";
import { answerPrompt } from "./support/prompt.mjs";
import { allowed, ECHO } from "./support/scenarios.mjs";
import { startServer } from "./support/server.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/wait.mjs";

/** Pages that come and go before and while memory is looked at, and what the last of these may leave. */
const WARM = 10;
const LOADS = 40;
const LEFT_BYTES = 1024 * 1024;

/** One by one, and all at once. */
const cases = { ...Object.fromEntries(Object.entries(poisons).map(([name, spoil]) => [name, [spoil]])), "all of them": Object.values(poisons) };

/** A site whose page is that one. */
async function spoilt(t, spoil) {
  const site = await startSite("127.0.0.1", "127.0.0.1", { routes: { "/": () => ({ body: poisoned(spoil) }) } });
  t.after(() => site.close());
  return site;
}

/** Waits until the page has heard these, in whatever order; all that it heard. */
function heard(page, wanted) {
  return until(`the page to hear ${wanted.join(", ")}`, async () => {
    const log = (await page.title()).split(";").filter(Boolean);
    return wanted.every((each) => log.includes(each)) && log;
  });
}

/** As text, so that the page's own built-ins have no part in it. */
const send = (page, id, method, params) =>
  page.evaluate((id, method, params) => window.pristine.send(id, method, (0, eval)(`(${params})`)), id, method, JSON.stringify(params));

for (const [browser, launch] of [
  ["Chromium", launchChromium],
  ["Firefox", launchFirefox],
]) {
  describe(browser, () => {
    let launched;
    let server;
    let site;
    let beside;
    let errors;

    before(async () => {
      server = await startServer({ host });
      launched = await launch();
      // Another site, of another process.
      site = await startSite("localhost", "127.0.0.1");
      beside = await allowed(launched, site, [{ name: "identity" }]);
      errors = await extensionErrors(launched);
    });

    after(async () => {
      await errors?.close();
      await launched?.close();
      await site?.close();
      await server?.close();
    });

    const unmoved = async () => {
      assert.deepEqual(await call(beside, "permissions.query"), { granted: [{ name: "identity" }] });
      assert.match((await call(beside, "identity.get")).peerId, /^12D3/);
      assert.equal((await call(beside, "node.status")).state, "online");
      assert.deepEqual(await errors.all(), []);
    };

    for (const [name, spoil] of Object.entries(cases)) {
      test(name, async (t) => {
        const own = await spoilt(t, spoil);
        const page = await launched.open(own.url());
        t.after(() => page.close());
        const log = await heard(page, ["node.available", "hello=result", "query=", "unknown=-32601", "refused=4100"]);
        assert.equal(log.filter((each) => each === "node.available").length, 1);
        for (const id of ["hello", "query", "unknown", "refused"]) {
          assert.equal(log.filter((each) => each.startsWith(`${id}=`)).length, 1, `${id} is answered once`);
        }
        // What the user allows is what the page itself asked, and not what its prototypes say.
        await send(page, "ask", "permissions.request", { permissions: [{ name: "dial" }] });
        await answerPrompt(launched, "allow");
        await heard(page, ["ask=dial,"]);
        await send(page, "private", "connections.dial", { addresses: [server.address] });
        await heard(page, ["private=5007"]);
        await send(page, "more", "permissions.request", { permissions: [{ name: "dial", privateNetwork: true }, { name: "streams", protocols: [ECHO] }] });
        await answerPrompt(launched, "allow");
        await heard(page, ["more=dial+,streams,"]);
        await send(page, "dialed", "connections.dial", { addresses: [server.address] });
        await heard(page, ["dialed=result"]);
        await send(page, "open", "streams.open", { peer: server.peer, protocols: [ECHO] });
        await heard(page, ["open=result", "closeWrite=65536", "closed=65536"]);
        await unmoved();
      });
    }

    test("what they leave behind", { skip: browser === "Firefox" && "it does not tell" }, async (t) => {
      const own = await spoilt(t, Object.values(poisons));
      const session = await (await launched.host()).createCDPSession();
      const used = async () => {
        await session.send("HeapProfiler.collectGarbage");
        const { usedSize, backingStorageSize = 0 } = await session.send("Runtime.getHeapUsage");
        return usedSize + backingStorageSize;
      };
      const visit = async () => {
        const page = await launched.open(own.url());
        await heard(page, ["hello=result", "refused=4100"]);
        await page.close();
      };
      for (let count = 0; count < WARM; count += 1) await visit();
      const before = await used();
      for (let count = 0; count < LOADS; count += 1) await visit();
      const grown = (await used()) - before;
      t.diagnostic(`${grown} bytes more after ${LOADS} of them`);
      assert.ok(grown < LEFT_BYTES, `${grown} bytes`);
      await unmoved();
    });
  });
}
