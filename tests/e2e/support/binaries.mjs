// Where the browsers and our own builds are. The environment wins: cargo xtask sets it.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");

// The real binaries: distributions wrap them in scripts that add flags of their own (Debian's adds extensions).
const candidates = {
  MOORING_CHROMIUM: [
    "/usr/lib/chromium/chromium",
    "/opt/google/chrome/chrome",
    "/usr/bin/google-chrome-stable",
    "/usr/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ],
  MOORING_FIREFOX: [
    "/usr/lib/firefox-esr/firefox-esr",
    "/usr/lib/firefox/firefox",
    "/usr/bin/firefox",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
  ],
};

function find(variable) {
  const named = process.env[variable];
  if (named) return named;
  const found = candidates[variable].find((file) => fs.existsSync(file));
  if (!found) throw new Error(`no browser found: set ${variable} to its real binary`);
  return found;
}

export const chromiumBinary = () => find("MOORING_CHROMIUM");
export const firefoxBinary = () => find("MOORING_FIREFOX");

/** The built extension for a browser, `chrome` or `firefox`. */
export function extensionDir(browser) {
  const dir = path.resolve(root, process.env.MOORING_DIST ?? "dist", browser);
  if (!fs.existsSync(path.join(dir, "manifest.json"))) {
    throw new Error(`${path.relative(root, dir)} holds no extension: run \`cargo xtask build\` first`);
  }
  return dir;
}

/** The native server, as cargo built it last. */
export function serverBinary() {
  const named = process.env.MOORING_SERVER;
  if (named) return named;
  const file = path.join(root, "target/debug/mooring-server");
  if (!fs.existsSync(file)) throw new Error("no mooring-server: run `cargo build -p mooring-server` first");
  return file;
}
