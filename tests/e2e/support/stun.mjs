// A STUN server that says where a request came from (RFC 8489, section 6.3), and counts the requests.
import { createSocket } from "node:dgram";
import { once } from "node:events";

const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const XOR_MAPPED_ADDRESS = 0x0020;
const COOKIE = 0x2112a442;
const HEADER = 20;

/** The answer to a request from this IPv4 address; undefined for anything else. */
function answer(request, { address, port }) {
  const valid = request.length >= HEADER && request.readUInt16BE(0) === BINDING_REQUEST && request.readUInt32BE(4) === COOKIE;
  if (!valid) return undefined;
  const response = Buffer.alloc(HEADER + 12);
  response.writeUInt16BE(BINDING_SUCCESS, 0);
  response.writeUInt16BE(12, 2);
  // Cookie and transaction id.
  request.copy(response, 4, 4, HEADER);
  response.writeUInt16BE(XOR_MAPPED_ADDRESS, HEADER);
  response.writeUInt16BE(8, HEADER + 2);
  response.writeUInt8(1, HEADER + 5);
  response.writeUInt16BE(port ^ (COOKIE >>> 16), HEADER + 6);
  const bits = address.split(".").reduce((bits, part) => bits * 256 + Number(part), 0);
  response.writeUInt32BE((bits ^ COOKIE) >>> 0, HEADER + 8);
  return response;
}

/** `url` as an extension's user writes it; `asked()` counts the requests that were answered. */
export async function startStun(host) {
  const socket = createSocket("udp4");
  let asked = 0;
  socket.on("message", (request, from) => {
    const response = answer(request, from);
    if (!response) return;
    asked += 1;
    socket.send(response, from.port, from.address);
  });
  socket.bind(0, host);
  await once(socket, "listening");
  return {
    url: `stun:${host}:${socket.address().port}`,
    asked: () => asked,
    close: () => new Promise((resolve) => socket.close(resolve)),
  };
}
