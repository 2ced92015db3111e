// The heights of a long list of rows, measured where a row was drawn and
// estimated elsewhere, with their running sum.

/** A row of the list: its key stays the same as long as it is the same row. */
export interface Row {
  readonly key: string;
}

/**
 * Heights of rows and where each begins, in pixels from the top of the first.
 * Pages that arrive at either end keep what was measured; a list that changed
 * otherwise is matched by key.
 */
export class Heights<R extends Row> {
  readonly #estimate: (row: R) => number;
  #rows: readonly R[] = [];
  #heights = new Float64Array(0);
  /** tops[i] is where row i begins; tops[n] is the height of all. */
  #tops = new Float64Array(1);
  /** Sums before this index are right. */
  #summed = 0;

  constructor(estimate: (row: R) => number) {
    this.#estimate = estimate;
  }

  get rows(): readonly R[] {
    return this.#rows;
  }

  /** Takes a new list of rows. */
  setRows(rows: readonly R[]): void {
    const old = this.#rows;
    if (rows === old) return;
    const heights = new Float64Array(rows.length);
    const shift = this.#shiftTo(rows);
    if (shift !== undefined) {
      for (let i = 0; i < rows.length; i++) {
        const from = i - shift;
        const row = rows[i];
        if (row) heights[i] = (from >= 0 && from < old.length ? this.#heights[from] : undefined) ?? this.#estimate(row);
      }
    } else {
      const known = new Map(old.map((row, i) => [row.key, this.#heights[i] ?? 0]));
      rows.forEach((row, i) => (heights[i] = known.get(row.key) ?? this.#estimate(row)));
    }
    this.#rows = rows;
    this.#heights = heights;
    this.#tops = new Float64Array(rows.length + 1);
    this.#summed = 0;
  }

  /** How far the old rows moved down if the new list is the old one with rows added at its ends. */
  #shiftTo(rows: readonly R[]): number | undefined {
    const old = this.#rows;
    const first = old[0];
    const last = old[old.length - 1];
    if (!first || !last || rows.length < old.length) return undefined;
    const added = rows.length - old.length;
    for (const shift of new Set([0, added, rows.findIndex((row) => row.key === first.key)])) {
      if (shift < 0 || shift > added) continue;
      if (rows[shift]?.key !== first.key || rows[shift + old.length - 1]?.key !== last.key) continue;
      if (old.every((row, i) => row.key === rows[shift + i]?.key)) return shift;
    }
    return undefined;
  }

  /** Notes the measured height of a row; says whether it differs from what was held by more than rounding. */
  measure(i: number, height: number): boolean {
    const held = this.#heights[i];
    if (held === undefined || Math.abs(held - height) < 0.25) return false;
    this.#heights[i] = height;
    this.#summed = Math.min(this.#summed, i);
    return true;
  }

  /** Where row i begins; with i the number of rows, the height of all. */
  top(i: number): number {
    this.#sum();
    return this.#tops[Math.max(0, Math.min(i, this.#rows.length))] ?? 0;
  }

  /** The height of all rows. */
  get total(): number {
    return this.top(this.#rows.length);
  }

  height(i: number): number {
    return this.#heights[i] ?? 0;
  }

  /** The row that covers y, the nearest one outside; -1 of an empty list. */
  at(y: number): number {
    this.#sum();
    let low = 0;
    let high = this.#rows.length - 1;
    while (low < high) {
      const mid = (low + high) >> 1;
      if ((this.#tops[mid + 1] ?? 0) > y) high = mid;
      else low = mid + 1;
    }
    return high < 0 ? -1 : low;
  }

  /** The index of a key, -1 when there is none. `near` is where it was last: it is looked for around there first. */
  indexOf(key: string, near = 0): number {
    const n = this.#rows.length;
    const start = Math.max(0, Math.min(near, n - 1));
    for (let d = 0; d < n; d++) {
      if (start - d >= 0 && this.#rows[start - d]?.key === key) return start - d;
      if (start + d < n && this.#rows[start + d]?.key === key) return start + d;
    }
    return -1;
  }

  #sum(): void {
    const n = this.#rows.length;
    for (let i = this.#summed; i < n; i++) this.#tops[i + 1] = (this.#tops[i] ?? 0) + (this.#heights[i] ?? 0);
    this.#summed = n;
  }
}
