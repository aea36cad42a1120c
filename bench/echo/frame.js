// Takes one MessagePort to the document that echoes.
addEventListener("message", ({ ports }) => new SharedWorker("worker.js").port.postMessage(0, ports), { once: true });
