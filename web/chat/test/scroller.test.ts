import { expect, test } from "vitest";
import type { Row } from "../src/thread/heights.ts";
import { maxDrawn, Scroller } from "../src/thread/scroller.ts";

const rows = (from: number, to: number): Row[] => Array.from({ length: to - from + 1 }, (_, i) => ({ key: `k${from + i}` }));
const view = 500;
const guess = 40;

/** A list as the component drives it: rows have the heights that `real` says. */
class Screen {
  readonly scroller = new Scroller<Row>(() => guess, { padTop: 0, padBottom: 0, overscan: 200, endZone: 20 });
  real = (key: string): number => 30 + (Number(key.slice(1)) % 7) * 10;
  scrollTop = 0;
  height = 0;
  drawn = { start: 0, end: 0, top: 0 };
  resting = true;

  set(list: Row[]) {
    this.scroller.setRows(list);
    this.frame();
    return this;
  }

  /** One frame: draw, measure, place, until nothing more is needed. */
  frame() {
    for (let i = 0; i < 20; i++) {
      const { start, end } = this.scroller.range();
      this.scroller.resized(view);
      for (let row = start; row < end; row++) {
        const key = this.scroller.heights.rows[row]?.key;
        if (key !== undefined) this.scroller.measured(row, this.real(key));
      }
      const to = this.scroller.place(start, this.resting);
      this.drawn = { start, end, top: to.top };
      this.height = to.height;
      if (to.scrollTop !== undefined) this.scrollTop = to.scrollTop;
      if (this.scroller.covers({ start, end })) return;
    }
    throw new Error("the list does not settle");
  }

  /** The person scrolls. */
  scroll(by: number) {
    this.scrollTop = Math.max(0, Math.min(this.scrollTop + by, this.height - view));
    this.scroller.scrolled(this.scrollTop, view);
    this.frame();
  }

  /** Where a row is seen, from the top of the viewport; undefined when it is not drawn. */
  y(key: string): number | undefined {
    let y = this.drawn.top - this.scrollTop;
    for (let i = this.drawn.start; i < this.drawn.end; i++) {
      const here = this.scroller.heights.rows[i]?.key;
      if (here === key) return y;
      if (here !== undefined) y += this.real(here);
    }
    return undefined;
  }

  firstSeen(): string {
    for (let i = this.drawn.start; i < this.drawn.end; i++) {
      const key = this.scroller.heights.rows[i]?.key ?? "";
      if ((this.y(key) ?? -1e9) + this.real(key) > 0) return key;
    }
    return "";
  }
}

test("a list opens at its end", () => {
  const screen = new Screen().set(rows(1, 50));
  expect(screen.y("k50")).toBeCloseTo(view - screen.real("k50"), 5);
  expect(screen.scroller.stuck).toBe(true);
});

test("a new row is scrolled to when the end was seen, and moves nothing when it was not", () => {
  const screen = new Screen().set(rows(1, 50)).set(rows(1, 51));
  expect(screen.y("k51")).toBeCloseTo(view - screen.real("k51"), 5);
  screen.scroll(-300);
  const seen = screen.firstSeen();
  const y = screen.y(seen);
  screen.set(rows(1, 60));
  expect(screen.scroller.stuck).toBe(false);
  expect(screen.y(seen)).toBeCloseTo(y ?? Number.NaN, 5);
});

test("an older page moves nothing that is seen, however wrong its heights were guessed", () => {
  const screen = new Screen().set(rows(1000, 1050));
  screen.real = (key) => 20 + (Number(key.slice(1)) % 13) * 17;
  screen.frame();
  for (let page = 0; page < 8; page++) {
    while (screen.scrollTop > 150) screen.scroll(-120);
    const seen = screen.firstSeen();
    const y = screen.y(seen);
    const first = Number(screen.scroller.heights.rows[0]?.key.slice(1));
    screen.set(rows(first - 100, 1050));
    expect(screen.y(seen), `page ${page}`).toBeCloseTo(y ?? Number.NaN, 5);
  }
});

test("scrolling up through rows that were never measured moves them by what was scrolled and nothing else", () => {
  const screen = new Screen().set(rows(1, 3000));
  screen.resting = false;
  for (let step = 0; step < 300; step++) {
    const seen = screen.firstSeen();
    const y = screen.y(seen) ?? Number.NaN;
    screen.scroll(-80);
    expect(screen.y(seen), `step ${step}`).toBeCloseTo(y + 80, 5);
  }
});

test("when the scrolling rests the offset is set right, and nothing is seen to move", () => {
  const screen = new Screen().set(rows(1, 3000));
  screen.resting = false;
  for (let step = 0; step < 50; step++) screen.scroll(-100);
  expect(screen.scroller.drift).not.toBe(0);
  const seen = screen.firstSeen();
  const y = screen.y(seen);
  screen.resting = true;
  screen.frame();
  expect(screen.scroller.drift).toBe(0);
  expect(screen.y(seen)).toBeCloseTo(y ?? Number.NaN, 5);
});

