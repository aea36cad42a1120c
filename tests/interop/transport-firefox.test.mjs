// Our WebRTC transport in Firefox, against real listeners, in a network namespace (../e2e/support/namespace.mjs says why).
import { enterNamespace } from "../e2e/support/namespace.mjs";

const host = enterNamespace();
const { describe } = await import("node:test");
const { startServer } = await import("../e2e/support/server.mjs");
const { addressOf, listen } = await import("./support/peers.mjs");
const { firefox } = await import("./support/probe.mjs");
const { suite } = await import("./support/suite.mjs");

const options = { launch: firefox(), host };

async function server() {
  const running = await startServer({ host });
  return { ...running, on: (transport) => addressOf(running.addresses, transport) };
}

describe("Firefox to go-libp2p", () => suite(() => listen("go", ["--address", host]), options));
describe("Firefox to our server", () => suite(server, options));
