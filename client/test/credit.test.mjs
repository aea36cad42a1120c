import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { ReceiveWindow, SendCredit } = await load("credit.ts");

test("no more is taken than was granted, and whoever waits is woken by a grant", async () => {
  const credit = new SendCredit();
  assert.equal(credit.take(10), 0);
  let woken = false;
  const more = credit.more().then(() => (woken = true));
  await new Promise(setImmediate);
  assert.equal(woken, false);
  credit.add(7);
  await more;
  assert.equal(credit.take(5), 5);
  assert.equal(credit.take(5), 2);
  assert.equal(credit.take(5), 0);
});

test("whoever waits when nothing will be sent any more is told why", async () => {
  const credit = new SendCredit();
  const more = credit.more();
  const why = new Error("over");
  credit.fail(why);
  await assert.rejects(more, why);
});

test("whatever is read and in whatever pieces: outstanding, unread and not yet returned bytes are the window together", () => {
  for (const window of [1, 3, 4, 1000, 1024 * 1024]) {
    const receive = new ReceiveWindow(window);
    let [granted, unread, moved] = [window, 0, 0];
    for (let step = 1; step < 2_000; step += 1) {
      const bytes = Math.min(granted, 1 + ((step * 7919) % window));
      assert.equal(receive.received(bytes), true);
      granted -= bytes;
      unread += bytes;
      const read = Math.min(unread, 1 + ((step * 104_729) % window));
      granted += receive.read(read);
      unread -= read;
      moved += bytes;
      assert.ok(granted + unread <= window, `${granted} + ${unread} of ${window}`);
      // With everything read there is always something left to send: no writer waits for ever.
      if (unread === 0) assert.ok(granted > 0, `a window of ${window} stood still`);
    }
    assert.ok(moved >= 1_000);
  }
});

test("more than was granted is noticed", () => {
  const receive = new ReceiveWindow(10);
  assert.equal(receive.received(10), true);
  assert.equal(receive.received(1), false);
});
