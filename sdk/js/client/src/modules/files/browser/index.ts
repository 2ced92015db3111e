/**
 * What a page with a `document` finds out about pictures, films and sounds before they are uploaded:
 * `files({ describe })` of `@skein/client/files`. Apart from that module, so that workers and Node load nothing of it.
 *
 * @packageDocumentation
 */
import type { Media } from "../types.js";

/** How long a film may take to show itself. */
const filmMs = 10_000;
/** The longer side of a poster, in pixels. */
const posterSide = 1280;
const posterQuality = 0.8;
/** A waveform's values. */
const bars = 64;

/** How large a picture is in pixels, turned as it is shown. Rejects when it can not be decoded. */
export async function dimensionsOf(blob: Blob): Promise<{ readonly width: number; readonly height: number }> {
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}

function heard(target: EventTarget, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    target.addEventListener(name, () => resolve(), { once: true });
    target.addEventListener("error", () => reject(new Error("the film can not be decoded")), { once: true });
    setTimeout(() => reject(new Error("the film takes too long")), filmMs);
  });
}

/**
 * How large and how long a film is, and a JPEG of what it shows near its beginning, at most 1,280 pixels on its longer
 * side. Rejects when the browser can not play it.
 */
export async function posterOf(blob: Blob): Promise<{ readonly width: number; readonly height: number; readonly durationMs: number; readonly poster: Blob | undefined }> {
  const url = URL.createObjectURL(blob);
  const video = document.createElement("video");
  try {
    video.muted = true;
    video.playsInline = true;
    video.preload = "auto";
    const loaded = heard(video, "loadeddata");
    video.src = url;
    await loaded;
    const { videoWidth: width, videoHeight: height, duration } = video;
    // The first picture of many films is black.
    const sought = heard(video, "seeked");
    video.currentTime = Math.min(1, Number.isFinite(duration) ? duration / 10 : 0);
    await sought;
    const scale = Math.min(1, posterSide / Math.max(width, height, 1));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
    const poster = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", posterQuality));
    return { width, height, durationMs: Number.isFinite(duration) ? Math.round(duration * 1000) : 0, poster: poster ?? undefined };
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  }
}

/**
 * How loud a sound is from its beginning to its end: 64 values of 0 to 255, the loudest 255; and how long it is. The whole
 * of it is decoded into memory: for what was spoken, not for albums. Rejects when the browser can not decode it.
 */
export async function waveformOf(blob: Blob): Promise<{ readonly waveform: Uint8Array; readonly durationMs: number }> {
  const context = new OfflineAudioContext(1, 1, 8000);
  const sound = await context.decodeAudioData(await blob.arrayBuffer());
  const samples = sound.getChannelData(0);
  const peaks = Array.from({ length: bars }, (_, bar) => {
    let peak = 0;
    const end = Math.floor(((bar + 1) * samples.length) / bars);
    for (let i = Math.floor((bar * samples.length) / bars); i < end; i++) peak = Math.max(peak, Math.abs(samples[i] ?? 0));
    return peak;
  });
  const loudest = Math.max(...peaks);
  return { waveform: Uint8Array.from(peaks, (peak) => (loudest ? Math.round((peak * 255) / loudest) : 0)), durationMs: Math.round(sound.duration * 1000) };
}

/** What of these a file has, by its media type: for `files({ describe })`. */
export async function describe(blob: Blob, mime: string): Promise<Media | undefined> {
  if (mime.startsWith("image/")) return dimensionsOf(blob);
  return mime.startsWith("video/") ? posterOf(blob) : undefined;
}
