import { expect, test } from "vitest";
import { rove } from "../src/ui/roving.ts";

test("arrows go to neighbours and stop at the ends", () => {
  expect(rove("ArrowDown", 0, 3, "vertical")).toBe(1);
  expect(rove("ArrowDown", 2, 3, "vertical")).toBe(2);
  expect(rove("ArrowUp", 0, 3, "vertical")).toBe(0);
  expect(rove("ArrowRight", 0, 3, "vertical")).toBeUndefined();
  expect(rove("Home", 2, 3, "vertical")).toBe(0);
  expect(rove("End", 0, 3, "horizontal")).toBe(2);
  expect(rove("ArrowDown", -1, 0, "vertical")).toBeUndefined();
  expect(rove("ArrowDown", -1, 3, "vertical")).toBe(0);
});

test("in a grid the arrows go by rows and by members", () => {
  expect(rove("ArrowDown", 1, 10, "grid", 4)).toBe(5);
  expect(rove("ArrowDown", 8, 10, "grid", 4)).toBe(8);
  expect(rove("ArrowUp", 2, 10, "grid", 4)).toBe(2);
  expect(rove("ArrowRight", 3, 10, "grid", 4)).toBe(4);
});
