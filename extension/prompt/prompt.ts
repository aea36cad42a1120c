/** The window that asks the user. What is asked comes from the host, never from the address beyond an id. */
import type { Descriptor } from "../generated/Descriptor";
import type { Duration } from "../generated/Duration";
import type { FromPrompt } from "../generated/FromPrompt";
import type { ToPrompt } from "../generated/ToPrompt";
import { whileAttended } from "./attention";
import { choiceFor, split, type Choice } from "./choice";
import { CLOSE_DELAY, MAX_HEIGHT, MIN_HEIGHT } from "./limits";
import { text, type Key } from "./text";
import { valueWords, wordsFor } from "./words";

const DURATIONS: [Duration, Key][] = [
  ["once", "promptDurationOnce"],
  ["hour", "promptDurationHour"],
  ["session", "promptDurationSession"],
  ["always", "promptDurationAlways"],
];

const id = new URLSearchParams(location.search).get("id") ?? "";
const port = chrome.runtime.connect({ name: "prompt" });

function say(message: FromPrompt): void {
  port.postMessage(message);
}

port.onMessage.addListener((message: ToPrompt) => {
  if (message.id !== id) return;
  if (message.t === "request") show(message.origin, message.permissions);
  else window.close();
});
// The host took the question back, or is gone: either way there is nobody to answer.
port.onDisconnect.addListener(() => {
  void chrome.runtime.lastError;
  window.close();
});
// Leaving without an answer is no denial.
addEventListener("keydown", (event) => {
  if (event.key === "Escape") window.close();
});
say({ t: "get", id });

let shown = false;

function show(origin: string, permissions: Descriptor[]): void {
  if (shown) return;
  shown = true;
  const choices = permissions.map(choiceFor);
  byId("origin").replaceChildren(...originParts(origin));
  byId("wants").textContent = text("promptWants");
  document.title = text("promptTitle", origin);
  document.documentElement.lang = text("language");
  const list = byId("permissions");
  const controls = byId("controls");
  const changed = (): void => {
    const allow = document.querySelector<HTMLButtonElement>('[data-testid="allow"]');
    if (allow) allow.disabled = split(choices).granted.length === 0;
  };
  list.replaceChildren(...choices.map((choice) => row(choice, changed)));
  document.body.classList.add("ready");
  fit();
  const placeholders = [...controls.childNodes];
  const pressable = [durationField(), buttons(choices)];
  // Taken away altogether, so that there is nothing a click or key meant for another window could press.
  const disarm = (): void => {
    controls.replaceChildren(...placeholders);
    document.body.classList.remove("armed");
    for (const box of list.querySelectorAll("input")) box.disabled = true;
  };
  whileAttended(() => {
    if (answered) return;
    controls.replaceChildren(...pressable);
    document.body.classList.add("armed");
    for (const box of list.querySelectorAll("input")) box.disabled = box.dataset.off === "true";
    changed();
    byId("ask").focus();
  }, disarm);
}

let answered = false;

function answer(granted: Descriptor[], denied: Descriptor[]): void {
  if (answered) return;
  answered = true;
  const duration = document.querySelector<HTMLSelectElement>('[data-testid="duration"]');
  say({ t: "answer", id, granted, denied, duration: (duration?.value ?? "session") as Duration });
  for (const control of document.querySelectorAll<HTMLButtonElement | HTMLInputElement>("button, input, select")) {
    control.disabled = true;
  }
  setTimeout(() => window.close(), CLOSE_DELAY);
}

/** Scheme dimmed, host and port in full: nothing of an origin may be cut off. */
function originParts(origin: string): Node[] {
  const at = origin.indexOf("://");
  if (at < 0) return [element("span", "host", origin)];
  return [element("span", "scheme", origin.slice(0, at + 3)), element("span", "host", origin.slice(at + 3))];
}

function row(choice: Choice, changed: () => void): HTMLElement {
  const words = wordsFor(choice.descriptor);
  const item = element("li", "permission");
  item.dataset.permission = choice.descriptor.name;
  const subs: HTMLInputElement[] = [];
  const main = box(words.title, words.detail, (on) => {
    choice.allowed = on;
    for (const sub of subs) setOff(sub, !on);
    changed();
  });
  item.append(main.label);
  if (words.extra) {
    const extra = box(words.extra.title, words.extra.detail, (on) => {
      choice.extra = on;
      changed();
    });
    extra.label.classList.add("sub", "caution");
    subs.push(extra.input);
    item.append(extra.label);
  }
  words.values?.forEach((value, index) => {
    const { name, note } = valueWords(value);
    const each = box(name, note ?? "", (on) => {
      choice.values[index] = on;
      changed();
    });
    each.label.classList.add("sub", "value");
    subs.push(each.input);
    item.append(each.label);
  });
  return item;
}

function setOff(input: HTMLInputElement, off: boolean): void {
  input.dataset.off = String(off);
  input.disabled = off;
}

function box(title: string, detail: string, onChange: (on: boolean) => void) {
  const input = document.createElement("input");
  input.type = "checkbox";
  input.checked = true;
  input.disabled = true;
  input.addEventListener("change", () => onChange(input.checked));
  const words = element("span", "text");
  words.append(element("span", "title", title));
  if (detail) words.append(element("span", "detail", detail));
  const label = element("label", "box");
  label.append(input, words);
  return { label, input };
}

function durationField(): HTMLElement {
  const select = document.createElement("select");
  select.dataset.testid = "duration";
  for (const [value, key] of DURATIONS) select.append(new Option(text(key), value, value === "session", value === "session"));
  const label = element("label", "duration");
  label.append(element("span", "", text("promptDuration")), select);
  return label;
}

function buttons(choices: Choice[]): HTMLElement {
  const deny = document.createElement("button");
  deny.type = "button";
  deny.dataset.testid = "deny";
  deny.textContent = text("promptDeny");
  deny.addEventListener("click", () => answer([], choices.map((choice) => choice.descriptor)));
  const allow = document.createElement("button");
  allow.type = "button";
  allow.className = "primary";
  allow.dataset.testid = "allow";
  allow.textContent = text("promptAllow");
  allow.disabled = split(choices).granted.length === 0;
  allow.addEventListener("click", () => {
    const { granted, denied } = split(choices);
    answer(granted, denied);
  });
  const row = element("div", "buttons");
  row.append(deny, allow);
  return row;
}

/** As high as the question needs. */
function fit(): void {
  const frame = window.outerHeight - window.innerHeight;
  const wanted = Math.min(Math.max(byId("page").scrollHeight, MIN_HEIGHT), MAX_HEIGHT, screen.availHeight - frame);
  window.resizeTo(window.outerWidth, wanted + frame);
}

function element(tag: string, className: string, content?: string): HTMLElement {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

function byId(name: string): HTMLElement {
  const found = document.getElementById(name);
  if (!found) throw new Error(`the page has no #${name}`);
  return found;
}
