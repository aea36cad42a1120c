// The file drop of examples/file-drop, between two browsers; in a network namespace, as webrtc.test.mjs says why.
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { Sha256 } from "../../examples/file-drop/sha256.js";
import { fileName } from "../../examples/file-drop/wire.js";
import { shareTwo } from "./support/example.mjs";
import { answerPrompt } from "./support/prompt.mjs";
import { discard, scratch } from "./support/scratch.mjs";
import { until } from "./support/wait.mjs";

const MiB = 1024 * 1024;
/** Bytes that may be on their way when a path breaks: windows of 1 MiB in the page and in the stream, and queues. */
const MOST_UNDER_WAY = 4 * MiB;
const folder = scratch("files");
let ada;
let bob;

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function starts(launched, url) {
  const page = await launched.open(url);
  await page.waitForSelector("#start:enabled");
  await page.click("#start");
  await answerPrompt(launched, "allow");
  await page.waitForSelector("#drop:not([hidden])");
  return page;
}

const two = shareTwo(host, "file-drop", async () => {
  // Ada receives; Bob opens her link and sends.
  ada = await starts(two.ada, two.url());
  const link = await until("a link", () => ada.$eval("#link", ({ hidden, value }) => !hidden && value));
  bob = await starts(two.bob, link);
  const session = await two.ada.browser.target().createCDPSession();
  await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
});

after(() => discard(folder));

/** What the last row of a list says: its data attributes, its text and the name. */
const last = (page, list) =>
  page.$eval(`#${list} li:last-child`, (item) => ({
    ...item.dataset,
    name: item.querySelector("b").textContent,
    about: item.querySelector(".about").textContent,
    value: item.querySelector("progress").value,
  }));
const phase = (page, list, wanted, limit = 60_000) =>
  until(`${list}: ${wanted}`, async () => {
    const row = await last(page, list);
    if (row.phase !== wanted) throw new Error(JSON.stringify(row));
    return row;
  }, limit);
const press = (page, text) =>
  until(`a button ${text}`, () =>
    page.$$eval("#received li:last-child button", (all, text) => {
      const found = all.find((one) => one.textContent === text);
      found?.click();
      return Boolean(found);
    }, text),
  );
/** Removes the last row, and waits until it is gone. */
async function removes(page) {
  const rows = () => page.$$eval("#received li", (all) => all.length);
  const before = await rows();
  await press(page, "Remove");
  await until("the row to be gone", async () => (await rows()) < before);
}

/** Bob chooses a file. */
async function chooses(name, bytes) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, bytes);
  const input = await bob.$("#file");
  await input.uploadFile(file);
  return file;
}

/** Ada saves the last file; its bytes. */
async function saves(name) {
  const target = path.join(folder, name);
  fs.rmSync(target, { force: true });
  await ada.$eval("#received li:last-child a", (save) => save.click());
  // Under another name until it is whole.
  await until("the file on the disk", () => fs.existsSync(target));
  return fs.readFileSync(target);
}

test("the hash in pieces is SHA-256, and names are fit for a disk", () => {
  for (const size of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 100_000]) {
    const bytes = randomBytes(size);
    const cut = Math.floor(Math.random() * (size + 1));
    assert.equal(new Sha256().update(bytes.subarray(0, cut)).update(bytes.subarray(cut)).digest(), sha256(bytes), `${size}`);
  }
  for (const [given, name] of [
    ["a.txt", "a.txt"],
    ["../../etc/passwd", "_.._etc_passwd"],
    ["C:\\x\\y.exe", "C__x_y.exe"],
    ["..", "file"],
    [".bashrc", "bashrc"],
    ["gpj.\u202eexe", "gpj.exe"],
    ["\n\0", "file"],
    ["a\ud800b", "ab"],
    [`${"x".repeat(500)}.tar`, `${"x".repeat(116)}.tar`],
  ]) {
    assert.equal(fileName(given), name);
  }
});

