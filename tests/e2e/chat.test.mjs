// The chat of examples/chat, in two browsers that its link brings together; in a network namespace, as webrtc.test.mjs says why.
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSite } from "./support/both.mjs";
import { shareTwo } from "./support/example.mjs";
import { answerPrompt } from "./support/prompt.mjs";
import { allowed } from "./support/scenarios.mjs";
import { until } from "./support/wait.mjs";

const two = shareTwo(host, "chat");

/** Opens the page and enters as a person would. */
async function enters(launched, url, name, { room, background = false, asks = true } = {}) {
  const page = await launched.open(url);
  await page.waitForSelector("#join:enabled");
  await page.type("#name", name);
  if (room) await page.$eval("#room-name", (field, room) => (field.value = room), room);
  if (background) await page.click("#background");
  await page.click("#join");
  if (asks) await answerPrompt(launched, "allow");
  await page.waitForSelector("#room:not([hidden])");
  return page;
}

const words = (page) => page.$$eval("#lines .words", (all) => all.map((one) => one.textContent));
const notes = (page) => page.$$eval("#lines .note", (all) => all.map((one) => one.textContent));
const people = (page) => page.$$eval("#people li span", (all) => all.map((one) => one.textContent));
/** A line that was lost on its way comes with its author's next sign of life but one. */
const shows = (page, text, times = 1) =>
  until(`the line "${text.slice(0, 40)}"`, async () => (await words(page)).filter((each) => each === text).length === times, 45_000);
const has = (page, person) => until(`${person} to be there`, async () => (await people(page)).includes(person), 60_000);
const hasNot = (page, person) => until(`${person} to be gone`, async () => !(await people(page)).includes(person), 60_000);

async function says(page, text) {
  await page.focus("#text");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
  await shows(page, text);
}

/** Waits until all that a page's node is connected to besides the relay is one peer, directly: what is on its way over a circuit is lost with it. */
const onlyDirect = (page) =>
  until("a direct connection, and no circuit", () =>
    page.evaluate(async (relay) => {
      const { connect } = await import("./mooring-client.js");
      window.looking ??= await connect();
      const others = (await window.looking.connections.list()).filter(({ peerId }) => peerId !== relay);
      return others.length === 1 && others[0].path === "direct" && others[0].transport === "webrtc";
    }, two.relay.peer), 60_000);

/** Ada's page and Bob's, who opened her link. */
async function meet(t, room, options) {
  const ada = await enters(two.ada, two.url(), "Ada", { room, ...options });
  t.after(() => ada.close().catch(() => undefined));
  const link = await until("a link", () => ada.$eval("#link", ({ hidden, value }) => !hidden && value));
  assert.equal(new URLSearchParams(new URL(link).hash.slice(1)).get("room"), room);
  const bob = await enters(two.bob, link, "Bob");
  t.after(() => bob.close().catch(() => undefined));
  await Promise.all([onlyDirect(ada), onlyDirect(bob)]);
  await Promise.all([has(ada, "Bob"), has(bob, "Ada")]);
  return { ada, bob, link };
}

test("two who met by a link talk; one loads anew and goes on; one comes late; one leaves, one falls silent", async (t) => {
  const { ada, bob, link } = await meet(t, "the room");
  await says(ada, "hello Bob");
  await shows(bob, "hello Bob");
  await says(bob, "hello Ada");
  await shows(ada, "hello Ada");
  // Of the other's own node, as the line under the mouse says.
  const adasNode = await ada.$eval("#people li code", (code) => code.title);
  const author = await bob.$$eval("#lines li:not(.note)", (all) => all[0].querySelector("code").title);
  assert.equal(author, adasNode);
  assert.match(author, /^Signed by the node 12D3KooW/);

  const markup = `<img src=x onerror="document.title='!'"><script>document.title='!'</script>`;
  await says(ada, markup);
  await shows(bob, markup);
  assert.equal(await bob.$$eval("#lines img, #lines script", (all) => all.length), 0);
  assert.notEqual(await bob.title(), "!");

  await ada.reload();
  await ada.waitForSelector("#room:not([hidden])");
  await has(ada, "Bob");
  assert.deepEqual(await words(ada), ["hello Bob", "hello Ada", markup]);
  assert.deepEqual(await people(ada), ["Ada (you)", "Bob"]);
  await says(ada, "I am back");
  await shows(bob, "I am back");
  await says(bob, "welcome");
  await shows(ada, "welcome");
  assert.deepEqual((await notes(bob)).filter((note) => note.includes("left")), [], "loading anew is not leaving");
  assert.deepEqual(await people(bob), ["Bob (you)", "Ada"]);

  // Another tab is another person, and is told what was said by those who said it.
  const late = await enters(two.bob, link, "Late", { asks: false });
  await has(ada, "Late");
  await until("what was said", async () => (await words(late)).length === 5);
  assert.deepEqual((await words(late)).toSorted(), (await words(ada)).toSorted());
  assert.deepEqual((await words(ada)).length, 5, "told again is not said again");

  await late.click("#leave");
  await late.waitForSelector("#enter:not([hidden])");
  await Promise.all([hasNot(ada, "Late"), hasNot(bob, "Late")]);
  assert.ok((await notes(ada)).includes("Late has left"));
  await late.close();
  await bob.close();
  await hasNot(ada, "Bob");
});

