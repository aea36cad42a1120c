// Answers prompt windows as a user would.
import { until } from "./wait.mjs";

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
  const url = await page.evaluate(() => location.href);
  const answered = answer === "close" ? page.close() : page.click(`[data-testid="${answer}"]`);
  // The window goes by the click, sometimes before the driver has heard that it clicked.
  answered.catch(() => undefined);
  await until("the prompt to close", async () => !(await launched.promptsOpen()).includes(url));
}

/** Asks for permissions in the page and answers the prompt; what the request gave. */
export async function askAndAnswer(launched, page, permissions, answer = "allow", options) {
  const asked = page.evaluate(async (permissions) => {
    const { result, error } = await window.node.request("permissions.request", { permissions });
    return { result, error };
  }, permissions);
  // A browser that ends meanwhile ends this too, and the answer is what tells.
  asked.catch(() => undefined);
  await answerPrompt(launched, answer, options);
  return asked;
}
