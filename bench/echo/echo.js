// Gives back what it hears, on runtime Ports and on MessagePorts that come through the shared worker.
chrome.runtime.onConnect.addListener((port) => port.onMessage.addListener((message) => port.postMessage(message)));
const { port } = new SharedWorker("worker.js");
port.onmessage = ({ ports: [bridge] }) => {
  if (bridge) bridge.onmessage = ({ data }) => bridge.postMessage(data);
};
port.postMessage("host");
