import { expect, test } from "vitest";
import { Heights, type Row } from "../src/thread/heights.ts";

const rows = (...keys: string[]): Row[] => keys.map((key) => ({ key }));
const heights = (...keys: string[]) => {
  const h = new Heights<Row>(() => 10);
  h.setRows(rows(...keys));
  return h;
};

test("rows begin where the ones above them end", () => {
  const h = heights("a", "b", "c");
  expect(h.measure(1, 25)).toBe(true);
  expect([0, 1, 2, 3].map((i) => h.top(i))).toEqual([0, 10, 35, 45]);
  expect(h.total).toBe(45);
});

test("a difference of less than a quarter of a pixel is no news", () => {
  expect(heights("a").measure(0, 10.2)).toBe(false);
  expect(heights("a").measure(7, 10)).toBe(false);
});

test("what was measured stays through pages at either end", () => {
  const h = heights("c", "d");
  h.measure(0, 30);
  h.measure(1, 40);
  h.setRows(rows("a", "b", "c", "d", "e"));
  expect([0, 1, 2, 3, 4].map((i) => h.height(i))).toEqual([10, 10, 30, 40, 10]);
});

test("what was measured stays when rows come and go in the middle", () => {
  const h = heights("a", "b", "c");
  [11, 12, 13].forEach((height, i) => h.measure(i, height));
  h.setRows(rows("c", "x", "a"));
  expect([0, 1, 2].map((i) => h.height(i))).toEqual([13, 10, 11]);
});

test("the row at a height is found, the nearest one outside", () => {
  const h = heights("a", "b", "c");
  expect([-5, 0, 9.9, 10, 29, 30, 99].map((y) => h.at(y))).toEqual([0, 0, 0, 1, 2, 2, 2]);
  expect(new Heights<Row>(() => 1).at(0)).toBe(-1);
});

test("a key is found near where it was and far away", () => {
  const h = heights("a", "b", "c", "d");
  expect([h.indexOf("d", 0), h.indexOf("a", 3), h.indexOf("c", 2), h.indexOf("x", 1)]).toEqual([3, 0, 2, -1]);
});

test("a whole conversation costs little to take in", () => {
  const h = new Heights<Row>(() => 10);
  const many = Array.from({ length: 50_000 }, (_, i) => ({ key: `k${i}` }));
  h.setRows(many);
  h.setRows([{ key: "older" }, ...many]);
  expect(h.total).toBe(500_010);
});
