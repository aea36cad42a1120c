// Figures out of samples.

/** Sorted copy; what is not a number is left out. */
const sorted = (numbers) => numbers.filter(Number.isFinite).sort((a, b) => a - b);

/** The value below which this part of the numbers lies, between neighbours if need be. */
export function quantile(numbers, part) {
  const all = sorted(numbers);
  if (all.length === 0) return NaN;
  const at = part * (all.length - 1);
  const low = all[Math.floor(at)];
  return low + (all[Math.ceil(at)] - low) * (at - Math.floor(at));
}

export const median = (numbers) => quantile(numbers, 0.5);

/** Repeatable, so that the same samples give the same interval: mulberry32. */
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const RESAMPLES = 10_000;

/**
 * The 95 % interval of the median, by bootstrap: how far it would wander had other pairs been drawn.
 * @returns {[number, number]}
 */
export function interval(numbers) {
  const all = sorted(numbers);
  if (all.length < 2) return [NaN, NaN];
  const next = random(all.length);
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(Array.from(all, () => all[Math.floor(next() * all.length)])),
  );
  return [quantile(medians, 0.025), quantile(medians, 0.975)];
}

/** `{ n, min, median, max }` */
export const spread = (numbers) => {
  const all = sorted(numbers);
  return { n: all.length, min: all[0] ?? NaN, median: median(all), max: all.at(-1) ?? NaN };
};

/** Of two samples by pair; pairs of which one failed are left out. */
export function ratios(ours, theirs) {
  const found = [];
  for (const [pair, value] of ours) {
    const other = theirs.get(pair);
    if (Number.isFinite(value) && Number.isFinite(other) && other > 0) found.push(value / other);
  }
  return { n: found.length, median: median(found), interval: interval(found) };
}
