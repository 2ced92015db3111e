import { expect, test } from "vitest";
import { qrCode, qrPath } from "../src/joining/qr.ts";

/** A code as text, two characters a module. */
const picture = (text: string, mask?: number): string => qrCode(text, mask)?.map((row) => row.map((on) => (on ? "##" : "  ")).join("")).join("\n") ?? "none";

/** A digest that is the same everywhere (FNV-1a). */
function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (const c of text) hash = Math.imul(hash ^ (c.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}

// The digests are of codes that another encoder drew alike and another decoder read, for every mask.
test("codes of every version are what the standard has them be", () => {
  expect(digest(picture("A"))).toBe("5403e461");
  expect(digest(picture("https://chat.example.com/#/join/0123456789abcdefABCDEF_-"))).toBe("c210c2c3");
  expect(digest(picture("z".repeat(106)))).toBe("2768debb");
  expect(digest(picture("w".repeat(122)))).toBe("2ce41ea1");
  expect(digest(picture("v".repeat(152)))).toBe("4342ba55");
  expect(digest(picture("u".repeat(180)))).toBe("d3843cd7");
  expect(digest(picture("t".repeat(213)))).toBe("f65d94fd");
  expect(digest(picture("群聊邀请 – ü"))).toBe("983786cd");
  expect(digest(picture("skein", 0))).toBe("751b7ca5");
  expect(digest(picture("skein", 1))).toBe("46cadfe9");
  expect(digest(picture("skein", 2))).toBe("8231fae9");
  expect(digest(picture("skein", 3))).toBe("05a33c8d");
  expect(digest(picture("skein", 4))).toBe("5924ff3d");
  expect(digest(picture("skein", 5))).toBe("215327ed");
  expect(digest(picture("skein", 6))).toBe("42fea271");
  expect(digest(picture("skein", 7))).toBe("2add3b6d");
});

test("a code is one of the version that its text just fits in, and none past the last", () => {
  for (const [bytes, size] of [[14, 21], [15, 25], [26, 25], [27, 29], [180, 53], [181, 57], [213, 57]] as const) {
    expect(qrCode("a".repeat(bytes))?.length).toBe(size);
  }
  expect(qrCode("a".repeat(214))).toBeUndefined();
});

test("its path draws each dark module once, inside a quiet zone of four", () => {
  const code = qrCode("skein");
  expect(code).toBeDefined();
  const dark = code?.flat().filter(Boolean).length;
  const { path, size } = qrPath(code ?? []);
  expect(size).toBe(29);
  expect(path.match(/M/g)?.length).toBe(dark);
  expect(path.startsWith("M4 4h1v1h-1z")).toBe(true);
});
