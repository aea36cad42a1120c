// What would be published: small, whole, and shakeable. Needs `cargo xtask build`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** All of the client as a page would load it, in bytes. */
const MOST_GZIPPED = 8_000;

const file = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const read = (name) => fs.readFileSync(file(name), "utf8");
const packaged = JSON.parse(read("package.json"));

for (const name of ["mooring-client.js", "mooring.js"]) {
  test(`${name} is under ${MOST_GZIPPED} bytes gzipped`, (t) => {
    const bytes = gzipSync(read(`dist/${name}`), { level: 9 }).length;
    t.diagnostic(`${bytes} bytes`);
    assert.ok(bytes > 1_000 && bytes < MOST_GZIPPED, `${bytes} bytes`);
  });
}

test("the module has the named exports, and the script the same under one name", async () => {
  const module = await import("../dist/mooring-client.js");
  assert.deepEqual(Object.keys(module).sort(), ["ErrorCode", "MooringError", "connect"]);
  assert.equal(packaged.exports["."].default, "./dist/mooring-client.js");
  const window = {};
  new Function("window", read("dist/mooring.js"))(window);
  assert.deepEqual(Object.keys(window), ["mooring"]);
  assert.deepEqual(Object.keys(window.mooring).sort(), ["ErrorCode", "MooringError", "connect"]);
});

test("who needs the error codes only gets little more", async () => {
  const bundle = async (contents) => {
    const stdin = { contents, resolveDir: file(".") };
    const { outputFiles } = await build({ stdin, bundle: true, minify: true, format: "esm", write: false });
    return outputFiles[0].text.length;
  };
  const codes = await bundle('import { ErrorCode } from "mooring-client"; console.log(ErrorCode.Timeout);');
  const whole = await bundle('import { connect } from "mooring-client"; connect();');
  assert.ok(codes < 1_000 && codes * 8 < whole, `${codes} of ${whole} bytes`);
  assert.equal(await bundle('import { connect } from "mooring-client";'), 0, "nothing runs that nobody asked for");
});

for (const [module, resolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
  test(`the declarations are whole and true for a user with ${resolution}`, () => {
    const tsc = file("../node_modules/typescript/bin/tsc");
    const settings = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "es2023", "--lib", "es2023,dom,dom.asynciterable"];
    const { status, stdout } = spawnSync(
      process.execPath,
      [tsc, ...settings, "--ignoreConfig", "--module", module, "--moduleResolution", resolution, file("test/consumer.ts")],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stdout);
  });
}

test("it has no dependencies, and the version of the rest", () => {
  assert.deepEqual([packaged.dependencies, packaged.peerDependencies], [undefined, undefined]);
  const [, version] = /\[workspace\.package\][^[]*?\nversion = "([^"]+)"/.exec(read("../Cargo.toml"));
  assert.equal(packaged.version, version);
});

test("everything that is exported is documented", () => {
  const undocumented = [];
  for (const name of fs.readdirSync(file("dist")).filter((name) => name.endsWith(".d.ts"))) {
    const lines = read(`dist/${name}`).split("\n");
    const shown = new Set([...read("dist/index.d.ts").matchAll(/\b(\w+)\b(?=[,} ])/g)].map(([, word]) => word));
    for (const [at, line] of lines.entries()) {
      const [, exported] = /^export (?:declare )?(?:class|function|interface|type|const) (\w+)/.exec(line) ?? [];
      if (exported && shown.has(exported) && !lines[at - 1]?.trim().endsWith("*/")) undocumented.push(`${name}: ${exported}`);
    }
  }
  assert.deepEqual(undocumented, []);
});
