// The page: a form to enter by, the room, and the link that leads others here. What peers say is only ever set as text.
import { line, MAX_NAME, MAX_ROOM, text } from "./check.js";
import { documentId, keepLines, keepPlace, lines as keptLines, place } from "./kept.js";
import { explain, findNode, invitation, invited, pause, REACH, reachable } from "./meet.js";
import { element, made, problem } from "./page.js";
import { Room, topicOf } from "./room.js";

/** Somebody who opened the link asks at the door: that the inviter's page is there, and it makes the way direct. */
const DOOR = "/mooring-chat/door/1";
/** Milliseconds before another try to reach the inviter, or the relay; the first, and the most it grows to. */
const AGAIN = 2_000;
const AGAIN_MOST = 60_000;

const link = invited();
let leaving;

/** The last characters of a peer id: the first are the same for all. The whole one shows under the mouse. */
function proven(peer) {
  const code = made("code", `✓ …${peer.slice(-6)}`);
  code.title = `Signed by the node ${peer}`;
  return code;
}

function lineItem({ from, doc, name, text, at }, me) {
  const item = made("li", "", from === me.from && doc === me.doc ? "own" : "");
  const by = made("div", "", "by");
  const time = made("time", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  by.append(made("b", name), proven(from), time);
  item.append(by, made("div", text, "words"));
  item.dataset.from = from;
  return item;
}

function show(room, me) {
  const list = element("lines");
  const notes = [];
  // Only what is new is added, so that it alone is read out.
  const items = new Map();
  const drawLines = () => {
    // Whoever reads further up stays there.
    const below = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
    const wanted = [...room.lines, ...notes].sort((a, b) => a.at - b.at);
    for (const [one, item] of items) {
      if (!wanted.includes(one)) {
        item.remove();
        items.delete(one);
      }
    }
    wanted.forEach((one, index) => {
      const item = items.get(one) ?? (one.note ? made("li", one.note, "note") : lineItem(one, me));
      items.set(one, item);
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    if (below || wanted.at(-1)?.from === me.from) list.scrollTop = list.scrollHeight;
  };
  const note = (text) => {
    notes.push({ note: text, at: Date.now() });
    // A room where people come and go all day.
    if (notes.length > 50) notes.shift();
    drawLines();
  };
  const drawPeople = () => {
    const own = { ...me, hidden: false };
    element("people").replaceChildren(
      ...[own, ...room.people.values()].map(({ from, doc, name, hidden }) => {
        const item = made("li", "", hidden ? "hidden" : "");
        item.append(made("span", from === me.from && doc === me.doc ? `${name} (you)` : hidden ? `${name} (away)` : name), proven(from));
        item.dataset.person = `${from}/${doc}`;
        return item;
      }),
    );
  };
  const draw = () => {
    drawLines();
    drawPeople();
  };
  room.addEventListener("lines", drawLines);
  room.addEventListener("people", drawPeople);
  room.addEventListener("came", ({ detail }) => note(`${detail.name} is here`));
  room.addEventListener("left", ({ detail }) => note(`${detail.name} has left`));
  room.addEventListener("dropped", ({ detail }) => note(detail === 1 ? "A message was lost" : `${detail} messages were lost`));
  room.addEventListener("ignored", () => {
    element("counts").textContent = `Not understood and left out: ${room.ignored}`;
  });
  room.addEventListener("failed", ({ detail }) => problem(explain(detail)));
  draw();
}

async function ask(stream) {
  const writer = stream.writable.getWriter();
  await writer.close();
  // One byte is the answer; what comes after it is not read.
  const reader = stream.readable.getReader();
  const { done } = await reader.read();
  stream.reset();
  if (done) throw new Error("Nobody is in that room any more.");
}

/** Keeps the way to whoever invited us, as long as this page is in the room. */
async function visit(node, signal) {
  for (let wait = AGAIN; link.peer && !signal.aborted; wait = Math.min(wait * 2, AGAIN_MOST)) {
    try {
      const { peer, addresses } = link;
      await node.dial({ peer, addresses }, { signal, timeout: 60_000 });
      await ask(await node.openStream(peer, DOOR, { signal }));
      element("status").textContent = "";
      wait = AGAIN;
      await new Promise((gone) => {
        const closed = ({ detail }) => {
          if (detail.peerId !== peer) return;
          node.removeEventListener("peer.disconnected", closed);
          gone();
        };
        node.addEventListener("peer.disconnected", closed);
        signal.addEventListener("abort", gone, { once: true });
      });
    } catch (error) {
      if (signal.aborted) return;
      element("status").textContent = `Whoever invited you is not reached yet: ${explain(error)}`;
    }
    await pause(wait);
  }
}

/** Shows the link that leads others here. */
async function invite(node, room, signal) {
  for (let wait = AGAIN; !signal.aborted; wait = Math.min(wait * 2, AGAIN_MOST)) {
    try {
      const addresses = await reachable(node, signal);
      element("link").value = invitation(addresses, { room });
      element("link").hidden = element("copy").hidden = false;
      element("reach").textContent = "Who opens this link is in the room with you.";
      return;
    } catch (error) {
      if (signal.aborted) return;
      element("reach").textContent = explain(error);
      await pause(wait);
    }
  }
}

async function enter(node, { name, room: roomName, background }) {
  const wanted = [
    ...REACH,
    { name: "peers" },
    { name: "pubsub", topics: [topicOf(roomName)] },
    { name: "streams", protocols: [DOOR] },
    ...(background ? [{ name: "background" }] : []),
  ];
  await node.permissions.request(wanted);
  const over = new AbortController();
  const { peerId } = await node.identity();
  const me = { from: peerId, doc: await documentId(), name };
  const room = new Room(node, roomName, me, keptLines(roomName));
  const unserve = await node.handle(DOOR, async (stream) => {
    const writer = stream.writable.getWriter();
    await writer.write(new Uint8Array([1]));
    await writer.close();
    await stream.readable.cancel();
  });
  show(room, me);
  await room.join();
  keepPlace({ name, room: roomName });
  room.addEventListener("lines", () => keepLines(roomName, room.lines));
  document.addEventListener("visibilitychange", () => room.beat(), { signal: over.signal });
  element("title").textContent = roomName;
  document.title = `${roomName} – chat`;
  element("enter").hidden = true;
  element("room").hidden = false;
  element("lines").scrollTop = element("lines").scrollHeight;
  element("text").focus();
  void invite(node, roomName, over.signal);
  void visit(node, over.signal);

  element("say").addEventListener("submit", (event) => {
    event.preventDefault();
    const words = text(element("text").value);
    if (!words) return;
    element("text").value = "";
    room.say(words).then(
      (recipients) => {
        problem(null);
        element("status").textContent = recipients === 0 ? "Nobody else is connected: only those who come later will read it." : "";
      },
      (error) => {
        element("text").value = words;
        problem(explain(error));
      },
    );
  });
  leaving = async () => {
    over.abort();
    keepPlace(null);
    await Promise.allSettled([room.leave(), unserve()]);
    // A page without a past is the plainest way back to the form.
    location.reload();
  };
}

async function main() {
  const before = place();
  element("name").value = before?.name ?? "";
  element("room-name").value = line(link.fields.get("room"), MAX_ROOM) ?? before?.room ?? "lobby";
  const node = await findNode(() => (element("waiting").textContent = "No extension answers. Is Mooring installed?"));
  element("waiting").textContent = "Your browser's node is there. It will ask you what this page may do.";
  element("join").disabled = false;
  const go = async (wanted) => {
    element("join").disabled = true;
    problem(null);
    try {
      await enter(node, wanted);
    } catch (error) {
      problem(explain(error));
      element("join").disabled = false;
    }
  };
  element("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = line(element("name").value, MAX_NAME);
    const room = line(element("room-name").value, MAX_ROOM);
    if (name && room) void go({ name, room, background: element("background").checked });
  });
  // Loaded anew: it goes on where it was.
  if (before && (await node.permissions.query()).some(({ name }) => name === "pubsub")) await go(before);
}

element("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element("say").requestSubmit();
});
element("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(element("link").value).then(
    () => (element("copy").textContent = "Copied"),
    () => element("link").select(),
  );
});
element("leave").addEventListener("click", () => void leaving?.());

main().catch((error) => problem(explain(error)));
