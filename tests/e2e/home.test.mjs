// examples/home: a page in Rust reads and writes notes in a folder, over the extension, with a program that runs on the same machine.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serve } from "../../examples/home/serve.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { hash, startHome } from "./support/home.mjs";
import { answerPrompt } from "./support/prompt.mjs";
import { until } from "./support/wait.mjs";

let chromium;
let site;

before(async () => {
  site = await serve();
  chromium = await launchChromium();
});

after(async () => {
  await chromium?.close();
  await site?.close();
});

const by = (id) => `[data-testid="${id}"]`;
const phase = (page) => page.evaluate(() => document.querySelector('[data-testid="status"]')?.dataset.phase);
const connected = (page) => until("the page to be connected", async () => (await phase(page)) === "good", 30_000);
const text = (page) => page.evaluate(() => document.querySelector('[data-testid="text"]')?.value);
const names = (page) => page.evaluate(() => [...document.querySelectorAll("[data-name]")].map((each) => each.dataset.name));
const has = (page, id) => page.evaluate((at) => Boolean(document.querySelector(at)), by(id));

async function link(page, to) {
  await page.waitForSelector(by("link"), { timeout: 30_000 });
  await page.evaluate((at) => (document.querySelector(at).value = ""), by("link"));
  await page.type(by("link"), to);
  await page.click(by("connect"));
}

async function replaceText(page, by, wanted) {
  await page.evaluate((at, wanted) => {
    const area = document.querySelector(at);
    area.value = wanted;
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }, by, wanted);
}

async function save(page, wanted) {
  await replaceText(page, by("text"), wanted);
  await page.waitForSelector(`${by("save")}:enabled`);
  await page.click(by("save"));
}

test("notes at home: written, changed from outside, kept from being overwritten, and there again after a restart", async (t) => {
  const home = await startHome(t);
  home.write("Shopping", "tea\n");
  const page = await chromium.open(site.url);
  t.after(() => page.close());

  // A key that is none is said so, once the user has allowed the site to dial.
  await link(page, home.link().replace(/#.*/, `#${"0".repeat(64)}`));
  await answerPrompt(chromium, "allow");
  await until("the refusal", () => page.evaluate(() => document.querySelector('[data-testid="why"]')?.textContent.includes("key")));
  await link(page, home.link());
  await connected(page);
  assert.deepEqual(await names(page), ["Shopping"]);

  await page.type(by("new-name"), "Plan");
  await page.click(by("new"));
  await until("the new note", async () => (await text(page)) === "" && home.exists("Plan"));
  const plan = "Montag: Äpfel 🍏\n".repeat(500);
  await save(page, plan);
  await until("the note in its file", () => home.hash("Plan") === hash(plan));
  await until("the page to say so", async () => !(await page.$(`${by("save")}:enabled`)));

  home.write("Plan", "from outside");
  await until("what was written outside", async () => (await text(page)) === "from outside");

  // What the user is writing is not lost to what comes from outside, and neither is that.
  await replaceText(page, by("text"), "mine");
  home.write("Plan", "theirs");
  await until("the page to ask", () => has(page, "theirs"));
  assert.equal(await text(page), "mine");
  assert.equal(home.hash("Plan"), hash("theirs"));
  await page.click(by("keep-mine"));
  await until("mine in the file", () => home.hash("Plan") === hash("mine"));
  await until("the question to go", async () => !(await has(page, "theirs")));

  await home.stop();
  await until("the page to notice", async () => (await phase(page)) === "busy", 60_000);
  home.write("Plan", "while it was away");
  await home.start();
  await connected(page);
  await until("what was written meanwhile", async () => (await text(page)) === "while it was away");
  await save(page, "and on");
  await until("the next note in its file", () => home.hash("Plan") === hash("and on"));

  // The site remembers where home is.
  await page.reload();
  await connected(page);
  assert.deepEqual((await names(page)).sort(), ["Plan", "Shopping"]);
  await page.click('[data-name="Shopping"]');
  await until("the note", async () => (await text(page)) === "tea\n");
  await page.click(by("remove"));
  await until("the file to go", () => !home.exists("Shopping"));
  await until("the list", async () => (await names(page)).join() === "Plan");
});

test("without the extension's answer the page says what is missing", async (t) => {
  const page = await chromium.open("about:blank");
  t.after(() => page.close());
  await page.evaluateOnNewDocument(() => {
    window.addEventListener("message", (event) => event.data.to === "page" && event.stopImmediatePropagation(), true);
  });
  await page.goto(site.url);
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await link(page, "/ip4/127.0.0.1/udp/9/webrtc-direct/p2p/12D3KooWGzXnbQ4oBFCNqbLvb9eKc8XJw6gTRNRHJTK6xQtkjLwa#00");
  await until("the reason", () => page.evaluate(() => document.querySelector('[data-testid="why"]')?.textContent.includes("extension")));
  assert.equal(await phase(page), "bad");
});
