// Folders and processes that end with the test.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** A fresh folder; the caller removes it with `discard`. */
export function scratch(name) {
  return fs.mkdtempSync(path.join(os.tmpdir(), `mooring-${name}-`));
}

export function discard(dir) {
  // A browser's helpers may still be writing their last words.
  fs.rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Ends a process, first kindly. */
export async function end(child, limit = 5_000) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), limit);
  await gone;
  clearTimeout(timer);
}
