// Messages to the node by a seeded generator, from right to nonsense, each with what is to be heard for it (docs/page-api.md).

/**
 * Runs in the page, so that it needs nothing from outside.
 * @param {number} seed
 * @returns {(index: number) => { data: unknown, key?: string }} `key`: under which id an answer must come; without it none may
 */
export function messages(seed) {
  let state = seed;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  const one = (list) => list[below(list.length)];

  const PEER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
  const names = ["", "a", "id", "__proto__", "constructor", "toString", "params", "then", "length", "\u0000", "é😀", "x".repeat(200)];
  const texts = [...names, "\ud800", "2.0", "node", "null", "1e999", "/ip4/127.0.0.1/tcp/1", PEER, "\n".repeat(50), "<b>", "${x}", "x".repeat(20_000)];
  const numbers = [0, -0, 1, -1, 0.1, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, Number.MIN_VALUE, NaN, Infinity, -Infinity];

  /** Anything that JSON knows, binary data, and sometimes what neither is. */
  const value = (depth = 0) => {
    switch (below(depth > 3 ? 7 : 12)) {
      case 0: return null;
      case 1: return next() < 0.5;
      case 2: return one(numbers);
      case 3: case 4: return one(texts);
      case 5: return new Uint8Array(below(300));
      case 6: return next() < 0.9 ? undefined : one([1n, new Date(0), new Map([[1, 2]]), new Set([1]), /x/, new Error("e"), new ArrayBuffer(8), new Blob(["x"])]);
      case 7: case 8: return Array.from({ length: below(6) }, () => value(depth + 1));
      default: return record(depth + 1);
    }
  };
  const record = (depth) => {
    const made = {};
    for (let left = below(5); left > 0; left -= 1) {
      // Also own properties that are else inherited.
      Object.defineProperty(made, one([...names, "peer", "addresses", "protocols", "permissions", "timeoutMs", "events", "topic", "key"]), {
        value: value(depth), enumerable: true, configurable: true, writable: true,
      });
    }
    return made;
  };
  const deep = () => {
    let made = {};
    for (let left = one([20, 31, 32, 33, 40, 500]); left > 0; left -= 1) made = next() < 0.5 ? [made] : { a: made };
    return made;
  };
  const cycle = () => {
    const made = { a: [] };
    made.a.push(made);
    return made;
  };
  const odd = () => {
    switch (below(8)) {
      case 0: return deep();
      case 1: return cycle();
      // Not to be cloned at all.
      case 2: return next() < 0.1 ? { f: () => 1 } : {};
      case 3: return next() < 0.05 ? "x".repeat(1_100_000) : "x";
      case 4: return next() < 0.05 ? Array.from({ length: 70_000 }, () => 0) : [];
      default: return value();
    }
  };

  /** Requests that change nothing, whatever they hold: none asks the user, gives up a grant, or leaves a connection. */
  const methods = {
    "node.hello": () => ({}),
    "node.status": () => ({}),
    "permissions.query": () => ({}),
    "identity.get": () => ({}),
    "peers.list": () => ({}),
    "connections.list": () => ({}),
    "peers.ping": () => ({ peer: one([PEER, "", value()]), timeoutMs: 50 }),
    "connections.dial": () => ({ addresses: one([[], ["nonsense"], [value()], value(), ["/ip4/1.2.3.4"]]), timeoutMs: 50 }),
    "streams.open": () => ({ peer: one(["", value()]), protocols: one([["/x"], [], value()]), timeoutMs: 50 }),
    "pubsub.publish": () => ({ topic: one(["t", value()]), data: one([new Uint8Array(3), value()]) }),
    "pubsub.peers": () => ({ topic: value() }),
    "dht.get": () => ({ key: value() }),
    "rendezvous.discover": () => ({ namespace: value() }),
    "events.subscribe": () => ({ events: one([["nothing"], [], value()]) }),
    "permissions.request": () => ({ permissions: one([[], [{ name: "nothing" }], [{}], "all", null]) }),
    "permissions.revoke": () => ({ permissions: one([[{ name: "nothing" }], [{}], "all", 7]) }),
  };
  const unknown = () => one([...names, "node", "node.", "rpc.cancel", "rpc.discover", "constructor", "NODE.HELLO", "node.hello "]);

  const keyOf = (id) => `${typeof id} ${id}`;
  let last = "m0";

  return (index) => {
    const id = one([`m${index}`, `m${index}`, 1_000_000 + index, -index - 0.5, `${"i".repeat(128 - `${index}`.length)}${index}`]);
    const envelope = (message) => ({ mooring: 1, to: "node", message });
    const request = (fields) => ({ data: envelope({ jsonrpc: "2.0", id, ...fields }), key: keyOf(id) });
    switch (below(16)) {
      case 0: case 1: case 2: case 3: {
        const method = one(Object.keys(methods));
        last = id;
        return request({ method, params: methods[method]() });
      }
      case 4: return request({ method: one(["node.hello", "node.status", "peers.list", "identity.get", "peers.ping"]), params: odd() });
      case 5: return request({ method: unknown(), params: odd() });
      case 6: return request({ method: value() ?? null, params: value() });
      case 7: return request({ jsonrpc: one(["1.0", 2, null, "2", value()]), method: "node.hello", params: {} });
      case 8: return request({ method: "node.hello", params: {}, [one(["extra", "result", "__proto__x", "id2"])]: odd() });
      // Of another version: the id is known all the same.
      case 9: return { data: { mooring: one([2, 0, "1", null, true, [1]]), to: "node", message: { jsonrpc: "2.0", id, method: "node.hello" } }, key: keyOf(id) };
      // An id that is none is answered as null.
      case 10: {
        const bad = one([null, "", "x".repeat(129), NaN, Infinity, true, {}, [1], "\ud800", 7n]);
        return { data: envelope({ jsonrpc: "2.0", id: bad, method: "node.hello", params: {} }), key: "null" };
      }
      case 11: return { data: envelope(one([[], [{ jsonrpc: "2.0", id, method: "node.hello" }], null, "text", 7, true, undefined])), key: "null" };
      // Nobody's, or not to be answered.
      case 12: return { data: one([value(), odd(), { mooring: 1 }, { mooring: 1, to: "page", message: { jsonrpc: "2.0", method: "x" } }, { to: "node", message: { id, method: "node.hello" } }]) };
      case 13: return { data: envelope({ jsonrpc: "2.0", method: one(["node.hello", "rpc.cancel", "permissions.revoke"]), params: odd() }) };
      case 14: return { data: envelope({ jsonrpc: "2.0", id, [one(["result", "error"])]: value() ?? 1 }) };
      default: return { data: envelope({ jsonrpc: "2.0", method: "rpc.cancel", params: { id: one([last, id, value()]) } }) };
    }
  };
}