test("24 MiB go on where they were when the sender's node dies in the middle, and are saved as they were sent", async (t) => {
  const bytes = randomBytes(24 * MiB + 12_345);
  await chooses("holiday.bin", bytes);
  const offer = await phase(ada, "received", "offered");
  assert.equal(offer.name, "holiday.bin");
  await phase(bob, "sent", "offered");
  assert.equal((await last(bob, "sent")).sent, "0", "nothing goes before it is accepted");
  await press(ada, "Accept");
  const worker = await two.bob.worker();
  const before = await until("some MiB", async () => {
    const { value } = await last(ada, "received");
    return value > 2 * MOST_UNDER_WAY && value;
  }, 60_000);
  // All connections of the node go with it, and nobody says goodbye. The page, and its next request, start another one.
  await worker.evaluate(() => chrome.offscreen.closeDocument());
  await until("another attempt", async () => Number((await last(bob, "sent")).attempts) >= 2, 60_000);
  const { value: reached } = await last(ada, "received");
  assert.ok(reached >= before && reached < bytes.length, `${reached} bytes`);
  await phase(ada, "received", "done", 180_000);
  const done = await phase(bob, "sent", "done");
  const row = await last(ada, "received");
  t.diagnostic(`broken at ${reached}, ${done.attempts} attempts, ${done.sent} bytes sent for ${bytes.length}`);
  assert.ok(Number(done.attempts) >= 2);
  assert.ok(Number(row.breaks) >= 1);
  // What was under way is sent twice, the windows and queues on the way; what had come is not.
  assert.ok(Number(done.sent) >= bytes.length, done.sent);
  assert.ok(Number(done.sent) < bytes.length + MOST_UNDER_WAY, done.sent);
  assert.ok(row.about.includes(sha256(bytes)));
  assert.equal(sha256(await saves("holiday.bin")), sha256(bytes));
});

test("an empty file, a file that is not wanted, and one that is given up", async () => {
  await chooses("empty.txt", Buffer.alloc(0));
  await phase(ada, "received", "offered");
  await press(ada, "Accept");
  await phase(bob, "sent", "done");
  assert.equal((await saves("empty.txt")).length, 0);
  await removes(ada);

  await chooses("unwanted.txt", "buy this");
  await phase(ada, "received", "offered");
  await press(ada, "No, thanks");
  assert.equal((await phase(bob, "sent", "failed")).about, "The other side does not want it.");
});

/** Opens a stream by hand, offers, sends so many bytes at the offset, and reads what is answered. */
const liesTo = (offer, count, accept) => {
  const lied = bob.evaluate(
    async (offer, count) => {
      const { connect } = await import("./mooring-client.js");
      const { Reading, writeWord, PROTOCOL } = await import("./wire.js");
      const { invited } = await import("./meet.js");
      const { peer, addresses } = invited();
      window.liar ??= await connect();
      await window.liar.dial({ peer, addresses });
      const stream = await window.liar.openStream(peer, PROTOCOL);
      const writer = stream.writable.getWriter();
      writer.closed.catch(() => undefined);
      const reading = new Reading(stream.readable);
      try {
        await writeWord(writer, offer);
        const first = await reading.word();
        if (first.refused) return first;
        await writer.write(new Uint8Array(count));
        await writer.close();
        return await reading.word();
      } finally {
        stream.reset();
      }
    },
    offer,
    count,
  );
  return accept ? phase(ada, "received", "offered").then(() => press(ada, "Accept")).then(() => lied) : lied;
};

test("a sender that lies is refused, and nothing of it can be saved", async () => {
  const id = () => randomBytes(16).toString("hex");
  const zeros = sha256(Buffer.alloc(1000));
  const rows = () => ada.$$eval("#received li", (all) => all.length);
  const wrong = await liesTo({ id: id(), name: "lie.txt", size: 1000, sha256: "0".repeat(64) }, 1000, true);
  assert.match(wrong.refused, /SHA-256/);
  const failed = await phase(ada, "received", "failed");
  assert.match(failed.about, /SHA-256/);
  assert.equal(await ada.$$eval("#received li:last-child a", (all) => all.length), 0);
  await removes(ada);

  assert.match((await liesTo({ id: id(), name: "x", size: 1000, sha256: zeros }, 1001, true)).refused, /More came/);
  await phase(ada, "received", "failed");
  await removes(ada);
  assert.match((await liesTo({ id: id(), name: "x", size: 1000, sha256: zeros }, 999, true)).refused, /before it was whole/);
  await phase(ada, "received", "failed");
  await removes(ada);

  const before = await rows();
  const fine = { id: id(), name: "x", size: 10, sha256: zeros };
  for (const offer of [
    { ...fine, size: 2 ** 40 },
    { ...fine, size: -1 },
    { ...fine, size: "10" },
    { ...fine, id: "../x" },
    { ...fine, name: 7 },
    { ...fine, name: "x".repeat(2_000) },
    { ...fine, sha256: "none" },
    { ...fine, filler: "x".repeat(5_000) },
    [],
    "offer",
    null,
  ]) {
    assert.equal(typeof (await liesTo(offer, 0)).refused, "string", JSON.stringify(offer)?.slice(0, 80));
  }
  assert.equal(await rows(), before);
});
