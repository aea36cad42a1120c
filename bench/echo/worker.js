// Hands MessagePorts of frames on to the document that echoes.
let host;
const early = [];
addEventListener("connect", ({ ports: [client] }) => {
  client.onmessage = ({ data, ports: [bridge] }) => {
    if (data === "host") {
      host = client;
      for (const each of early.splice(0)) host.postMessage(0, [each]);
    } else if (host) host.postMessage(0, [bridge]);
    else early.push(bridge);
  };
});
