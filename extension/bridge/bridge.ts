/**
 * A frame that lives for a moment in a page and takes one MessagePort to the host. It believes nobody: without the token
 * that the host gave to the content script the port is good for nothing, and with it the host knows whose it is.
 */
import { WORKER } from "./messages";

addEventListener(
  "message",
  (event) => {
    const [port] = event.ports;
    if (event.source !== parent || typeof event.data !== "string" || !port) return;
    new SharedWorker(chrome.runtime.getURL(WORKER)).port.postMessage(event.data, [port]);
  },
  { once: true },
);
