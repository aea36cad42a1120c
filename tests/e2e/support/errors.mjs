// Errors in the extension's own contexts, which no page sees.

/** Listens in the node's host, and in Chromium's service worker, from now on; the errors. */
export async function extensionErrors(launched) {
  return launched.kind === "chromium" ? errorsInChromium(launched) : inFirefox(launched);
}

/** The same in Chromium, and in these pages with their content scripts, by name. */
export async function errorsInChromium(launched, pages = {}) {
  const errors = [];
  for (const [who, page] of Object.entries({ host: await launched.host(), ...pages })) {
    page.on("pageerror", (error) => errors.push(`${who}: ${error?.stack ?? error}`));
    page.on("console", (message) => message.type() === "error" && errors.push(`${who}: ${message.text()}`));
  }
  const { client } = await launched.worker();
  await client.send("Runtime.enable");
  client.on("Runtime.exceptionThrown", ({ exceptionDetails }) => errors.push(`service worker: ${exceptionDetails.text}`));
  return { all: async () => errors, close: async () => undefined };
}

/** The background page is within reach of the extension's other pages alone. */
async function inFirefox(launched) {
  const popup = await launched.openOwn("popup.html");
  await popup.evaluate(async () => {
    const background = await browser.runtime.getBackgroundPage();
    background.errors = [];
    background.addEventListener("error", (event) => background.errors.push(String(event.message)));
    background.addEventListener("unhandledrejection", (event) => background.errors.push(String(event.reason)));
    const { error } = background.console;
    background.console.error = (...values) => {
      background.errors.push(values.map(String).join(" "));
      error.apply(background.console, values);
    };
  });
  return {
    all: () => popup.evaluate(async () => [...(await browser.runtime.getBackgroundPage()).errors]),
    close: () => popup.close(),
  };
}