test("one can scroll to the very first row, and it stands at the top", () => {
  const screen = new Screen().set(rows(1, 800));
  screen.resting = false;
  for (let step = 0; step < 2000 && screen.scrollTop > 0; step++) screen.scroll(-200);
  screen.resting = true;
  screen.frame();
  expect(screen.y("k1")).toBeCloseTo(0, 5);
});

test("few rows are drawn of fifty thousand, wherever one is", () => {
  const screen = new Screen().set(rows(1, 50_000));
  const most = () => screen.drawn.end - screen.drawn.start;
  expect(most()).toBeLessThan(80);
  expect(screen.scroller.toKey("k25000", 0.3)).toBe(true);
  screen.frame();
  expect(most()).toBeLessThan(80);
  expect(screen.y("k25000")).toBeCloseTo(view * 0.3, 5);
  screen.real = () => 8;
  screen.frame();
  expect(most()).toBeLessThanOrEqual(maxDrawn);
});

test("a row that grows above what is seen moves nothing; one that grows at the end keeps the end in view", () => {
  const screen = new Screen().set(rows(1, 100));
  screen.scroll(-400);
  const seen = screen.firstSeen();
  const y = screen.y(seen);
  const above = screen.scroller.heights.rows[screen.drawn.start]?.key;
  const real = screen.real;
  screen.real = (key) => real(key) + (key === above ? 90 : 0);
  screen.frame();
  expect(screen.y(seen)).toBeCloseTo(y ?? Number.NaN, 5);

  screen.scroller.toEnd();
  screen.frame();
  screen.real = (key) => real(key) + (key === "k100" ? 70 : 0);
  screen.frame();
  expect(screen.y("k100")).toBeCloseTo(view - screen.real("k100"), 5);
});

test("when the first row that is seen goes away the next one holds still", () => {
  const screen = new Screen().set(rows(1, 100));
  screen.scroll(-500);
  const seen = screen.firstSeen();
  const next = `k${Number(seen.slice(1)) + 1}`;
  const y = screen.y(next);
  screen.set(rows(1, 100).filter((row) => row.key !== seen));
  expect(screen.y(next)).toBeCloseTo(y ?? Number.NaN, 5);
});

test("a kept place is found again in a list that has grown on both sides", () => {
  const screen = new Screen().set(rows(100, 200));
  screen.scroll(-700);
  const seen = screen.firstSeen();
  const y = screen.y(seen);
  const place = screen.scroller.save();
  const again = new Screen();
  again.scroller.setRows(rows(50, 260));
  expect(again.scroller.restore(place)).toBe(true);
  again.frame();
  expect(again.y(seen)).toBeCloseTo(y ?? Number.NaN, 5);
});

test("a kept place of which nothing is loaded is not restored", () => {
  const screen = new Screen().set(rows(100, 200));
  screen.scroll(-700);
  const place = screen.scroller.save();
  const again = new Screen();
  again.scroller.setRows(rows(900, 950));
  expect(again.scroller.restore(place)).toBe(false);
});

test("a window of other rows is drawn from where it was asked for", () => {
  const screen = new Screen().set(rows(900, 1000));
  screen.set(rows(1, 60));
  expect(screen.scroller.toKey("k30", 0)).toBe(true);
  screen.frame();
  expect(screen.y("k30")).toBeCloseTo(0, 5);
});

test("a list that is shorter than the viewport is at its end, also after a row of it was shown", () => {
  const screen = new Screen().set(rows(1, 4));
  expect(screen.scroller.toKey("k2", 0.3)).toBe(true);
  screen.frame();
  expect(screen.scroller.stuck).toBe(true);
  screen.set(rows(1, 40));
  expect(screen.y("k40")).toBeCloseTo(view - screen.real("k40"), 5);
});

test("the first row loses the line of its day when the page before it arrives, and its text stays where it was", () => {
  const screen = new Screen().set(rows(100, 160));
  const real = screen.real;
  const first = () => screen.scroller.heights.rows[0]?.key;
  screen.real = (key) => real(key) + (key === first() ? 45 : 0);
  screen.frame();
  while (screen.scrollTop > 0) screen.scroll(-150);
  const text = () => (screen.y("k100") ?? Number.NaN) + screen.real("k100");
  const before = text();
  screen.set(rows(1, 160));
  expect(first()).toBe("k1");
  expect(text()).toBeCloseTo(before, 5);
});

test("one who scrolled up by a few pixels is left there until a row comes", () => {
  const screen = new Screen().set(rows(1, 50));
  screen.scroll(-15);
  const y = screen.y("k50");
  screen.frame();
  expect(screen.y("k50")).toBe(y);
  screen.set(rows(1, 51));
  expect(screen.y("k51")).toBeCloseTo(view - screen.real("k51"), 5);
});
