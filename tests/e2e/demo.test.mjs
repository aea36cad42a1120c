// The demo as a script would use it: round trips on stdout, or the reason why not.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { extensionDir, root, serverBinary } from "./support/binaries.mjs";
import { startServer } from "./support/server.mjs";

/** Runs the demo to its end; `watch` hears what it has printed so far. */
async function demo(args, watch = () => undefined) {
  const child = spawn(process.execPath, [path.join(root, "examples/demo/demo.mjs"), "--headless", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => watch((stdout += data)));
  child.stderr.on("data", (data) => (stderr += data));
  const code = await new Promise((done) => child.once("close", done));
  return { code, stdout, stderr };
}

for (const browser of ["chrome", "firefox"]) {
  test(`in ${browser} it prints as many round trips as it is asked for`, async () => {
    const { code, stdout, stderr } = await demo([
      "--browser", browser, "--extension", extensionDir(browser), "--server-program", serverBinary(), "--count", "3",
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^(\d+\.\d ms\n){3}$/);
  });
}

test("a server that cannot be dialed is the reason why it ends with 1", async () => {
  const { code, stdout, stderr } = await demo(["--extension", extensionDir("chrome"), "--server", "/not/a/multiaddr"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^demo: .*5006/);
});

test("a ping that fails later is the reason why it ends with 1", async (t) => {
  const server = await startServer();
  t.after(() => server.close());
  const { code, stdout, stderr } = await demo(
    ["--extension", extensionDir("chrome"), "--server", server.address, "--count", "100000"],
    (printed) => printed.includes("ms\n") && server.kill(),
  );
  assert.equal(code, 1);
  assert.match(stdout, /^(\d+\.\d ms\n)+$/);
  assert.match(stderr, /^demo: ./);
  t.diagnostic(stderr.trim());
});

test("a flag that makes no sense is said so before anything starts", async () => {
  const { code, stderr } = await demo(["--server", "/x", "--count", "none"]);
  assert.equal(code, 1);
  assert.match(stderr, /--count must be a whole number/);
});
