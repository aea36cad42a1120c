// One base manifest.json and one set of sources; out come two extensions, dist/chrome and dist/firefox, and the npm client,
// client/dist, as a module and for a script tag.
//
//   webpack [--env browser=chrome|firefox] [--env dist=FOLDER] [--mode production]
//
// The wasm packages `host-wasm` and `popup-wasm` must be there already: `cargo xtask build` makes
// them and then runs this.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import CopyPlugin from "copy-webpack-plugin";
import { EsbuildPlugin } from "esbuild-loader";
import webpack from "webpack";

const root = path.dirname(fileURLToPath(import.meta.url));
const inRoot = (...parts) => path.join(root, ...parts);

/** The workspace's version is the extension's: one number, in Cargo.toml. */
function version() {
  const cargo = fs.readFileSync(inRoot("Cargo.toml"), "utf8");
  const found = /\[workspace\.package\][^[]*?\nversion = "([^"]+)"/.exec(cargo);
  if (!found) throw new Error("Cargo.toml has no version in [workspace.package]");
  return found[1];
}

/** Chrome's manifest: the base less what only Firefox reads. */
function chromeManifest(base) {
  const { browser_specific_settings: _, ...manifest } = base;
  return { ...manifest, version: version() };
}

/**
 * Firefox's: no offscreen documents there, and an MV3 event page dies under an idle node, so the
 * node lives in a persistent MV2 background page (docs/adr/0002-firefox-background.md).
 */
function firefoxManifest(base) {
  const { key, minimum_chrome_version, message_serialization, action, host_permissions, ...rest } = base;
  return {
    ...rest,
    manifest_version: 2,
    version: version(),
    // Only Chrome has offscreen documents; only there must open tabs be given their content script by hand.
    // The identity is in IndexedDB, which Firefox may clear when the disk is full unless it is told not to.
    permissions: [...base.permissions.filter((name) => name !== "offscreen" && name !== "scripting"), "unlimitedStorage"],
    background: { scripts: ["background.js"], persistent: true },
    web_accessible_resources: base.web_accessible_resources.flatMap(({ resources }) => resources),
    browser_action: action,
    content_security_policy: base.content_security_policy.extension_pages,
  };
}

const browsers = {
  chrome: { manifest: chromeManifest, target: "chrome148" },
  firefox: { manifest: firefoxManifest, target: "firefox142" },
};

/** A source file of one browser wins over the shared one: `background.firefox.ts`, `background.ts`. */
function source(browser, file) {
  const { dir, name, ext } = path.parse(file);
  return [path.join(dir, `${name}.${browser}${ext}`), file].map((f) => inRoot(f)).find((f) => fs.existsSync(f));
}

function configuration(browser, mode, dist) {
  const { manifest, target } = browsers[browser];
  const production = mode === "production";

  const entry = {
    background: source(browser, "background/background.ts"),
    content: source(browser, "extension/content/content.ts"),
    prompt: source(browser, "extension/prompt/prompt.ts"),
    popup: source(browser, "popup/popup.ts"),
    bridge: source(browser, "extension/bridge/bridge.ts"),
    "bridge-worker": source(browser, "extension/bridge/bridge-worker.ts"),
    // Chrome's offscreen document; Firefox's background page imports the same module itself.
    ...(browser === "chrome" && { host: source(browser, "extension/host/host.ts") }),
  };
  const missing = Object.keys(entry).filter((name) => !entry[name]);
  if (missing.length > 0) throw new Error(`no source for: ${missing.join(", ")}`);

  const pages = ["extension/prompt", "extension/bridge", "popup", ...(browser === "chrome" ? ["extension/host"] : [])];

  return {
    name: browser,
    mode,
    target: "web",
    entry,
    output: {
      path: inRoot(dist, browser),
      filename: "[name].js",
      assetModuleFilename: "[name][ext]",
      // Every extension page, in whatever folder, finds the wasm at the extension's root.
      publicPath: "/",
      clean: true,
    },
    // `eval` source maps would need 'unsafe-eval', which the CSP refuses.
    devtool: production ? false : "source-map",
    module: {
      rules: [{ test: /\.ts$/, loader: "esbuild-loader", options: { target, tsconfig: inRoot("tsconfig.json") } }],
    },
    resolve: {
      extensions: [".ts", ".js"],
      // TypeScript sources name their neighbours with the extension they will have: "./relay.js".
      extensionAlias: { ".js": [".ts", ".js"] },
      alias: {
        "host-wasm$": inRoot("target/pkg/host/mooring_host.js"),
        "popup-wasm$": inRoot("target/pkg/popup/mooring_popup.js"),
      },
    },
    optimization: {
      minimizer: [new EsbuildPlugin({ target, keepNames: true })],
      // A content script and a service worker are one file each: no shared chunks to load.
      splitChunks: false,
      runtimeChunk: false,
    },
    performance: { hints: false },
    stats: "errors-warnings",
    plugins: [
      new webpack.DefinePlugin({ __BROWSER__: JSON.stringify(browser) }),
      new CopyPlugin({
        patterns: [
          {
            from: inRoot("manifest.json"),
            transform: (text) => JSON.stringify(manifest(JSON.parse(text.toString())), null, 2),
          },
          { from: inRoot("extension/_locales"), to: "_locales" },
          { from: inRoot("extension/icons"), to: "icons" },
          ...pages.map((folder) => ({ from: "*.{html,css,svg}", context: inRoot(folder), noErrorOnMissing: true })),
        ],
      }),
    ],
  };
}

/**
 * The client: all of it in one file, small in every mode, as that is how it is published. Its declarations are tsc's.
 * @param {"module"|"script"} kind the script defines the global `mooring`
 */
function clientConfiguration(kind) {
  const isModule = kind === "module";
  // What the extension's own browsers know, the page's browser knows.
  const target = Object.values(browsers).map((browser) => browser.target);
  return {
    name: `client-${kind}`,
    mode: "production",
    target: "web",
    entry: inRoot("client/src/index.ts"),
    output: {
      path: inRoot("client/dist"),
      filename: isModule ? "mooring-client.js" : "mooring.js",
      library: isModule ? { type: "module" } : { type: "window", name: "mooring" },
      ...(isModule && { module: true }),
    },
    experiments: { outputModule: isModule },
    devtool: "source-map",
    module: {
      rules: [{ test: /\.ts$/, loader: "esbuild-loader", options: { target, tsconfig: inRoot("client/tsconfig.json") } }],
    },
    resolve: { extensions: [".ts"], extensionAlias: { ".js": [".ts"] } },
    // Its exports are what a bundler of the page shakes.
    optimization: { minimizer: [new EsbuildPlugin({ target, ...(isModule && { format: "esm" }) })] },
    performance: { hints: false },
    stats: "errors-warnings",
  };
}

export default (env, argv) => {
  const wanted = env.browser ? [env.browser] : Object.keys(browsers);
  const unknown = wanted.filter((browser) => !Object.hasOwn(browsers, browser));
  if (unknown.length > 0) throw new Error(`unknown browser ${unknown.join(", ")}: chrome or firefox`);
  return [
    ...wanted.map((browser) => configuration(browser, argv.mode ?? "development", env.dist ?? "dist")),
    ...["module", "script"].map(clientConfiguration),
  ];
};
