// What a recording is, by a browser that plays it.
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";

export interface Played {
  /** In seconds; Infinity or 0 where the file does not say. */
  readonly duration: number;
  /** Of film: the pictures that were decoded, and their size. */
  readonly frames: number;
  readonly width: number;
  /** Where it stood in the end, seconds. */
  readonly at: number;
  /** Of sound: its length when it was decoded whole, and how loud it is on average (0 to 1). */
  readonly decoded: number;
  readonly loudness: number;
  readonly error: string;
}

/** What gives a file's bytes within a page. */
const bytesOf = (file: string): string => `Uint8Array.from(atob(${JSON.stringify(readFileSync(file).toString("base64"))}), (c) => c.charCodeAt(0))`;

/** Plays a file four times as fast as it was, to its end, and jumps into its middle before where it can. */
export async function play(page: Page, file: string): Promise<Played> {
  const type = file.endsWith(".ogg") ? "audio/ogg" : "video/webm";
  return page.evaluate(`(async () => {
    const raw = ${bytesOf(file)};
    const e = document.createElement(${JSON.stringify(type.slice(0, 5))});
    e.muted = true;
    e.src = URL.createObjectURL(new Blob([raw], { type: ${JSON.stringify(type)} }));
    document.body.append(e);
    const event = (name) => new Promise((resolve) => { e.addEventListener(name, () => resolve(), { once: true }); e.addEventListener("error", () => resolve(), { once: true }); setTimeout(resolve, 20000); });
    await event("loadedmetadata");
    const duration = e.duration;
    if (Number.isFinite(duration)) { e.currentTime = duration / 2; await event("seeked"); e.currentTime = 0; await event("seeked"); }
    e.playbackRate = 4;
    const ended = event("ended");
    await e.play().catch(() => undefined);
    await ended;
    const out = { duration, frames: e.getVideoPlaybackQuality?.().totalVideoFrames ?? 0, width: e.videoWidth ?? 0, at: e.currentTime, decoded: 0, loudness: 0, error: e.error?.message ?? "" };
    if (${JSON.stringify(type)} === "audio/ogg") {
      const b = await new OfflineAudioContext(2, 48000, 48000).decodeAudioData(raw.buffer);
      const x = b.getChannelData(0);
      let sum = 0;
      for (let i = 0; i < x.length; i++) sum += x[i] * x[i];
      out.decoded = b.duration;
      out.loudness = Math.sqrt(sum / x.length);
    }
    e.remove();
    return out;
  })()`) as Promise<Played>;
}

/** What a film of a clock shows (page.js, publishClocks). */
export interface Film {
  /** In milliseconds: how long it says that it is, and where it ended. */
  readonly duration: number;
  readonly at: number;
  readonly error: string;
  /** Sizes of its pictures, in their order, such as "640x360". */
  readonly sizes: string[];
  /** Pictures that were shown, and how many of them could not be read. */
  readonly pictures: number;
  readonly spoiled: number;
  /** How long after the time that it tells a picture is shown, on the clock of the recording: the middle, and how far nineteen of twenty are from it at the most. */
  readonly late: number;
  readonly astray: number;
  /** The longest time for which one picture stood still. */
  readonly freeze: number;
}

const middle = (all: number[]): number => all.slice().sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? NaN;
/** How far nineteen of twenty are from something at the most: a browser that has much to do reads some at another time than it says. */
const spread = (all: number[], from: number): number => all.map((one) => Math.abs(one - from)).sort((a, b) => a - b)[Math.floor(all.length * 0.95)] ?? NaN;

/** When its pictures are shown, ms, as the file has them: a browser that has much to do leaves some out. */
function timesOf(file: string): number[] {
  const bytes = readFileSync(file);
  const times: number[] = [];
  let cluster = 0;
  for (let at = 0; at < bytes.length; ) {
    const number = (keep: boolean): number => {
      const length = Math.clz32(bytes[at]!) - 23;
      let n = keep ? bytes[at]! : bytes[at]! & (2 ** (8 - length) - 1);
      for (let i = 1; i < length; i++) n = n * 256 + bytes[at + i]!;
      at += length;
      return n;
    };
    const id = number(true);
    const size = number(false);
    if (id === 0x18538067 || id === 0x1f43b675) continue; // what is in a segment and in a cluster
    if (id === 0xe7) cluster = bytes.readUIntBE(at, size);
    if (id === 0xa3) times.push(cluster + bytes.readInt16BE(at + 1));
    at += size;
  }
  return times;
}

/** Plays a film of a clock that began at a time, ms since 1970. */
export async function readClock(page: Page, file: string, began: number): Promise<Film> {
  const { seen, ...film } = (await page.evaluate(`window.readClock(${bytesOf(file)})`)) as {
    seen: { at: number; width: number; height: number; told: number }[];
    duration: number;
    at: number;
    error: string;
  };
  const sizes = seen.map(({ width, height }) => `${width}x${height}`);
  const read = seen.filter(({ told }) => told >= 0);
  const behind = read.map(({ at, told }) => (((began + at - told) % 2 ** 20) + 1.5 * 2 ** 20) % 2 ** 20 - 2 ** 19);
  const late = middle(behind);
  return {
    ...film,
    sizes: sizes.filter((size, i) => size !== sizes[i - 1]),
    pictures: seen.length,
    spoiled: seen.length - read.length,
    late,
    astray: spread(behind, late),
    freeze: Math.max(...timesOf(file).map((at, i, all) => (all[i + 1] ?? film.duration) - at)),
  };
}

/** Decodes its sound: how long after the full second its beeps begin, in the middle and how far others are from it, and how many were found. */
export async function readBeeps(page: Page, file: string, began: number): Promise<{ duration: number; late: number; astray: number; beeps: number }> {
  const { beeps, duration } = (await page.evaluate(`window.readBeeps(${bytesOf(file)}.buffer)`)) as { beeps: number[]; duration: number };
  const behind = beeps.map((at) => ((began + at + 500) % 1000) - 500);
  const late = middle(behind);
  return { duration, late, astray: spread(behind, late), beeps: beeps.length };
}
