/** Boots the dashboard: the port to the node and the wasm at the same time, since neither needs the other to begin. */
import init, { Popup } from "popup-wasm";
import { LOWEST_POPUP } from "./limits";
import { Link } from "./link";

let popup: Popup | undefined;
/** What the node said last while the wasm was loading: each snapshot replaces the one before, so one is enough. */
let waiting: unknown;
let lost = false;

const link = new Link({
  message(message) {
    if (popup) receive(popup, message);
    else waiting = message;
  },
  lost() {
    waiting = undefined;
    lost = true;
    popup?.lost();
  },
});

let shown = false;

function receive(to: Popup, message: unknown): void {
  try {
    to.receive(message);
    if (!shown) markShown();
  } catch (error) {
    console.error("mooring:", error);
  }
}

/** Puts into the page's timeline when what the node says was painted: popup/preview/timing.mjs reads it. */
function markShown(): void {
  shown = true;
  // A task after the next frame's work is the first that runs with that frame on its way to the screen.
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      performance.mark("mooring.shown");
      port1.close();
    };
    port2.postMessage(undefined);
  });
}

async function boot(): Promise<void> {
  await init();
  const root = document.getElementById("dashboard");
  if (!root) throw new Error("the page has no place for the dashboard");
  popup = new Popup(root, link);
  if (lost) popup.lost();
  if (waiting !== undefined) receive(popup, waiting);
  waiting = undefined;
}

/**
 * A browser makes its popup as large as the page, and cuts it where the screen is too low for that: the page is then as
 * high as what is left. It can't be so from the start, since the popup begins with no height at all.
 */
function fit(): void {
  const { dataset } = document.documentElement;
  if (dataset.low === undefined && innerHeight >= LOWEST_POPUP && innerHeight < document.body.offsetHeight) dataset.low = "";
}
addEventListener("resize", fit);

boot().catch((error: unknown) => {
  console.error("mooring: the dashboard could not start:", error);
  const status = document.querySelector('[data-testid="status"]');
  if (status) status.textContent = "The dashboard could not start. Reload the extension.";
});
