/** Chrome's offscreen document: where the node lives. */
import { loadPlatform } from "./platform.chrome";
import { startHost } from "./supervisor";

startHost(loadPlatform);

// A last word that wakes the service worker, should it be asleep, so that a new document is made at once.
addEventListener("pagehide", () => {
  void chrome.runtime.sendMessage({ to: "background", type: "host.ensure" }).catch(() => undefined);
});
