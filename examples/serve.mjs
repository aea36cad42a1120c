// The files of an example, on loopback: its own folder, what the examples share, and the client as it is built.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".wasm": "application/wasm" };

/** The files by their paths on the site: nothing else is served. */
function files(example) {
  const found = new Map([
    ["/mooring-client.js", path.join(HERE, "../client/dist/mooring-client.js")],
    ["/mark.svg", path.join(HERE, "../extension/icons/mark.svg")],
  ]);
  for (const folder of ["shared", example]) {
    for (const name of fs.readdirSync(path.join(HERE, folder))) {
      if (path.extname(name) in TYPES) found.set(`/${name}`, path.join(HERE, folder, name));
    }
  }
  found.set("/", path.join(HERE, example, "index.html"));
  return found;
}

/**
 * Serves an example by the name of its folder: { url, close }.
 * @param {object} [options]
 * @param {number} [options.port] one of its choice unless told
 * @param {Record<string, string>} [options.built] what else there is, by its path on the site: files that a build makes
 */
export async function serve(example, { port = 0, built = {} } = {}) {
  const served = new Map([...files(example), ...Object.entries(built)]);
  const server = http.createServer((request, response) => {
    const file = served.get(new URL(request.url, "http://example").pathname);
    if (!file || !fs.existsSync(file)) {
      response.writeHead(404).end(file && "Not there. Was it built? cargo xtask build\n");
      return;
    }
    response.writeHead(200, { "content-type": TYPES[path.extname(file)], "cache-control": "no-store" });
    fs.createReadStream(file).pipe(response);
  });
  await new Promise((done, failed) => server.once("error", failed).listen(port, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(done);
      }),
  };
}
