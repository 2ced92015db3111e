// Where the thread is scrolled to, and what of it is drawn. It knows no DOM:
// the list component tells it of scrolling and of measured heights, and does
// what it answers.
//
// What holds still is the anchor, the first row that is seen, by its lower edge:
// the line of the day that it may carry at its top goes when the page before it
// arrives. Everything else follows from it: which rows are drawn around it, and how far the content is
// scrolled. So an older page, a row that turns out taller than was estimated,
// or a message that is edited far above never moves what somebody reads.
//
// A row above the anchor that changes its height would move the scroll offset.
// Setting that offset while a finger or a wheel moves it breaks the movement in
// some browsers, so the difference is first kept as `drift`, by which the rows
// are drawn elsewhere than their sum says, and is settled when the movement has
// ended or when the content's edge comes near.
import { Heights, type Row } from "./heights.ts";

/** A row, and how far below the top of the viewport it begins (negative: above). */
interface Anchor {
  readonly key: string;
  readonly index: number;
  readonly offset: number;
}

/** Rows [start, end) are to be drawn. */
export interface DrawnRange {
  readonly start: number;
  readonly end: number;
}

/** What the component has to set, in pixels. */
export interface Placement {
  /** The content's height. */
  readonly height: number;
  /** Where the first drawn row begins within the content. */
  readonly top: number;
  /** The scroll offset to set, undefined to leave it alone. */
  readonly scrollTop: number | undefined;
}

/** What is kept of a thread to come back to the same place. */
export interface SavedPlace {
  readonly atEnd: boolean;
  readonly anchors: readonly { readonly key: string; readonly offset: number }[];
}

/** Space at the content's ends, and how far beyond the viewport rows are drawn. */
export interface ScrollerOptions {
  readonly padTop: number;
  readonly padBottom: number;
  /** Pixels drawn beyond the viewport on either side. */
  readonly overscan: number;
  /** Closer than this to the end counts as at the end. */
  readonly endZone: number;
}

const defaults: ScrollerOptions = { padTop: 64, padBottom: 10, overscan: 600, endZone: 48 };

/** More rows than this are never drawn, however small they are. */
export const maxDrawn = 160;

export class Scroller<R extends Row> {
  readonly heights: Heights<R>;
  readonly #options: ScrollerOptions;
  /** Rows seen last, the first being the anchor; the others stand in when it is gone. */
  #anchors: Anchor[] = [];
  #drift = 0;
  #viewport = 0;
  #scrollTop = 0;
  #stuck = true;
  /** The offset of the end when it was placed last. */
  #end = 0;
  /** A place was asked for: it is taken at the next placement, whatever the browser's offset is. */
  #moved = true;

  constructor(estimate: (row: R) => number, options: Partial<ScrollerOptions> = {}) {
    this.heights = new Heights(estimate);
    this.#options = { ...defaults, ...options };
  }

  /** Whether the newest row is seen, so that the next one is scrolled to. */
  get stuck(): boolean {
    return this.#stuck;
  }

  get drift(): number {
    return this.#drift;
  }

