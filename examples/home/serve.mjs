// The page's few files, on loopback: `node examples/home/serve.mjs [PORT]`.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const PKG = path.join(HERE, "../../target/pkg/home");

const files = {
  "/": [path.join(HERE, "index.html"), "text/html"],
  "/home.css": [path.join(HERE, "home.css"), "text/css"],
  "/pkg/home_app.js": [path.join(PKG, "home_app.js"), "text/javascript"],
  "/pkg/home_app_bg.wasm": [path.join(PKG, "home_app_bg.wasm"), "application/wasm"],
};

/** Serves the page; its address, and what ends it. */
export async function serve(port = 0) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://home");
    const found = Object.hasOwn(files, pathname) ? files[pathname] : undefined;
    if (!found || !fs.existsSync(found[0])) {
      response.writeHead(404).end("Not there. Was it built? cargo xtask build --pages\n");
      return;
    }
    response.writeHead(200, { "content-type": found[1], "cache-control": "no-store" });
    fs.createReadStream(found[0]).pipe(response);
  });
  await new Promise((done, failed) => server.once("error", failed).listen(port, "127.0.0.1", done));
  const close = () =>
    new Promise((done) => {
      server.closeAllConnections();
      server.close(done);
    });
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(Number(process.argv[2] ?? 8088));
  console.log(url);
}
