import { expect, test } from "vitest";
import { highlightPieces, isBigEmoji, pieces, safeHref } from "../src/format/linkify.ts";

const links = (text: string) => pieces(text).flatMap((p) => (p.type === "link" ? [[p.text, p.href]] : []));

test.each([
  ["see https://a.example/x.", "https://a.example/x"],
  ["(https://a.example/x)", "https://a.example/x"],
  ["https://en.example/Skein_(yarn)", "https://en.example/Skein_(yarn)"],
  ["https://en.example/Skein_(yarn).", "https://en.example/Skein_(yarn)"],
  ["http://a.example/?q=1&b=2#c,", "http://a.example/?q=1&b=2#c"],
  ["请看https://a.example/路径，谢谢", "https://a.example/"],
  ["地址：https://a.example/p。", "https://a.example/p"],
  ["“https://a.example/p”", "https://a.example/p"],
  ["<https://a.example/p>", "https://a.example/p"],
  ["https://a.example/p!?", "https://a.example/p"],
])("in %j the link is %s", (text, want) => {
  expect(links(text).map(([shown]) => shown)).toEqual([want]);
});

test("www without a scheme becomes https", () => {
  expect(links("www.a.example/x")).toEqual([["www.a.example/x", "https://www.a.example/x"]]);
});

test.each([
  "javascript:alert(1)",
  "data:text/html,<script>",
  "ftp://a.example",
  "file:///etc/passwd",
  "https://",
  "http://user:pass@a.example/",
  "https://bank.example@evil.example/",
  "www.",
  "awww.a.example",
  "mailto:a@b.example",
])("%j is no link", (text) => {
  expect(links(text)).toEqual([]);
});

test("a script in other clothes is not an address", () => {
  expect(safeHref("JaVaScRiPt:alert(1)")).toBeUndefined();
  expect(safeHref("https://a.example")).toBe("https://a.example/");
});

test("joined, the pieces are the text again", () => {
  for (const text of ["a https://a.example/x, b www.b.example. @bob c", "", "https://a.example", "😀 @bob@bob"]) {
    expect(pieces(text, ["bob"]).map((p) => p.text).join("")).toBe(text);
  }
});

test("a mention is found where the whole id stands", () => {
  expect(pieces("@bob and @bobby, @bob.", ["bob"]).filter((p) => p.type === "mention")).toHaveLength(2);
  expect(pieces("@ann-lee", ["ann", "ann-lee"])).toEqual([{ type: "mention", text: "@ann-lee", user: "ann-lee" }]);
  expect(pieces("@王小明 你好", ["王小明"])[0]).toEqual({ type: "mention", text: "@王小明", user: "王小明" });
});

test("ids with the signs of regular expressions are ids", () => {
  expect(pieces("@a.b+c", ["a.b+c"])).toEqual([{ type: "mention", text: "@a.b+c", user: "a.b+c" }]);
  expect(highlightPieces("1+1=2", "1+1")).toEqual(["", "1+1", "=2"]);
});

test("every word of a search is marked, whatever its case", () => {
  expect(highlightPieces("Blue yarn, blue", "BLUE yarn").filter((_, i) => i % 2 === 1)).toEqual(["Blue", "yarn", "blue"]);
  expect(highlightPieces("蓝色的毛线", "毛线")).toEqual(["蓝色的", "毛线", ""]);
  expect(highlightPieces("x", "  ")).toEqual(["x"]);
});

test("one to three emoji alone are drawn large", () => {
  expect(["😀", "👩‍💻", "🇩🇪", "❤️🎉", " 😀 "].every(isBigEmoji)).toBe(true);
  expect(["😀😀😀😀", "ok 😀", "1", "123", "", "*"].some(isBigEmoji)).toBe(false);
});
