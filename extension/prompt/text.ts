/** The words of the prompt, in the browser's language as far as `_locales` has it. */
import type messages from "../_locales/en/messages.json";

export type Key = keyof typeof messages;

export function text(key: Key, ...substitutions: string[]): string {
  return chrome.i18n.getMessage(key, substitutions);
}
