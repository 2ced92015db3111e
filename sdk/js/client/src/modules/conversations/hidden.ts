// What a user has deleted of a conversation for themself: everything up to a position, and ranges beyond.

/** Positions [fromSeq, toSeq], both inclusive. */
export interface SeqRange {
  readonly fromSeq: number;
  readonly toSeq: number;
}

export interface Hidden {
  readonly upToSeq: number;
  /** Ascending, apart from each other, beyond upToSeq. */
  readonly ranges: readonly SeqRange[];
}

export const nothingHidden: Hidden = { upToSeq: 0, ranges: [] };

/** The server takes no more. */
export const maxRanges = 1000;

/** What is hidden when these positions are as well. Neighbours become one range. */
export function withMessages({ upToSeq, ranges }: Hidden, seqs: readonly number[]): Hidden {
  const all = [...ranges, ...seqs.map((seq) => ({ fromSeq: seq, toSeq: seq }))].sort((a, b) => a.fromSeq - b.fromSeq);
  const joined: SeqRange[] = [];
  let cleared = upToSeq;
  for (const { fromSeq, toSeq } of all) {
    if (toSeq <= cleared) continue;
    const last = joined.at(-1);
    if (!last && fromSeq <= cleared + 1) cleared = toSeq;
    else if (last && fromSeq <= last.toSeq + 1) joined[joined.length - 1] = { fromSeq: last.fromSeq, toSeq: Math.max(last.toSeq, toSeq) };
    else joined.push({ fromSeq, toSeq });
  }
  return { upToSeq: cleared, ranges: joined };
}

/** All of it as ranges. */
export function pieces({ upToSeq, ranges }: Hidden): readonly SeqRange[] {
  return upToSeq ? [{ fromSeq: 1, toSeq: upToSeq }, ...ranges] : ranges;
}

/** The last position that was hidden before and is not now; 0 = none. */
export function uncovered(before: Hidden, now: Hidden): number {
  const left = pieces(now);
  const whole = ({ fromSeq, toSeq }: SeqRange): boolean => left.some((one) => one.fromSeq <= fromSeq && toSeq <= one.toSeq);
  return pieces(before).filter((piece) => !whole(piece)).at(-1)?.toSeq ?? 0;
}
