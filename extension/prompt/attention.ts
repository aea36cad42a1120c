/**
 * Whether somebody looks at this window. A click that was meant for another window, which came and went above this one
 * or lost its focus to it, must not answer a question: what can be pressed is there only after the window has been in
 * front for a while.
 */
import { ARM_DELAY } from "./limits";

export function whileAttended(arm: () => void, disarm: () => void): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Not `document.hasFocus()`: a window that no window manager ever focused would stay dead. The click that gives it
  // its first focus comes after the focus.
  let blurred = false;
  const begin = (): void => {
    clearTimeout(timer);
    disarm();
    if (!blurred && document.visibilityState === "visible") timer = setTimeout(arm, ARM_DELAY);
  };
  addEventListener("focus", () => {
    blurred = false;
    begin();
  });
  addEventListener("blur", () => {
    blurred = true;
    begin();
  });
  document.addEventListener("visibilitychange", begin);
  begin();
}
