import { expect, test } from "vitest";
import { hue, hues, initials } from "../src/format/names.ts";

test.each([
  ["alice", "A"],
  ["Design team", "DT"],
  ["ann.lee", "AL"],
  ["设计团队", "设"],
  ["王小明", "王"],
  ["李 雷", "李"],
  ["🧶 Knitters", "🧶K"],
  ["👩‍💻", "👩‍💻"],
  ["  ", "?"],
  ["--", "?"],
  ["éric", "É"],
])("the initials of %j are %s", (name, want) => {
  expect(initials(name)).toBe(want);
});

test("an id has the same hue always, and ids spread over all of them", () => {
  expect(hue("alice")).toBe(hue("alice"));
  const seen = new Set(Array.from({ length: 200 }, (_, i) => hue(`user-${i}`)));
  expect(seen.size).toBe(hues);
  for (const h of seen) expect(h >= 0 && h < hues).toBe(true);
});
