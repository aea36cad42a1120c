// What every document of the matrix runs: it asks for everything, keeps all that it hears, and looks for traces.

/** Runs in the page, before anything else of it; also where the origin is opaque and nothing can be loaded. */
function install() {
  const heard = [];
  const troubles = [];
  const waiting = new Map();
  window.addEventListener("message", (event) => {
    const message = event.data?.message;
    // What it posted itself comes to it as well.
    if (event.data?.to === "node" && message?.jsonrpc === "2.0") return;
    heard.push(message ?? event.data);
    waiting.get(message?.id)?.();
  });
  for (const name of ["messageerror", "error", "unhandledrejection", "securitypolicyviolation"]) {
    window.addEventListener(name, (event) => troubles.push(`${name}: ${event.message ?? event.reason ?? event.blockedURI ?? ""}`), true);
  }
  const post = (message) => window.postMessage({ mooring: 1, to: "node", message: { jsonrpc: "2.0", ...message } }, "*");
  const own = (id) => heard.filter((message) => message?.id === id);
  window.probe = {
    heard,
    /** Posts every request, and the one notification that a page may send. */
    ask(requests) {
      for (const { method, params } of requests) post({ id: method, method, params });
      post({ method: "rpc.cancel", params: { id: "nothing" } });
    },
    /** Waits until these are answered, each once: their names, with the code of an error or "result". */
    async answers(methods) {
      for (const method of methods) {
        if (own(method).length === 0) await new Promise((done) => waiting.set(method, done));
      }
      return methods.map((method) => {
        const [answer, ...more] = own(method);
        return [method, more.length > 0 ? `${more.length + 1} answers` : (answer.error?.code ?? "result")];
      });
    },
    /** One request; its result, or the code of its error. */
    async request(method, params = {}, id = `${method} ${Math.random()}`) {
      const answered = new Promise((done) => waiting.set(id, done));
      post({ id, method, params });
      await answered;
      return own(id)[0].result ?? own(id)[0].error.code;
    },
    /** All by which a document could tell that the extension is there. */
    async traces(addresses) {
      const loads = async (address) => {
        try {
          await fetch(address, { mode: "no-cors" });
          return "loads";
        } catch (error) {
          return error.message;
        }
      };
      return {
        heard,
        troubles,
        page: document.documentElement.outerHTML.replace(document.querySelector("script")?.outerHTML ?? "", ""),
        globals: Object.getOwnPropertyNames(window).filter((name) => /mooring/i.test(name)),
        runtime: typeof (window.browser ?? window.chrome)?.runtime,
        loaded: performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.includes("-extension:")),
        files: await Promise.all(addresses.map(loads)),
      };
    },
  };
}

/** The whole document, for wherever it is to be shown. */
export const PROBE = `<!doctype html><meta charset="utf-8"><title>probe</title><script>(${install})()</script><p>probe</p>`;
