/**
 * What the browser says of the machine's network. One that was there and is lost is worth telling; a machine that has
 * none to begin with, as in a sandbox, may still reach what is on it, and counts as having one.
 */

/** Where a document that is loaded anew, after a crash, finds that the network was lost. */
const KEY = "mooring.network-lost";

/** Calls `tell` whenever the network is lost or back, and at once if it is lost. */
export function watchNetwork(tell: (available: boolean) => void): void {
  addEventListener("offline", () => {
    sessionStorage.setItem(KEY, "yes");
    tell(false);
  });
  addEventListener("online", () => {
    sessionStorage.removeItem(KEY);
    tell(true);
  });
  if (navigator.onLine) sessionStorage.removeItem(KEY);
  else if (sessionStorage.getItem(KEY) !== null) tell(false);
}
