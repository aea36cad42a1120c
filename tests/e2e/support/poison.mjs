// Pages that spoil what the language and the browser give them before any client loads, and a way to see nevertheless what comes.

/** By name, what a page does to itself; each runs in the page. */
export const poisons = {
  "getters and setters on Object.prototype": () => {
    for (const name of ["mooring", "to", "message", "id", "method", "params", "jsonrpc", "result", "error", "granted", "type", "bytes", "then", "toJSON"]) {
      Object.defineProperty(Object.prototype, name, {
        get: () => "poison",
        set: () => {
          throw new Error("poison");
        },
        configurable: true,
      });
    }
  },
  "caveats on Object.prototype": () => {
    Object.prototype.privateNetwork = true;
    Object.prototype.write = true;
    Object.prototype.topics = ["everything"];
    Object.prototype.origin = "https://somebody.example";
  },
  "Array.prototype": () => {
    const broken = () => {
      throw new Error("poison");
    };
    for (const name of ["push", "map", "filter", "forEach", "indexOf", "includes", "join", "slice", "splice", "concat", Symbol.iterator]) Array.prototype[name] = broken;
    Object.defineProperty(Array.prototype, 0, { get: broken, set: broken, configurable: true });
  },
  "Map, Set, String, Number and RegExp": () => {
    for (const { prototype } of [Map, Set, WeakMap]) {
      prototype.get = prototype.set = prototype.add = prototype.delete = () => undefined;
      prototype.has = () => true;
    }
    String.prototype.startsWith = String.prototype.includes = RegExp.prototype.test = () => true;
    RegExp.prototype.exec = String.prototype.match = () => null;
    Number.isFinite = Number.isSafeInteger = Number.isInteger = () => true;
  },
  "promises and microtasks": () => {
    Promise.prototype.then = () => undefined;
    Promise.prototype.catch = Promise.prototype.finally = Promise.prototype.then;
    Promise.resolve = Promise.all = Promise.race = () => ({ then: 1 });
    window.Promise = function Promise() {};
    window.queueMicrotask = window.setTimeout = window.requestAnimationFrame = () => 0;
  },
  "window.postMessage": () => {
    const post = window.postMessage;
    window.postMessage = (message, ...more) => {
      for (let count = 0; count < 3; count += 1) post.call(window, message, "*", ...more.slice(1));
      post.call(window, { ...message, to: "page" }, "*");
    };
  },
  "ports and channels": () => {
    for (const name of ["postMessage", "start", "close"]) {
      MessagePort.prototype[name] = () => {
        throw new Error("poison");
      };
    }
    Object.defineProperty(MessagePort.prototype, "onmessage", { get: () => null, set() {}, configurable: true });
    window.MessageChannel = class {
      port1 = {};
      port2 = {};
    };
  },
  "JSON, structuredClone and Object's functions": () => {
    JSON.parse = () => ({ granted: [{ name: "dial", privateNetwork: true }] });
    JSON.stringify = window.structuredClone = () => "poison";
    Object.keys = Object.entries = Object.getOwnPropertyNames = () => ["poison"];
    Object.hasOwn = Array.isArray = () => true;
    Object.prototype.toString = () => "[object Object]";
    Object.prototype.hasOwnProperty = () => true;
  },
  "events": () => {
    EventTarget.prototype.addEventListener = window.addEventListener = () => undefined;
    EventTarget.prototype.dispatchEvent = window.dispatchEvent = () => true;
    EventTarget.prototype.removeEventListener = () => undefined;
    const forged = { mooring: 1, to: "node", message: { jsonrpc: "2.0", id: 0, method: "node.status" } };
    for (const [name, value] of [["data", forged], ["source", window], ["origin", "https://somebody.example"], ["ports", []]]) {
      Object.defineProperty(MessageEvent.prototype, name, { get: () => value, configurable: true });
    }
  },
  "bytes": () => {
    ArrayBuffer.isView = () => false;
    for (const name of ["byteLength", "length", "buffer", "byteOffset", Symbol.toStringTag]) {
      Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), name, { get: () => 2 ** 40, configurable: true });
    }
    Object.defineProperty(ArrayBuffer.prototype, "byteLength", { get: () => -1, configurable: true });
    Uint8Array.prototype.slice = Uint8Array.prototype.subarray = Uint8Array.prototype.set = () => undefined;
    window.Uint8Array = Array;
  },
  "the document": () => {
    document.createElement = Document.prototype.createElement = () => ({});
    Element.prototype.attachShadow = Element.prototype.append = Node.prototype.appendChild = () => undefined;
    for (const name of ["contentWindow", "src"]) Object.defineProperty(HTMLIFrameElement.prototype, name, { get: () => window, set() {}, configurable: true });
    Object.defineProperty(Document.prototype, "readyState", { get: () => "loading", configurable: true });
    Object.defineProperty(Document.prototype, "prerendering", { get: () => true, configurable: true });
    Object.defineProperty(Document.prototype, "documentElement", { get: () => null, configurable: true });
    // Whatever somebody puts into the page, it takes out again.
    new MutationObserver((records) => {
      for (const { addedNodes } of records) for (const node of addedNodes) node.remove();
    }).observe(document.firstElementChild, { childList: true });
  },
};

