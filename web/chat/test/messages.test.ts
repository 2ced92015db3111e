import { describe, expect, test } from "vitest";
import { fileAt } from "../src/messages/AttachMenu.tsx";
import { callsIn, wordsOf } from "../src/messages/calls.ts";
import { fileSize } from "../src/files/sizes.ts";
import { applyMark, hasMarks, markOf } from "../src/messages/formatting.ts";

describe("marks", () => {
  const select = (text: string) => {
    const start = text.indexOf("[");
    const end = text.indexOf("]") - 1;
    return { text: text.replace("[", "").replace("]", ""), start, end };
  };
  test.each([
    ["bold", "a [b] c", "a **b** c"],
    ["italic", "[]", "**"],
    ["strike", "[all]", "~~all~~"],
    ["code", "x [y] z", "x `y` z"],
    ["code", "a\n[b\nc]", "a\n```\nb\nc\n```"],
    ["quote", "a\n[b\nc]", "a\n> b\n> c"],
    ["list", "[b\nc]", "- b\n- c"],
    ["link", "see [this]", "see [this](https://)"],
    ["link", "[https://a.example]", "[](https://a.example)"],
  ] as const)("%s of %j is %j", (mark, text, want) => {
    expect(applyMark(select(text), mark).text).toBe(want);
  });
  test("the same mark again takes it away, and the selection stays", () => {
    const once = applyMark(select("a [b] c"), "bold");
    expect(applyMark(once, "bold")).toEqual({ text: "a b c", start: 2, end: 3 });
    const quoted = applyMark({ text: "a\nb", start: 0, end: 3 }, "quote");
    expect(applyMark({ text: quoted.text, start: 0, end: quoted.text.length }, "quote").text).toBe("a\nb");
  });
  test("keys", () => {
    const key = (name: string, shiftKey = false, ctrlKey = true) => markOf({ key: name, shiftKey, ctrlKey, metaKey: false, altKey: false });
    expect([key("b"), key("I"), key("x", true), key("x"), key("b", false, false)]).toEqual(["bold", "italic", "strike", undefined, undefined]);
  });
  test.each([["plain", false], ["two\nlines", false], ["*a*", true], ["> a", true], ["- a", true], ["2 * 3", false], ["https://a.example/a_b_c", false]])("%j has marks: %s", (text, want) => {
    expect(hasMarks(text)).toBe(want);
  });
});

test("words that call many are found, unless they are somebody's id", () => {
  expect(callsIn("@all and @admin!", ["bob"])).toEqual({ all: true, here: false, roles: ["admin"] });
  expect(callsIn("@所有人 看一下", [])).toMatchObject({ all: true });
  expect(callsIn("@allen @hereby", [])).toEqual({ all: false, here: false, roles: [] });
  expect(callsIn("@all", ["all"])).toMatchObject({ all: false });
  expect(wordsOf({ here: true })).toContain("在线");
  const cooks = [{ id: "r1", name: "Night cooks" }];
  expect(callsIn("@Night cooks, come", [], cooks).roles).toEqual(["r1"]);
  expect(wordsOf({ roles: ["r1"] }, cooks)).toEqual(["Night cooks"]);
});

test("a link is a file, if it is https", () => {
  expect(fileAt("https://x.example/a%20b.PNG?v=1")).toEqual({ name: "a b.PNG", mime: "image/png", url: "https://x.example/a%20b.PNG?v=1" });
  expect(fileAt("https://x.example/")).toMatchObject({ name: "x.example", mime: "application/octet-stream" });
  expect(["http://x.example/a", "javascript:alert(1)", "https://a:b@x.example/c", "nothing"].map(fileAt)).toEqual([undefined, undefined, undefined, undefined]);
  expect([fileSize(5), fileSize(1500), fileSize(12_000_000)]).toEqual(["5 B", "1.5 KB", "12 MB"]);
});
