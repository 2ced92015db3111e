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

/** Plays a file four times as fast as it was, to its end, and jumps into its middle before where it can. */
export async function play(page: Page, file: string): Promise<Played> {
  const bytes = readFileSync(file).toString("base64");
  const type = file.endsWith(".ogg") ? "audio/ogg" : "video/webm";
  return page.evaluate(`(async () => {
    const raw = Uint8Array.from(atob(${JSON.stringify(bytes)}), (c) => c.charCodeAt(0));
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