/**
 * Runs first, and keeps what it needs: hears with what the browser gave, and writes what came into the title, which the driver reads in a
 * world of its own. An answer is `id=result` or `id=<code>`, a notification its name; a list of grants and an echo say more.
 */
function hear() {
  const { apply } = Reflect;
  const describe = Object.getOwnPropertyDescriptor;
  const getter = (prototype, name) => describe(prototype, name).get;
  const setTitle = describe(Document.prototype, "title").set;
  const [dataOf, portsOf] = [getter(MessageEvent.prototype, "data"), getter(MessageEvent.prototype, "ports")];
  const { addEventListener } = EventTarget.prototype;
  const { postMessage, Uint8Array } = window;
  const { postMessage: portPost, start } = MessagePort.prototype;
  const lengthOf = getter(Object.getPrototypeOf(Uint8Array.prototype), "length");
  const here = document;
  /** What an object has itself: nothing of what its prototype was made to say. */
  const own = (object, name) => (typeof object === "object" && object !== null ? describe(object, name)?.value : undefined);
  let log = "";
  const say = (text) => {
    log += `${text};`;
    apply(setTitle, here, [log]);
  };
  const send = (id, method, params) => {
    const message = { mooring: 1, to: "node", message: { jsonrpc: "2.0", id, method, params } };
    apply(postMessage, window, [message, "*"]);
  };
  const names = (granted) => {
    let text = "";
    for (let index = 0; index < own(granted, "length"); index += 1) {
      const one = own(granted, index);
      text += `${own(one, "name")}${own(one, "privateNetwork") === true ? "+" : ""},`;
    }
    return text;
  };
  const echo = (port) => {
    let received = 0;
    const tell = (message) => apply(portPost, port, [message]);
    apply(addEventListener, port, ["message", (event) => {
      const message = apply(dataOf, event, []);
      const type = own(message, "type");
      if (type === "credit") {
        tell({ type: "data", bytes: new Uint8Array(65_536) });
        tell({ type: "closeWrite" });
      } else if (type === "data") received += apply(lengthOf, own(message, "bytes"), []);
      else say(`${type}=${received}`);
    }]);
    apply(start, port, []);
    tell({ type: "credit", bytes: 1_048_576 });
  };
  apply(addEventListener, window, ["message", (event) => {
    const data = apply(dataOf, event, []);
    const message = own(data, "message");
    if (own(data, "to") !== "page" || own(data, "mooring") !== 1 || own(message, "jsonrpc") !== "2.0") return;
    const id = own(message, "id");
    const error = own(message, "error");
    const result = own(message, "result");
    if (id === undefined) say(own(message, "method"));
    // What the page's own `postMessage` turned back into a request is none.
    else if (error === undefined && result === undefined) return;
    else if (error !== undefined) say(`${id}=${own(error, "code")}`);
    else if (own(result, "granted") !== undefined) say(`${id}=${names(own(result, "granted"))}`);
    else say(`${id}=result`);
    if (id === "open" && error === undefined) echo(own(apply(portsOf, event, []), 0));
  }]);
  window.pristine = { send };
}

/** Asks for all kinds of things, by hand and by the clients that are loaded then, however broken. */
function run() {
  const { send } = window.pristine;
  send("hello", "node.hello", {});
  send("query", "permissions.query", {});
  send("unknown", "node.everything", {});
  send("refused", "connections.dial", { addresses: ["/ip4/10.0.0.1/tcp/1/ws"] });
  for (const use of [() => window.node.request("node.hello"), () => window.mooring.connect({ timeout: 1_000 }), () => window.node.notify("rpc.cancel", { id: 1 })]) {
    try {
      // A promise of a spoilt page may be anything, and may fail in any way.
      const made = use();
      if (typeof made?.catch === "function") made.catch(() => undefined);
    } catch {
      continue;
    }
  }
}

/** A page that spoils itself in these ways. */
export const poisoned = (spoil) => `<!doctype html><meta charset="utf-8"><title></title>
<script>(${hear})()</script>
<script>${spoil.map((each) => `(${each})();`).join("\n")}</script>
<script src="/client.js"></script><script src="/script.js"></script>
<script>(${run})()</script>`;
