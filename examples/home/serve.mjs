// The page, on loopback: `node examples/home/serve.mjs [PORT]`.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { serve as serveExample } from "../serve.mjs";

const PKG = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../target/pkg/home");
const built = Object.fromEntries(["home_app.js", "home_app_bg.wasm"].map((name) => [`/pkg/${name}`, path.join(PKG, name)]));

/** Serves the page; its address, and what ends it. */
export const serve = (port) => serveExample("home", { port, built });

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(Number(process.argv[2] ?? 8088));
  console.log(url);
}
