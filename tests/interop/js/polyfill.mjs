// What js-libp2p 3.3 expects of its platform, and Node has only from version 22 on.
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket;

Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((yes, no) => { resolve = yes; reject = no; });
  return { promise, resolve, reject };
};
