/** Boots the dashboard: the port to the node and the wasm at the same time, since neither needs the other to begin. */
import init, { Popup } from "popup-wasm";
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

function receive(to: Popup, message: unknown): void {
  try {
    to.receive(message);
  } catch (error) {
    console.error("mooring:", error);
  }
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

boot().catch((error: unknown) => {
  console.error("mooring: the dashboard could not start:", error);
  const status = document.querySelector('[data-testid="status"]');
  if (status) status.textContent = "The dashboard could not start. Reload the extension.";
});
