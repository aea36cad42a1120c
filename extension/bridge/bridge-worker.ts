/** Where frames in pages and the host meet: hands each MessagePort on to the host with the token it came with. */
import { I_AM_THE_HOST } from "./messages";

/** MessagePorts that come before the host has said that it is there; more are never on their way at once but by abuse. */
const MAX_EARLY = 64;

let host: MessagePort | undefined;
const early: [string, MessagePort][] = [];

addEventListener("connect", (event) => {
  const [client] = (event as MessageEvent).ports;
  if (!client) return;
  // Only our own pages reach this worker, and only the host's says this.
  client.onmessage = ({ data, ports: [port] }: MessageEvent<string>) => {
    if (data === I_AM_THE_HOST) {
      host = client;
      for (const [token, waiting] of early.splice(0)) host.postMessage(token, [waiting]);
    } else if (port) {
      if (host) host.postMessage(data, [port]);
      else if (early.length < MAX_EARLY) early.push([data, port]);
      else port.close();
    }
  };
});
