// A part of the client's source, as node runs it.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** @param {string} file in client/src */
export async function load(file) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../src/${file}`, import.meta.url))],
    bundle: true,
    format: "esm",
    target: "node20",
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
