// Lists by month, newest first.

/** A month and what was sent in it. */
export interface Month<T> {
  /** "2026-03", for a key. */
  readonly id: string;
  /** The first moment of it that is shown, for its name. */
  readonly time: number;
  readonly items: readonly T[];
}

/** Cuts a list into local months. It is in the order in which it comes. */
export function byMonth<T>(items: readonly T[], timeOf: (item: T) => number): readonly Month<T>[] {
  const months: { id: string; time: number; items: T[] }[] = [];
  for (const item of items) {
    const time = timeOf(item);
    const date = new Date(time);
    const id = `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}`;
    const last = months.at(-1);
    if (last?.id === id) last.items.push(item);
    else months.push({ id, time, items: [item] });
  }
  return months;
}

/** The name of a month: "March", with its year where that is not the present one. */
export function monthName(time: number, now: number, tag: string): string {
  const year = new Date(time).getFullYear() === new Date(now).getFullYear() ? {} : ({ year: "numeric" } as const);
  return new Intl.DateTimeFormat(tag, { month: "long", ...year }).format(time);
}
