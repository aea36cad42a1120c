// What any extension needs at least to take a page's message to its offscreen document and back: a Port, or a MessagePort.
let port;
let bridge;
const answer = (message) => window.postMessage({ echo: 1, to: "page", message }, location.origin);

function throughPort(message) {
  if (!port) {
    port = chrome.runtime.connect({ name: "echo" });
    port.onMessage.addListener(answer);
  }
  port.postMessage(message);
}

function throughBridge(message) {
  if (!bridge) {
    const channel = new MessageChannel();
    bridge = channel.port1;
    bridge.onmessage = ({ data }) => answer(data);
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.addEventListener("load", () => frame.contentWindow.postMessage(0, "*", [channel.port2]), { once: true });
    frame.src = chrome.runtime.getURL("frame.html");
    document.documentElement.append(frame);
  }
  bridge.postMessage(message);
}

addEventListener("message", ({ source, data }) => {
  if (source !== window || data?.echo !== 1 || data.to === "page") return;
  if (data.to === "bridge") throughBridge(data.message);
  else throughPort(data.message);
});
