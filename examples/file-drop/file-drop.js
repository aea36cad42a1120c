// The page: whoever opened somebody's link sends to them; everybody is given a link to be sent to. What peers say is only ever set as text.
import { explain, findNode, invitation, invited, pause, REACH, reachable } from "./meet.js";
import { element, made, problem } from "./page.js";
import { Receiver } from "./receive.js";
import { hashOf, send } from "./send.js";
import { MAX_SIZE, PROTOCOL } from "./wire.js";

/** Milliseconds before the relay is tried again. */
const AGAIN = 5_000;

const link = invited();

const MiB = (bytes) => (bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`);

/** A row of a list: what it is, how far it is, and what can be done. */
function row(list, name) {
  const item = made("li", "");
  const progress = made("progress", "");
  progress.setAttribute("aria-label", name);
  const about = made("span", "", "about");
  const buttons = made("div", "", "buttons");
  item.append(made("b", name), progress, about, buttons);
  list.append(item);
  let asked = false;
  let draw;
  return {
    item,
    buttons,
    progress,
    about,
    /** Draws it before the next frame; what comes meanwhile is drawn with it. */
    later(how) {
      draw = how;
      if (asked) return;
      asked = true;
      // Not a frame: a tab that is not looked at has none, and its title says nothing of it.
      setTimeout(() => {
        asked = false;
        draw();
      }, 50);
    },
  };
}

function button(text, action, className) {
  const one = made("button", text, className);
  one.type = "button";
  one.addEventListener("click", action);
  return one;
}

const SENDING = {
  hashing: () => "Reading the file…",
  offered: () => "Offered. The other side is asked whether it wants it…",
  sending: ({ at, size }) => `${MiB(at)} of ${MiB(size)}`,
  broken: ({ at, size }) => `The path broke at ${MiB(at)} of ${MiB(size)}. Trying again…`,
  done: ({ size, sha256 }) => `Sent, ${MiB(size)}, and checked by the other side. SHA-256 ${sha256}`,
  failed: ({ reason }) => reason,
};

async function sendFile(node, file) {
  if (file.size > MAX_SIZE) {
    problem(`${file.name} is larger than ${MiB(MAX_SIZE)}.`);
    return;
  }
  problem(null);
  const state = { phase: "hashing", at: 0, sent: 0, attempts: 0, size: file.size };
  const shown = row(element("sent"), file.name);
  const over = new AbortController();
  const cancel = button("Cancel", () => over.abort(new Error("You cancelled it.")), "plain");
  shown.buttons.append(cancel);
  const draw = () =>
    shown.later(() => {
      shown.item.dataset.phase = state.phase;
      shown.item.dataset.sent = state.sent;
      shown.item.dataset.attempts = state.attempts;
      shown.progress.max = Math.max(1, file.size);
      shown.progress.value = state.phase === "done" ? shown.progress.max : state.at;
      shown.about.textContent = SENDING[state.phase](state);
    });
  draw();
  try {
    state.sha256 = await hashOf(file, (at) => {
      over.signal.throwIfAborted();
      state.at = at;
      draw();
    });
    state.at = 0;
    await send(node, link, file, state.sha256, state, draw, over.signal);
  } catch (error) {
    [state.phase, state.reason] = ["failed", explain(over.signal.aborted ? over.signal.reason : error)];
    draw();
  }
  cancel.remove();
}

const RECEIVING = {
  offered: ({ peer, offer, reason }) => reason ?? `${MiB(offer.size)} from the node …${peer.slice(-6)}`,
  receiving: ({ received, offer }) => `${MiB(received)} of ${MiB(offer.size)}`,
  broken: ({ received, offer }) => `The path broke at ${MiB(received)} of ${MiB(offer.size)}. Waiting for the other side…`,
  done: ({ offer }) => `${MiB(offer.size)}, whole and checked. SHA-256 ${offer.sha256}`,
  failed: ({ reason }) => reason,
};

/** A function that draws a file whenever it has changed. */
function inbox(receiver) {
  const rows = new Map();
  const drawPhase = (file, shown) => {
    const { phase, offer } = file;
    shown.item.dataset.phase = phase;
    const remove = button(phase === "offered" ? "No, thanks" : phase === "receiving" || phase === "broken" ? "Cancel" : "Remove", () => receiver.remove(file), "plain");
    if (phase === "offered") shown.buttons.replaceChildren(button("Accept", () => receiver.accept(file)), remove);
    else if (phase === "done") {
      const save = made("a", "Save");
      save.href = shown.url = URL.createObjectURL(file.blob);
      save.download = offer.name;
      shown.buttons.replaceChildren(save, remove);
    } else shown.buttons.replaceChildren(remove);
  };
  return (file) => {
    let shown = rows.get(file);
    if (!shown) rows.set(file, (shown = row(element("received"), file.offer.name)));
    shown.later(() => {
      if (file.phase === "removed") {
        shown.item.remove();
        rows.delete(file);
        if (shown.url) URL.revokeObjectURL(shown.url);
        return;
      }
      // Buttons stay as they are while only the numbers change: somebody may be about to press one.
      if (shown.item.dataset.phase !== file.phase) drawPhase(file, shown);
      shown.item.dataset.breaks = file.breaks;
      shown.progress.hidden = file.phase === "offered" || file.phase === "failed";
      shown.progress.max = Math.max(1, file.offer.size);
      shown.progress.value = file.phase === "done" ? shown.progress.max : file.received;
      shown.about.textContent = RECEIVING[file.phase](file);
    });
  };
}

async function invite(node) {
  for (;;) {
    try {
      element("link").value = invitation(await reachable(node));
      element("link").hidden = element("copy").hidden = false;
      element("reach").textContent = "Give this link to whoever is to send you something. You are asked about every file.";
      return;
    } catch (error) {
      element("reach").textContent = explain(error);
      await pause(AGAIN);
    }
  }
}

function takeFiles(node) {
  const zone = element("zone");
  element("to").textContent = link.peer;
  element("sending").hidden = false;
  element("file").addEventListener("change", ({ target }) => {
    for (const file of target.files) void sendFile(node, file);
    target.value = "";
  });
  for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
    zone.addEventListener(type, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", type === "dragenter" || type === "dragover");
      if (type === "drop") for (const file of event.dataTransfer.files) void sendFile(node, file);
    });
  }
}

async function main() {
  const node = await findNode(() => (element("waiting").textContent = "No extension answers. Is Mooring installed?"));
  element("waiting").textContent = "Your browser's node is there. It will ask you what this page may do.";
  element("start").disabled = false;
  const start = async () => {
    element("start").disabled = true;
    problem(null);
    try {
      await node.permissions.request([...REACH, { name: "streams", protocols: [PROTOCOL] }]);
      const receiver = new Receiver((file) => changed(file));
      const changed = inbox(receiver);
      await node.handle(PROTOCOL, (stream) => receiver.handle(stream));
      element("enter").hidden = true;
      element("drop").hidden = false;
      if (link.peer) takeFiles(node);
      void invite(node);
    } catch (error) {
      problem(explain(error));
      element("start").disabled = false;
    }
  };
  element("start").addEventListener("click", () => void start());
  if ((await node.permissions.query()).some(({ name }) => name === "streams")) await start();
}

element("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(element("link").value).then(
    () => (element("copy").textContent = "Copied"),
    () => element("link").select(),
  );
});

main().catch((error) => problem(explain(error)));
