// Ranges of seq: sorted, disjoint, inclusive, merged where they touch. A list is never changed in place,
// so that `===` says whether two are the same.
import type { Range } from "../types/store.js";

export type Ranges = readonly Range[];

/** The index of the first range that ends at or after `seq`. Lists can be long where much was withheld. */
function lowerBound(ranges: Ranges, seq: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle]?.[1] ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The range that holds `seq`. */
export function rangeAt(ranges: Ranges, seq: number): Range | undefined {
  const range = ranges[lowerBound(ranges, seq)];
  return range && range[0] <= seq ? range : undefined;
}

/** The list with [from, to] in it; the same list when it is in already, or empty. */
export function addRange(ranges: Ranges, from: number, to: number): Ranges {
  if (from > to) return ranges;
  const first = lowerBound(ranges, from - 1);
  let last = first;
  let low = from;
  let high = to;
  for (let range = ranges[last]; range && range[0] <= to + 1; range = ranges[++last]) {
    if (range[0] <= from && to <= range[1]) return ranges;
    low = Math.min(low, range[0]);
    high = Math.max(high, range[1]);
  }
  return [...ranges.slice(0, first), [low, high], ...ranges.slice(last)];
}

/** The list without what lies in [from, to]. */
export function cutRange(ranges: Ranges, from: number, to: number): Ranges {
  if (!ranges.some((range) => range[0] <= to && range[1] >= from)) return ranges;
  const rest: Range[] = [];
  for (const [low, high] of ranges) {
    if (low < from) rest.push([low, Math.min(high, from - 1)]);
    if (high > to) rest.push([Math.max(low, to + 1), high]);
  }
  return rest;
}
