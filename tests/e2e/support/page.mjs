// Drives a page that runs the client of site.mjs.

/** Sends a request; `{ result }` or `{ error }`, and `ms`. */
export function request(page, method, params = {}) {
  return page.evaluate(
    async (method, params) => {
      const { result, error, ms } = await window.node.request(method, params);
      return { result, error, ms };
    },
    method,
    params,
  );
}

/** Sends a request that must succeed; its result. */
export async function call(page, method, params = {}) {
  const { result, error } = await request(page, method, params);
  if (error) throw Object.assign(new Error(`${method}: ${error.code} ${error.message}`), error);
  return result;
}

/** Notifications of a name that the page has heard. */
export function heard(page, method) {
  return page.evaluate((method) => window.node.notifications(method), method);
}

/** Waits until the page heard that there is a node. */
export function available(page) {
  // By time: frames, the driver's own choice, do not come to a tab that another one covers.
  return page.waitForFunction(() => window.node.notifications("node.available").length > 0, { timeout: 15_000, polling: 50 });
}

/**
 * Posts an envelope as it is, together with a marker request behind it, and returns what the page heard for it until
 * the marker's answer came: ports keep their order, so whatever was to come has come.
 * @param {string} source a JavaScript expression for the envelope, evaluated in the page
 */
export function postRaw(page, source) {
  return page.evaluate(async (source) => {
    const before = window.node.messages.length;
    window.node.post((0, eval)(`(${source})`));
    const marker = `marker${++window.node.next}`;
    await window.node.request("node.hello", {}, marker);
    return window.node.messages.slice(before).filter((message) => message.id !== marker);
  }, source);
}
