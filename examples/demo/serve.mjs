// The demo page's few files, on loopback.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));

const files = {
  "/": ["index.html", "text/html"],
  "/demo.css": ["demo.css", "text/css"],
  "/demo.js": ["demo.js", "text/javascript"],
  "/graph.js": ["graph.js", "text/javascript"],
  "/mooring-client.js": ["../../client/dist/mooring-client.js", "text/javascript"],
  "/mark.svg": ["../../extension/icons/mark.svg", "image/svg+xml"],
};

/** Serves the page; its address. */
export async function serve() {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://demo");
    const found = Object.hasOwn(files, pathname) ? files[pathname] : undefined;
    if (!found) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": found[1], "cache-control": "no-store" });
    fs.createReadStream(path.join(HERE, found[0])).pipe(response);
  });
  await new Promise((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
  server.unref();
  return `http://127.0.0.1:${server.address().port}/`;
}

