/** Of the addresses that a server listens on one that this browser can reach: Firefox does no WebRTC to 127.0.0.1. */
export function reachable(server, browser) {
  const usable = server.addresses.filter((each) => each.includes("/webrtc-direct/certhash/"));
  return usable.find((each) => browser !== "firefox" || !each.startsWith("/ip4/127.")) ?? server.address;
}
