// The page API by hand: JSON-RPC in an envelope, by window.postMessage. It takes no library to use the node.

const waiting = new Map();
const listeners = new Map();
let next = 0;

window.addEventListener("message", (event) => {
  if (event.source !== window || event.data?.mooring !== 1 || event.data.to !== "page") return;
  const { id, method, params, result, error } = event.data.message;
  if (method !== undefined) {
    for (const listener of listeners.get(method) ?? []) listener(params);
    return;
  }
  const asked = waiting.get(id);
  if (!asked) return;
  waiting.delete(id);
  if (error) asked.reject(Object.assign(new Error(error.message), { code: error.code, data: error.data }));
  else asked.resolve(result);
});

/** Sends a request to the node; rejects with an error that has the page API's `code`. */
export function call(method, params = {}) {
  next += 1;
  const id = `demo-${next}`;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    window.postMessage({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id, method, params } }, location.origin);
  });
}

/** Hears a notification of the node. */
export function on(method, listener) {
  listeners.set(method, [...(listeners.get(method) ?? []), listener]);
}

/** Resolves when there is a node to talk to, whether it announced itself before this ran or does so later. */
export function available() {
  return new Promise((resolve) => {
    on("node.available", resolve);
    call("node.hello").then(resolve, () => undefined);
  });
}
