import { expect, test } from "vitest";
import { bars, levelOf, toWaveform } from "../../src/files/voice/waveform.ts";
import { withDuration } from "../../src/files/voice/webm.ts";

test("levels become bytes against the loudest", () => {
  const wave = toWaveform(Array.from({ length: 200 }, (_, i) => (i < 100 ? 0.1 : 0.2)));
  expect(wave).toHaveLength(64);
  expect(wave[0]).toBe(128);
  expect(wave[63]).toBe(255);
  expect(toWaveform([]).every((value) => value === 0)).toBe(true);
  // Silence is not blown up to a shout.
  expect(Math.max(...toWaveform([0.001, 0.002]))).toBeLessThan(20);
  // A recording shorter than its waveform still fills it.
  expect(toWaveform([0.5, 1], 4)).toEqual(Uint8Array.of(128, 128, 255, 255));
});

test("bars are seen also where nothing is known", () => {
  expect(bars(undefined, 3)).toEqual([0.12, 0.12, 0.12]);
  expect(bars(Uint8Array.of(0, 255), 2)).toEqual([0.08, 1]);
  expect(bars(new Uint8Array(64).fill(51), 30)).toHaveLength(30);
});

test("the level of samples", () => {
  expect(levelOf(new Float32Array(10))).toBe(0);
  expect(levelOf(new Float32Array(10).fill(1))).toBe(1);
  expect(levelOf(new Float32Array(0))).toBe(0);
});

/** A head as recorders write it: EBML, a segment of unknown size, its info with a scale, a cluster. */
function recording(infoSize: readonly number[]): Uint8Array<ArrayBuffer> {
  const info = [0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40];
  return Uint8Array.from([0x1a, 0x45, 0xdf, 0xa3, 0x80, 0x18, 0x53, 0x80, 0x67, 0x01, 255, 255, 255, 255, 255, 255, 255, 0x15, 0x49, 0xa9, 0x66, ...infoSize, ...info, 0x1f, 0x43, 0xb6, 0x75, 0x81, 7]);
}

test("a recording is told how long it is", () => {
  for (const size of [[0x87], [0x01, 0, 0, 0, 0, 0, 0, 7]]) {
    const before = recording(size);
    const after = withDuration(before, 2500);
    expect(after.length).toBe(before.length + 11);
    const at = after.findIndex((byte, i) => byte === 0x44 && after[i + 1] === 0x89);
    expect(new DataView(after.buffer).getFloat64(at + 3)).toBe(2500);
    // The cluster is where it was, behind the info.
    expect([...after.slice(-6)]).toEqual([...before.slice(-6)]);
    // Twice is once.
    expect(withDuration(after, 9)).toBe(after);
  }
});

test("what is no recording stays as it is", () => {
  for (const bytes of [new Uint8Array(0), Uint8Array.from([0x1a]), Uint8Array.from(new TextEncoder().encode("OggS and more")), recording([0x87]).slice(0, 24)]) expect(withDuration(bytes, 5)).toBe(bytes);
});
