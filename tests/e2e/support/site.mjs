// A web site on loopback for pages under test, with a small client for the page API by hand.
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { root } from "./binaries.mjs";

/** What the pages run. No library: the tests are to see the bare messages. */
const client = `
  const waiting = new Map();
  const node = {
    /** Everything that came from the extension, oldest first. */
    messages: [],
    /** Streams by id: { port, messages }. */
    streams: new Map(),
    next: 0,
    post(envelope) { window.postMessage(envelope, location.origin); },
    /** Resolves with { result } or { error }, the elapsed time in ms, and the port if one came along. */
    request(method, params = {}, id = "t" + ++node.next) {
      return new Promise((resolve) => {
        waiting.set(id, { resolve, at: performance.now() });
        node.post({ mooring: 1, to: "node", message: { jsonrpc: "2.0", id, method, params } });
      });
    },
    async call(method, params, id) {
      const { result, error } = await node.request(method, params, id);
      if (error) throw Object.assign(new Error(error.message), error);
      return result;
    },
    notify(method, params) {
      node.post({ mooring: 1, to: "node", message: { jsonrpc: "2.0", method, params } });
    },
    /**
     * Opens a stream to an echo service, sends that many bytes within the credit it gets, reads within the credit it
     * gives, and half-closes: { sent, received } are SHA-256 in hex, events the order of all that was not data.
     */
    async echo(peer, total, { chunk = 65536, window = 262144 } = {}) {
      const { result, error, port } = await node.request("streams.open", { peer, protocols: ["/mooring/echo/1.0.0"] });
      if (error) throw Object.assign(new Error(error.code + " " + error.message), error);
      const bytes = new Uint8Array(total);
      for (let at = 0; at < total; at += 65536) crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65536, total)));
      const parts = [], events = [];
      let credit = 0, sent = 0, closedWrite = false;
      const pump = () => {
        while (sent < total && credit > 0) {
          const size = Math.min(chunk, credit, total - sent);
          port.postMessage({ type: "data", bytes: bytes.slice(sent, sent + size) });
          sent += size;
          credit -= size;
        }
        if (sent === total && !closedWrite) {
          closedWrite = true;
          port.postMessage({ type: "closeWrite" });
        }
      };
      await new Promise((done) => {
        port.onmessage = ({ data }) => {
          if (data.type === "credit") credit += data.bytes;
          else if (data.type === "data") {
            parts.push(data.bytes);
            port.postMessage({ type: "credit", bytes: data.bytes.length });
          } else events.push(data.type + (data.reason ? ":" + data.reason : ""));
          if (data.type === "closed") done();
          else pump();
        };
        port.postMessage({ type: "credit", bytes: window });
      });
      const hash = async (blob) => [...new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()))]
        .map((byte) => byte.toString(16).padStart(2, "0")).join("");
      return { protocol: result.protocol, sent: await hash(new Blob([bytes])), received: await hash(new Blob(parts)), events };
    },
    answers(id) { return node.messages.filter((m) => m.id === id); },
    notifications(method) { return node.messages.filter((m) => m.method === method).map((m) => m.params); },
  };
  window.node = node;
  window.addEventListener("message", (event) => {
    if (event.source !== window || event.data?.mooring !== 1 || event.data.to !== "page") return;
    const { message } = event.data;
    node.messages.push(message);
    const one = message.id !== undefined && waiting.get(message.id);
    if (!one) return;
    waiting.delete(message.id);
    one.resolve({ result: message.result, error: message.error, ms: performance.now() - one.at, port: event.ports[0] });
  });
`;

const page = (title, body) => `<!doctype html><meta charset="utf-8"><title>${title}</title>${body}`;

/** The npm client as it is built. */
const built = (name) => () => ({ type: "text/javascript", body: fs.readFileSync(path.join(root, "client/dist", name)) });

const routes = {
  "/npm.js": built("mooring-client.js"),
  "/script.js": built("mooring.js"),
  "/npm": () => ({
    body: page("npm", `<script type="module">import * as mooring from "/npm.js"; window.mooring = mooring;</script>`),
  }),
  "/script": () => ({ body: page("script", `<script src="/script.js"></script>`) }),
  "/npm-framed": () => ({ body: page("framed", `<iframe src="/npm"></iframe>`) }),
  "/": () => ({ body: page("test", `<script src="/client.js"></script>`) }),
  "/client.js": () => ({ type: "text/javascript", body: client }),
  "/sandboxed": () => ({
    body: page("sandboxed", `<script>${client}</script>`),
    headers: { "content-security-policy": "sandbox allow-scripts" },
  }),
  "/strict": () => ({
    body: page("strict", `<script src="/client.js"></script>`),
    headers: { "content-security-policy": "default-src 'none'; script-src 'self'" },
  }),
  // Frames must agree to be in such a page, and the extension's do not.
  "/isolated": () => ({
    body: page("isolated", `<script src="/client.js"></script>`),
    headers: { "cross-origin-embedder-policy": "require-corp", "cross-origin-opener-policy": "same-origin" },
  }),
  "/prerendered": () => ({
    body: page(
      "prerendered",
      `<script src="/client.js"></script><script>
        window.prerendered = document.prerendering;
        const keep = () => { window.early = [...node.messages]; };
        if (document.prerendering) {
          void node.request("node.hello", {}, "too early");
          document.addEventListener("prerenderingchange", keep, { once: true });
          // Tells the test that it has asked while nobody looked.
          void fetch("/asked-early");
        } else keep();
      </script>`,
    ),
  }),
  "/framed": () => ({ body: page("framed", `<script src="/client.js"></script><iframe src="/"></iframe>`) }),
};

/**
 * @param {string} host as pages name it
 * @param {string} listen the address to serve on, if it is another
 * @param {object} options
 * @param {Record<string, () => object>} [options.routes] instead of those that are here of the same path
 * @param {{ key: string, cert: string }} [options.tls] to be served by https
 */
export async function startSite(host = "127.0.0.1", listen = host, { routes: own = {}, tls } = {}) {
  const requests = [];
  const all = { ...routes, ...own };
  const serve = (request, response) => {
    requests.push({ url: request.url, purpose: request.headers["sec-purpose"] });
    const { pathname } = new URL(request.url, "http://site");
    const found = Object.hasOwn(all, pathname) ? all[pathname]() : undefined;
    if (!found) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": found.type ?? "text/html", "cache-control": "no-store", ...found.headers });
    response.end(found.body);
  };
  const server = tls ? https.createServer(tls, serve) : http.createServer(serve);
  await new Promise((done, failed) => server.once("error", failed).listen(0, listen, done));
  const { port } = server.address();
  const origin = `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    port,
    /** What was asked for, and why if the browser said so. */
    requests,
    origin,
    url: (path = "/") => `${origin}${path}`,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(done);
      }),
  };
}
