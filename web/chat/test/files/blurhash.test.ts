import { expect, test } from "vitest";
import { decodeBlurHash, hashOf } from "../../src/files/blurhash.ts";

const hash = "LEHV6nWB2yk8pyo0adR*.7kCMdnj";

test("a hash is drawn in its colours, its mean in the middle of them", () => {
  const pixels = decodeBlurHash(hash, 8, 6);
  expect(pixels).toHaveLength(8 * 6 * 4);
  if (!pixels) return;
  const mean = [0, 1, 2].map((channel) => {
    let sum = 0;
    for (let i = channel; i < pixels.length; i += 4) sum += pixels[i] ?? 0;
    return sum / 48;
  });
  // The colour that the hash names first, as bytes.
  expect(mean.every((value, i) => Math.abs(value - [0x93, 0x8a, 0x88][i]!) < 30)).toBe(true);
  expect(new Set([...pixels].filter((_, i) => i % 4 === 3))).toEqual(new Set([255]));
  // It is no plain area.
  expect(new Set(pixels).size).toBeGreaterThan(20);
});

test("a hash of one colour is that colour everywhere", () => {
  // 1 by 1 wave, the mean #ff0000.
  const red = decodeBlurHash("00TI:j", 4, 4);
  expect([...(red ?? [])].slice(0, 4)).toEqual([255, 0, 0, 255]);
  expect(new Set(red)).toEqual(new Set([255, 0]));
});

test("what is no hash is not drawn", () => {
  for (const bad of ["", "L", "LEHV6n", `${hash}x`, hash.slice(0, -1), hash.replace("n", '"'), "~".repeat(28)]) expect(decodeBlurHash(bad, 4, 4)).toBeUndefined();
});

test("the bytes of an attachment are a hash or something else", () => {
  expect(hashOf(new TextEncoder().encode(hash))).toBe(hash);
  expect(hashOf(undefined)).toBeUndefined();
  expect(hashOf(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0x10))).toBeUndefined();
  expect(hashOf(new Uint8Array(1024))).toBeUndefined();
});