  /** How far the view is above the end, in pixels. */
  get fromEnd(): number {
    return Math.max(0, this.#height() - this.#viewport - this.#scrollTop);
  }

  /** Takes the rows as they are now; what is seen stays where it is. */
  setRows(rows: readonly R[]): void {
    if (rows === this.heights.rows) return;
    const before = this.#anchors.map((a) => ({ ...a, edge: this.heights.top(a.index + 1) }));
    this.heights.setRows(rows);
    const found = before
      .map((a) => ({ key: a.key, offset: a.offset, index: this.heights.indexOf(a.key, a.index), edge: a.edge }))
      .filter((a) => a.index >= 0);
    const first = found[0];
    if (first) this.#drift -= this.heights.top(first.index + 1) - first.edge;
    else this.#moved = true;
    this.#anchors = found;
  }

  /** The browser scrolled, or the viewport changed its size. */
  scrolled(scrollTop: number, viewport: number): void {
    this.#scrollTop = scrollTop;
    this.#viewport = viewport;
    this.#stuck = this.fromEnd < this.#options.endZone;
    this.#see();
  }

  /** The viewport changed its size: at the end one stays at the end, elsewhere the anchor stays. */
  resized(viewport: number): void {
    if (viewport === this.#viewport) return;
    this.#viewport = viewport;
    if (this.#stuck) this.#moved = true;
  }

  /** A drawn row has this height. Says whether that is news. */
  measured(index: number, height: number): boolean {
    const anchor = this.#anchors[0];
    const before = anchor ? this.heights.top(anchor.index + 1) : 0;
    if (!this.heights.measure(index, height)) return false;
    if (anchor) this.#drift -= this.heights.top(anchor.index + 1) - before;
    return true;
  }

  /** Goes to the end, and stays there. */
  toEnd(): void {
    this.#stuck = true;
    this.#moved = true;
  }

  /** Puts a row at this share of the viewport's height, 0 = its top. False when it is not in the list. */
  toKey(key: string, share: number): boolean {
    const index = this.heights.indexOf(key, this.#anchors[0]?.index ?? 0);
    if (index < 0) return false;
    this.#anchors = [{ key, index, offset: this.#viewport * share }];
    this.#stuck = false;
    this.#moved = true;
    return true;
  }

  /** What to keep in order to come back here. */
  save(): SavedPlace {
    return { atEnd: this.#stuck, anchors: this.#anchors.map(({ key, offset }) => ({ key, offset })) };
  }

  /** Goes back to a kept place; false when nothing of it is loaded. */
  restore(place: SavedPlace): boolean {
    if (place.atEnd) {
      this.toEnd();
      return true;
    }
    const anchors = place.anchors
      .map((a) => ({ ...a, index: this.heights.indexOf(a.key) }))
      .filter((a) => a.index >= 0);
    if (anchors.length === 0) return false;
    this.#anchors = anchors;
    this.#stuck = false;
    this.#moved = true;
    return true;
  }

  /** Which rows to draw. */
  range(): DrawnRange {
    const rows = this.heights.rows;
    if (rows.length === 0) return { start: 0, end: 0 };
    const view = Math.max(this.#viewport, 400);
    const anchor = this.#anchors[0];
    let top: number;
    if (this.#stuck || !anchor) top = this.heights.total - view;
    else top = this.heights.top(anchor.index) - anchor.offset;
    const start = this.heights.at(top - this.#options.overscan);
    const end = this.heights.at(top + view + this.#options.overscan) + 1;
    if (end - start <= maxDrawn) return { start, end };
    const middle = this.heights.at(top + view / 2);
    const from = Math.max(start, middle - maxDrawn / 2);
    return { start: from, end: Math.min(end, from + maxDrawn) };
  }

  /** Whether drawn rows [start, end) fill the viewport and half of what lies around it. */
  covers(drawn: DrawnRange): boolean {
    const wanted = this.range();
    const slack = this.#options.overscan / 2;
    const top = this.#contentTop();
    const first = drawn.start === 0 || drawn.start <= wanted.start || this.heights.top(drawn.start) <= top - slack;
    const n = this.heights.rows.length;
    const last = drawn.end >= n || drawn.end >= wanted.end || this.heights.top(drawn.end) >= top + this.#viewport + slack;
    return first && last;
  }

  /**
   * Where everything goes now. `resting` says that nobody is scrolling at this
   * moment, so that the offset may be set.
   */
  place(first: number, resting: boolean): Placement {
    let scrollTop: number | undefined;
    const anchor = this.#anchors[0];
    if (this.#stuck) {
      this.#drift = 0;
      const end = this.#height() - this.#viewport;
      // Somebody who scrolled up by a line is left there until something comes.
      if (this.#moved || Math.abs(end - this.#end) >= 1 || this.fromEnd < 1) scrollTop = end;
      this.#end = end;
    } else if (this.#moved && anchor) {
      this.#drift = 0;
      scrollTop = this.#options.padTop + this.heights.top(anchor.index) - anchor.offset;
    } else if (this.#drift !== 0 && (resting || this.#nearEdge())) {
      scrollTop = this.#scrollTop - this.#drift;
      this.#drift = 0;
    } else if (this.#moved) {
      this.#drift = 0;
      scrollTop = this.#scrollTop;
    }
    this.#moved = false;
    if (scrollTop !== undefined) {
      scrollTop = Math.max(0, Math.min(scrollTop, this.#height() - this.#viewport));
      this.#scrollTop = scrollTop;
      this.#see();
    }
    // A list that is shorter than the viewport never scrolls, and is always at its end.
    if (!this.#stuck && this.fromEnd < 1) this.#stuck = true;
    return {
      height: Math.max(0, this.#height()),
      top: this.#options.padTop + this.heights.top(first) + this.#drift,
      scrollTop,
    };
  }

  /** The keys and indices of the rows that are seen now. */
  seen(): readonly { readonly key: string; readonly index: number }[] {
    return this.#anchors;
  }

  #height(): number {
    return this.#options.padTop + this.heights.total + this.#drift + this.#options.padBottom;
  }

  /** The y of the viewport's top in the rows' own sum. */
  #contentTop(): number {
    return this.#scrollTop - this.#options.padTop - this.#drift;
  }

  /** Whether the drift would soon be seen: rows that cannot be scrolled to, or nothing where rows should be. */
  #nearEdge(): boolean {
    return (
      this.#scrollTop < this.#viewport ||
      this.#contentTop() < this.#viewport ||
      this.#height() - this.#scrollTop < 2 * this.#viewport
    );
  }

  #see(): void {
    const top = this.#contentTop();
    const anchors: Anchor[] = [];
    const rows = this.heights.rows;
    for (let i = this.heights.at(top); i >= 0 && i < rows.length; i++) {
      const offset = this.heights.top(i) - top;
      if (offset >= this.#viewport && anchors.length > 0) break;
      const row = rows[i];
      if (row) anchors.push({ key: row.key, index: i, offset });
    }
    this.#anchors = anchors;
  }
}
