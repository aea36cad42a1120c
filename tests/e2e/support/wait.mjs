// Waiting on conditions, never on the clock.

/**
 * Polls until `probe` returns something truthy, and returns that.
 * @param {string} what named in the error when time is up
 * @param {() => unknown} probe may be async; its errors count as "not yet", the last one is shown
 * @param {number} limit milliseconds
 */
export async function until(what, probe, limit = 15_000) {
  const end = Date.now() + limit;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${limit} ms for ${what}`, { cause: last });
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Rejects when the promise is not settled in time; the timer never keeps the process alive. */
export function within(what, limit, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limit} ms for ${what}`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
