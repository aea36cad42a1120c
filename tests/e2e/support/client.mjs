// Pages that use the npm client, as a module or from a script tag.
import assert from "node:assert/strict";
import { answerPrompt } from "./prompt.mjs";
import { ECHO, PERMISSIONS } from "./scenarios.mjs";

const MiB = 1024 * 1024;

/** Opens a page and connects: the page has `window.libp2p` then, and every message of the window in `window.heard`. */
export async function connected(launched, site, path = "/npm") {
  const page = await launched.open(site.url(path));
  await page.waitForFunction(() => window.mooring, { timeout: 15_000, polling: 50 });
  await page.evaluate(async () => {
    window.heard = [];
    // Before the client listens: listeners of a window are called in the order in which they came.
    window.addEventListener("message", (event) => {
      window.heard.push(event.data);
      window.look?.(event);
    });
    window.libp2p = await window.mooring.connect({ timeout: 15_000 });
  });
  return page;
}

/** Has the page ask for permissions and the user answer; the outcome, errors as plain objects. */
export async function asks(launched, page, permissions = PERMISSIONS, answer = "allow") {
  const asked = outcome(page, (permissions) => window.libp2p.permissions.request(permissions), permissions);
  await answerPrompt(launched, answer);
  return asked;
}

/** Runs a function in the page: `{ value }`, or `{ error }` with what a `MooringError` has. */
export function outcome(page, work, ...args) {
  return page.evaluate(
    async (source, args) => {
      try {
        return { value: await (0, eval)(`(${source})`)(...args) };
      } catch (error) {
        const { code, name, message, detail, retryAfterMs } = error;
        return { error: { code, name, message, detail, retryAfterMs, own: error instanceof window.mooring.MooringError } };
      }
    },
    work.toString(),
    args,
  );
}

/** A connected page that holds all permissions. */
export async function allowedClient(launched, site, path) {
  const page = await connected(launched, site, path);
  const { value, error } = await asks(launched, page);
  assert.equal(error, undefined, JSON.stringify(error));
  assert.equal(value.length, PERMISSIONS.length);
  return page;
}

/**
 * Echoes over a stream of the client, written at once and read by a consumer that dawdles: hashes of both, and the most bytes
 * that had come to the page and were not read at any time.
 */
export function slowEcho(page, peer, total, window) {
  return page.evaluate(
    async (peer, protocol, total, size) => {
      let [came, read, most] = [0, 0, 0];
      // Before the client has its port: every port is looked at.
      const { set } = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
      Object.defineProperty(MessagePort.prototype, "onmessage", {
        configurable: true,
        set(listener) {
          set.call(this, listener && ((event) => {
            if (event.data.type === "data") came += event.data.bytes.length;
            most = Math.max(most, came - read);
            listener.call(this, event);
          }));
        },
      });
      const stream = await window.libp2p.openStream(peer, protocol, { window: size });
      const bytes = new Uint8Array(total);
      for (let at = 0; at < total; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, total)));
      const hash = async (blob) =>
        [...new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const writer = stream.writable.getWriter();
      // One chunk of all of it: the client splits it.
      const written = writer.write(bytes).then(() => writer.close());
      // All that the window allows, and nobody has read any of it.
      while (came < size) await new Promise((done) => setTimeout(done, 10));
      const parts = [];
      for await (const chunk of stream.readable) {
        read += chunk.length;
        parts.push(chunk);
        // A turn of the event loop for each chunk: what else is to come has time to.
        await new Promise((done) => setTimeout(done, 0));
      }
      await written;
      const { reason } = await stream.closed;
      return { protocol: stream.protocol, came, most, reason, sent: await hash(new Blob([bytes])), received: await hash(new Blob(parts)) };
    },
    peer,
    ECHO,
    total,
    window,
  );
}

/** What both browsers do: connect, ask, dial, and echo some MiB through a small window. */
export async function clientToServer(launched, site, server) {
  const page = await allowedClient(launched, site);
  const { value: connection, error } = await outcome(page, (address) => window.libp2p.dial(address), server.address);
  assert.equal(connection?.peerId, server.peer, JSON.stringify(error));
  const { value: rtt } = await outcome(page, (peer) => window.libp2p.peers.ping(peer), server.peer);
  assert.ok(rtt > 0 && rtt < 5_000, `${rtt} ms`);
  const { value: listed } = await outcome(page, async () => [await window.libp2p.connections.list(), await window.libp2p.peers.list()]);
  assert.deepEqual(listed[0].map(({ id }) => id), [connection.id]);
  assert.equal(listed[1].find(({ peerId }) => peerId === server.peer)?.connected, true);

  const window = 256 * 1024;
  const { protocol, came, most, reason, sent, received } = await slowEcho(page, server.peer, 6 * MiB, window);
  assert.deepEqual([protocol, came, reason], [ECHO, 6 * MiB, undefined]);
  assert.equal(received, sent);
  assert.equal(most, window, "bytes that waited for the reader");
  return page;
}
