import { describe, expect, test } from "vitest";
import { capacity, gap, most, pack, pages } from "../../src/calls/stage/grid.ts";

const desktop = { width: 1256, height: 620 };
const upright = { width: 344, height: 560 };

describe("tiles", () => {
  test("fit their rectangle, whatever their number", () => {
    for (const size of [desktop, upright, { width: 700, height: 240 }]) {
      for (let count = 1; count <= most; count++) {
        const { columns, rows, width, height } = pack(count, size);
        expect(columns * rows).toBeGreaterThanOrEqual(count);
        expect(columns * width + (columns - 1) * gap).toBeLessThanOrEqual(size.width);
        expect(rows * height + (rows - 1) * gap).toBeLessThanOrEqual(size.height);
      }
    }
  });

  test("lie side by side on a desktop and below one another on a phone", () => {
    expect(pack(2, desktop)).toMatchObject({ columns: 2, rows: 1 });
    expect(pack(2, upright)).toMatchObject({ columns: 1, rows: 2 });
    expect(pack(4, desktop)).toMatchObject({ columns: 2, rows: 2 });
    expect(pack(9, desktop)).toMatchObject({ columns: 3, rows: 3 });
  });

  test("are no wider than a film, and no narrower than a portrait", () => {
    const one = pack(1, { width: 2000, height: 400 });
    expect(one.width / one.height).toBeLessThanOrEqual(16 / 9 + 0.01);
    const tall = pack(1, { width: 300, height: 2000 });
    expect(tall.width / tall.height).toBeGreaterThanOrEqual(0.79);
  });

  test("are as many as can be recognised", () => {
    expect(capacity(desktop)).toBe(25);
    expect(capacity(upright)).toBeLessThan(13);
    expect(capacity(upright)).toBeGreaterThanOrEqual(8);
    expect(capacity({ width: 100, height: 60 })).toBe(1);
  });
});

describe("pages", () => {
  const tiles = (others: number) => [...Array.from({ length: others }, (_, i) => ({ id: i, local: false })), { id: 99, local: true }];
  const ids = (all: readonly (readonly { readonly id: number }[])[]) => all.map((page) => page.map(({ id }) => id));

  test("have oneself last on the first", () => {
    expect(ids(pages(tiles(3), 9))).toEqual([[0, 1, 2, 99]]);
    expect(ids(pages(tiles(5), 3))).toEqual([[0, 1, 99], [2, 3, 4]]);
    expect(ids(pages(tiles(3), 1))).toEqual([[99], [0], [1], [2]]);
    expect(ids(pages([], 4))).toEqual([[]]);
  });
});
