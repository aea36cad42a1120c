// Which STUN servers an extension asks: without a choice those of the public, which are not for tests.

/** Has the extension ask these servers from now on, as its popup would. */
export async function askServers(browser, servers) {
  const popup = await browser.openOwn("popup.html");
  try {
    const error = await popup.evaluate(
      (servers) =>
        new Promise((resolve) => {
          const port = chrome.runtime.connect({ name: "popup" });
          port.onMessage.addListener((message) => {
            if (message.t === "done") resolve(message.error ?? null);
          });
          port.onDisconnect.addListener(() => resolve({ message: "the node is not there" }));
          port.postMessage({ id: 1, command: "setIceServers", servers });
        }),
      servers,
    );
    if (error) throw new Error(`the servers were not taken: ${error.message}`);
  } finally {
    await popup.close();
  }
}
