// What runs in pages, and in the host document, for `cargo xtask bench --page`. Every function stands alone: it is sent there as text.

/** Milliseconds of a round trip, each the mean of ten in turn: a page's clock is too coarse for one. */
export async function roundTrips(way, samples) {
  const IN_TURN = 10;
  // The same few lines for each way: what a client of the page does beside is not what is measured.
  const ENVELOPES = { status: { mooring: 1, to: "node" }, port: { echo: 1, to: "port" }, bridge: { echo: 1, to: "bridge" } };
  const kind = way === "status" ? "mooring" : "echo";
  let next = 0;
  let answered;
  const hear = ({ source, data }) => {
    if (source === window && data?.[kind] === 1 && data.to === "page") answered(data.message);
  };
  window.addEventListener("message", hear);
  const once = async () => {
    const id = `${way} ${next++}`;
    const back = new Promise((done) => (answered = done));
    window.postMessage({ ...ENVELOPES[way], message: { jsonrpc: "2.0", id, method: "node.status", params: {} } }, location.origin);
    const message = await back;
    if (message.id !== id || message.error) throw new Error(`another message came back: ${JSON.stringify(message)}`);
  };
  const times = [];
  await once();
  for (let i = 0; i < samples; i += 1) {
    const begun = performance.now();
    for (let turn = 0; turn < IN_TURN; turn += 1) await once();
    times.push((performance.now() - begun) / IN_TURN);
  }
  window.removeEventListener("message", hear);
  window.node.messages.length = 0;
  return times;
}

/**
 * A page's place in the host document itself: `open` as a page's stream, without content script and ports between. Its sender is
 * what the browser says of the page whose grants it uses.
 */
export async function insideHost(origin) {
  // As a MessagePort it keeps what comes before somebody listens, and calls nobody back while he calls.
  const portOf = (send) => {
    const come = [];
    let listener;
    const next = () => {
      while (listener && come.length > 0) listener({ data: come.shift() });
    };
    return {
      postMessage: (m) => queueMicrotask(() => send(m)),
      deliver(m) {
        come.push(m);
        if (come.length === 1) queueMicrotask(next);
      },
      set onmessage(given) {
        listener = given;
        queueMicrotask(next);
      },
    };
  };
  const listeners = [];
  const streams = new Map();
  const waiting = new Map();
  let ready;
  const isReady = new Promise((done) => (ready = done));
  chrome.runtime.onConnect.dispatch({
    name: "page",
    sender: {
      id: chrome.runtime.id, origin, url: `${origin}/`, tab: { id: 1_000_000 }, frameId: 0, documentId: "0".repeat(32), documentLifecycle: "active",
    },
    onMessage: { addListener: (listener) => listeners.push(listener) },
    onDisconnect: { addListener: () => undefined },
    disconnect: () => undefined,
    postMessage: (message) => {
      if (message.t === "ready") ready();
      else if (message.t === "port") streams.get(message.stream)?.deliver(message.m);
      else if (message.t === "rpc") {
        let port;
        if (message.stream !== undefined) {
          const { stream } = message;
          port = portOf((m) => say({ t: "port", stream, m }));
          streams.set(stream, port);
        }
        waiting.get(message.m.id)?.({ ...message.m, port });
      }
    },
  });
  const say = (message) => listeners.forEach((listener) => listener(message));
  await isReady;
  let next = 0;
  // By the same name as the client of the page's.
  globalThis.node = {
    request: (method, params) => new Promise((done) => {
      const id = next++;
      waiting.set(id, done);
      say({ t: "rpc", m: { id, jsonrpc: "2.0", method, params } });
    }),
  };
}

/** One transfer by libp2p's perf protocol, up or down; milliseconds from asking for the stream to the last byte. */
export async function transfer(peer, protocol, { up, down }) {
  const CHUNK = 65_536;
  const WINDOW = 1024 * 1024;
  const block = crypto.getRandomValues(new Uint8Array(CHUNK));
  const header = new Uint8Array(8);
  new DataView(header.buffer).setBigUint64(0, BigInt(down));
  const begun = performance.now();
  const { error, port } = await globalThis.node.request("streams.open", { peer, protocols: [protocol] });
  if (error) throw new Error(`${error.code} ${error.message}`);
  return new Promise((done, failed) => {
    let [credit, sent, came, begunWriting, end] = [0, 0, 0, false, false];
    const pump = () => {
      if (!begunWriting && credit >= header.length) {
        begunWriting = true;
        credit -= header.length;
        port.postMessage({ type: "data", bytes: header });
      }
      while (begunWriting && sent < up && credit > 0) {
        const part = Math.min(CHUNK, credit, up - sent);
        // Copies, as the host may keep what it is given.
        port.postMessage({ type: "data", bytes: block.slice(0, part) });
        sent += part;
        credit -= part;
      }
      if (begunWriting && sent === up && !end) {
        end = true;
        port.postMessage({ type: "closeWrite" });
      }
    };
    port.onmessage = ({ data }) => {
      if (data.type === "credit") {
        credit += data.bytes;
        pump();
      } else if (data.type === "data") {
        came += data.bytes.length;
        port.postMessage({ type: "credit", bytes: data.bytes.length });
      } else if (data.type === "closeWrite") {
        if (came === down && sent === up) done(performance.now() - begun);
        else failed(new Error(`${sent} of ${up} bytes went, ${came} of ${down} came`));
      } else if (data.type === "reset") failed(new Error(`reset: ${data.reason}`));
    };
    port.postMessage({ type: "credit", bytes: WINDOW });
  });
}

/**
 * Before the page's own scripts: pings at once, as a request waits for the node by itself; `pinged`: milliseconds since the
 * navigation.
 */
export function pingAtOnce(peer) {
  window.addEventListener("message", ({ source, data }) => {
    if (source !== window || data?.mooring !== 1 || data.to !== "page") return;
    const { id, result, error } = data.message;
    if (id !== "first") return;
    if (result) window.pinged = performance.now();
    else window.failed = JSON.stringify(error);
  });
  // The first moment in which the page's own scripts run, and not before the document has a parser.
  const ask = () => {
    if (document.readyState === "loading") return;
    document.removeEventListener("readystatechange", ask);
    window.postMessage({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id: "first", method: "peers.ping", params: { peer } } }, location.origin);
  };
  document.addEventListener("readystatechange", ask);
}

/** A page that does nothing: what the browser takes by itself until a page's scripts run. */
export function noteWhenParsed() {
  document.addEventListener("DOMContentLoaded", () => (window.pinged = performance.now()));
}

/** The same for a page that brings js-libp2p: it starts, dials and pings. */
export function pingWhenStarted(address) {
  Object.defineProperty(window, "contender", {
    set: (contender) => {
      void (async () => {
        await contender.dial(address);
        await contender.ping();
        window.pinged = performance.now();
      })().catch((error) => (window.failed = String(error)));
    },
  });
}