test("what is not of this program, or too much of it, changes nothing", async (t) => {
  const room = "hard times";
  const topic = `mooring-chat/1/${room}`;
  const { ada } = await meet(t, room);
  const hostile = await allowed(two.bob, await freshSite(t), [{ name: "pubsub", topics: [topic] }]);
  t.after(() => hostile.close());
  const publish = (data) =>
    hostile.evaluate(
      (topic, data) => {
        const text = typeof data === "string" ? data : JSON.stringify(data);
        return window.node.call("pubsub.publish", { topic, data: new TextEncoder().encode(text) });
      },
      topic,
      data,
    );
  const ignored = () => ada.$eval("#counts", ({ textContent }) => Number(/\d+$/.exec(textContent)?.[0] ?? 0));
  await says(ada, "before");
  const before = { words: await words(ada), people: await people(ada) };
  const say = { kind: "say", doc: "00000000000000aa", id: "00000000000000bb", name: "Eve", text: "hi", at: 1 };
  const bad = [
    "no JSON {",
    "null",
    "[]",
    '"text"',
    { ...say, kind: "shout" },
    { ...say, doc: "../../x" },
    { ...say, doc: undefined },
    { ...say, id: "<b>" },
    { ...say, name: "x".repeat(33) },
    { ...say, name: "\u202e\u200b" },
    { ...say, name: { toString: "x" } },
    { ...say, text: "x".repeat(2_001) },
    { ...say, text: ["hi"] },
    { ...say, at: "now" },
    { ...say, at: null },
    { kind: "here", doc: say.doc, name: "" },
    { kind: "told", doc: say.doc, messages: Array.from({ length: 51 }, (_, id) => ({ ...say, id: `${10_000_000 + id}` })) },
    { kind: "told", doc: say.doc, messages: [{ ...say }, null] },
    { kind: "told", doc: say.doc, messages: { length: 1 } },
    { ...say, text: "hi", filler: "x".repeat(50 * 1024) },
  ];
  for (const each of bad) await publish(each);
  await until("all of them left out", async () => (await ignored()) === bad.length);
  assert.deepEqual({ words: await words(ada), people: await people(ada) }, before);

  // The same program's messages, but more than a person writes; and more documents than a node has.
  const spoken = [];
  for (let i = 0; i < 120; i++) spoken.push(publish({ ...say, id: `${20_000_000 + i}`, doc: `${30_000_000 + i}`, text: `flood ${i}` }));
  await Promise.all(spoken);
  await until("most of them left out", async () => (await ignored()) > bad.length + 60);
  const shown = (await words(ada)).filter((text) => text.startsWith("flood"));
  assert.ok(shown.length < 60, `${shown.length} lines`);
  assert.ok((await words(ada)).includes("before"));
  // It is alive, and nobody has to suffer for what another node did; that one, Bob's own, is heard again soon.
  await says(ada, "after");
  await until("the other's node to be heard again", async () => {
    await publish({ ...say, id: "00000000000000cc", text: "hi" });
    return (await words(ada)).includes("hi");
  });
});

test("messages wait while a tab is closed, where that was allowed, and it says how many did not", async (t) => {
  const { ada, bob } = await meet(t, "patience", { background: true });
  const place = await ada.evaluate(() => ({ ...sessionStorage }));
  await ada.close();
  await says(bob, "are you there?");
  await says(bob, "never mind");
  // More than the 256 that wait.
  const taken = await bob.evaluate(async () => {
    const { connect } = await import("./mooring-client.js");
    const node = await connect();
    let taken = 0;
    for (let sent = 0; taken < 300 && sent < 3_000; sent++) {
      const { recipients } = await node.pubsub.publish("mooring-chat/1/patience", new TextEncoder().encode(`filler ${sent}`));
      taken += recipients;
      // Within the rate at which a site may publish; and the queue to the other node, which takes none when it is full, gets time.
      if (recipients === 0 || sent % 50 === 49) await new Promise((done) => setTimeout(done, 250));
    }
    return taken;
  });
  assert.equal(taken, 300);
  const back = await two.ada.open(two.site.url + "mark.svg");
  await back.evaluate((place) => {
    for (const [key, value] of Object.entries(place)) sessionStorage.setItem(key, value);
  }, place);
  await back.goto(two.url());
  await back.waitForSelector("#room:not([hidden])");
  const lost = await until("what was lost to be said", async () => {
    const all = await notes(back);
    const found = all.find((note) => note.endsWith("messages were lost"));
    if (!found) throw new Error(`${all.join(", ")}; ${await back.$eval("#counts", (counts) => counts.textContent)}`);
    return found;
  });
  assert.ok(Number.parseInt(lost) > 0, lost);
  // The author tells again what was lost.
  await Promise.all([shows(back, "are you there?"), shows(back, "never mind")]);
  await says(back, "here I am");
  await shows(bob, "here I am");
  await back.close();
});
