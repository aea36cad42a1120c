// Offers a `/webrtc` connection over a circuit, with candidates of the test's choice, and says what it was answered.
//
//   node offerer.mjs MULTIADDR IP:PORT...
//
// The address ends in /p2p-circuit/p2p/<peer>. Prints one line of JSON for each message that it gets, `{ type, data }`, until its stdin ends.
import "./polyfill.mjs";
import { multiaddr } from "@multiformats/multiaddr";
import { RTCPeerConnection } from "node-datachannel/polyfill";
import { createNode } from "./node.mjs";

const SIGNALLING = "/webrtc-signaling/0.0.1";
const [OFFER, , CANDIDATE] = [0, 1, 2];

const [address, ...candidates] = process.argv.slice(2);

/** `Message { type = 1: enum, data = 2: string }` with its length in front (libp2p/specs webrtc/webrtc.md). */
function message(type, data) {
  const text = Buffer.from(data);
  const body = Buffer.concat([Buffer.from([0x08, type, 0x12]), varint(text.length), text]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(number) {
  const bytes = [];
  for (let rest = number; ; rest >>>= 7) {
    bytes.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) return Buffer.from(bytes);
  }
}

/** A varint and where it ends; undefined if it is not whole. */
function readVarint(buffer, at) {
  let number = 0;
  for (let shift = 0; at < buffer.length; shift += 7) {
    const byte = buffer[at++];
    number |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { number, at };
  }
  return undefined;
}

function report(body) {
  const found = { type: 0, data: "" };
  for (let at = 0; at < body.length; ) {
    const tag = body[at++];
    const { number, at: next } = readVarint(body, at);
    at = next;
    if (tag === 0x08) found.type = number;
    if (tag === 0x12) found.data = body.toString("utf8", at, (at += number));
  }
  console.log(JSON.stringify(found));
}

const peer = new RTCPeerConnection();
peer.createDataChannel("init");
const offer = await peer.createOffer();
const fragment = /a=ice-ufrag:(\S+)/.exec(offer.sdp)[1];

const node = await createNode();
const connection = await node.dial(multiaddr(address));
const stream = await connection.newStream(SIGNALLING, { runOnLimitedConnection: true });
process.stdin.once("end", () => process.exit(0)).resume();

// Its own candidates would be this machine's.
stream.send(message(OFFER, offer.sdp.split("\r\n").filter((line) => !line.startsWith("a=candidate:")).join("\r\n")));
let received = Buffer.alloc(0);
let answered = false;
for await (const chunk of stream) {
  received = Buffer.concat([received, chunk.subarray()]);
  for (let length; (length = readVarint(received, 0)) && received.length >= length.at + length.number; ) {
    const end = length.at + length.number;
    report(received.subarray(length.at, end));
    received = received.subarray(end);
    if (answered) continue;
    answered = true;
    candidates.forEach((candidate, index) => {
      const [ip, port] = candidate.split(":");
      const attribute = `candidate:${index + 1} 1 UDP ${2122260223 - index} ${ip} ${port} typ host`;
      stream.send(message(CANDIDATE, JSON.stringify({ candidate: attribute, sdpMid: "0", sdpMLineIndex: 0, usernameFragment: fragment })));
    });
  }
}
