// What the pages of the examples are made with. What peers say is only ever set as text.

export const element = (id) => document.getElementById(id);

/** Says what is wrong; without a text, that nothing is any more. */
export function problem(text) {
  element("problem").textContent = text ?? "";
  element("problem").hidden = !text;
}

/** An element with a text; never with markup. */
export function made(tag, text, className) {
  const one = document.createElement(tag);
  one.textContent = text;
  if (className) one.className = className;
  return one;
}
