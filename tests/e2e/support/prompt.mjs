// Answers prompt windows as a user would.

/**
 * @param {object} launched what launchChromium or launchFirefox gave
 * @param {"allow"|"deny"|"close"} answer
 * @param {object} [options]
 * @param {string} [options.duration] once, hour, session or always
 * @param {(page: object) => Promise<void>} [options.before] looks at the window or trims, before the answer
 */
export async function answerPrompt(launched, answer, { duration, before } = {}) {
  const page = await launched.prompt();
  await page.waitForSelector(`[data-testid="${answer === "close" ? "allow" : answer}"]`, { timeout: 15_000 });
  if (duration) await page.select('select[data-testid="duration"]', duration);
  if (before) await before(page);
  const closed = new Promise((done) => page.once("close", done));
  if (answer === "close") await page.close();
  else await page.click(`[data-testid="${answer}"]`);
  await closed;
}

/** Asks for permissions in the page and answers the prompt; what the request gave. */
export async function askAndAnswer(launched, page, permissions, answer = "allow", options) {
  const asked = page.evaluate(async (permissions) => {
    const { result, error } = await window.node.request("permissions.request", { permissions });
    return { result, error };
  }, permissions);
  await answerPrompt(launched, answer, options);
  return asked;
}
