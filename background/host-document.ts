/** Keeps exactly one offscreen document, where the node lives. */
import { REMAKE_FORGET, REMAKE_MAX, REMAKE_MIN } from "./limits";

export const HOST_PAGE = "host.html";

/** The one creation under way: every caller awaits it, so no two can run. */
let creating: Promise<void> | undefined;
let watched: chrome.runtime.Port | undefined;
let pause = REMAKE_MIN;

/** Resolves when the host document is there and listens for ports. */
export function ensureHost(): Promise<void> {
  creating ??= make().finally(() => {
    creating = undefined;
  });
  return creating;
}

async function make(): Promise<void> {
  if (!(await exists())) {
    try {
      await chrome.offscreen.createDocument({
        url: HOST_PAGE,
        reasons: [chrome.offscreen.Reason.WEB_RTC],
        justification: "Holds the libp2p node and its WebRTC connections, which outlive any page.",
      });
    } catch (error) {
      // A document that a former life of this worker was making is as good; anything else is the caller's to know.
      if (!(await exists())) throw error;
    }
  }
  watch();
}

async function exists(): Promise<boolean> {
  const contexts = await chrome.runtime.getContexts({
    contextTypes: [chrome.runtime.ContextType.OFFSCREEN_DOCUMENT],
    documentUrls: [chrome.runtime.getURL(HOST_PAGE)],
  });
  return contexts.length > 0;
}

/** Holds a port to the document while this worker lives: it closes when the document goes, and then another is made. */
function watch(): void {
  if (watched) return;
  const since = Date.now();
  const port = chrome.runtime.connect({ name: "watch" });
  watched = port;
  port.onDisconnect.addListener(() => {
    void chrome.runtime.lastError;
    watched = undefined;
    // One that goes over and over is made again ever more slowly.
    pause = Date.now() - since > REMAKE_FORGET ? REMAKE_MIN : Math.min(pause * 2, REMAKE_MAX);
    setTimeout(() => void ensureHost().catch(report), pause / 2);
  });
}

export function report(error: unknown): void {
  console.error("mooring: the host document could not be made:", error);
}
