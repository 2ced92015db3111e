// What is known of a file before it is sent: how large a picture is, how long
// a film is and what is seen at its beginning.
import type { Media } from "@skein/client/files";
import { describe as look, posterOf } from "@skein/client/files/browser";

/** What was found out. */
export interface Inspected {
  readonly kind: "picture" | "film" | "sound" | "file";
  readonly width: number;
  readonly height: number;
  readonly durationMs: number;
  /** What stands for a film until it plays. */
  readonly poster: Blob | undefined;
}

const nothing: Inspected = { kind: "file", width: 0, height: 0, durationMs: 0, poster: undefined };

/** A browser that does not get on with a file is not waited for longer than this. */
const patienceMs = 8000;

/** Resolves with what a media element says once it says it; undefined when it can not read the file. */
function when(target: EventTarget, good: string): Promise<boolean> {
  return new Promise((resolve) => {
    const over = AbortSignal.timeout(patienceMs);
    over.addEventListener("abort", () => resolve(false), { once: true });
    target.addEventListener(good, () => resolve(true), { once: true });
    target.addEventListener("error", () => resolve(false), { once: true });
  });
}

function draw(source: CanvasImageSource, width: number, height: number, most: number, quality: number): Promise<Blob | undefined> {
  const scale = Math.min(1, most / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  if (!context) return Promise.resolve(undefined);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? undefined), "image/jpeg", quality));
}

async function inspectPicture(url: string): Promise<Inspected> {
  const image = new Image();
  const read = when(image, "load");
  image.src = url;
  return (await read) && image.naturalWidth > 0 ? { ...nothing, kind: "picture", width: image.naturalWidth, height: image.naturalHeight } : nothing;
}

async function inspectFilm(file: File): Promise<Inspected> {
  try {
    return { kind: "film", ...(await posterOf(file)) };
  } catch {
    return nothing;
  }
}

/** Looks into a file. `url` is an object URL of it. */
export function inspect(file: File, url: string): Promise<Inspected> {
  if (/^image\/(png|jpeg|gif|webp|avif|bmp)$/.test(file.type)) return inspectPicture(url);
  if (/^video\/(mp4|webm|quicktime)$/.test(file.type)) return inspectFilm(file);
  return Promise.resolve(file.type.startsWith("audio/") ? { ...nothing, kind: "sound" } : nothing);
}

const known = new WeakSet<Blob>();

/** Notes that all there is to know of a file goes with it. */
export function knows(blob: Blob): void {
  known.add(blob);
}

/** For the SDK: finds out what is not known of a file that is about to be sent. */
export async function describe(blob: Blob, mime: string): Promise<Media | undefined> {
  return known.has(blob) ? undefined : look(blob, mime);
}

/** A photo that is larger than this is made smaller, unless it is sent as a file. */
const photoSide = 2560;
const photoBytes = 3_000_000;

/** The photo as it is sent as a picture: screens show no more of it. All else, and what would not get smaller, stays as it is. */
export async function shrunk(file: File, { kind, width, height }: Inspected): Promise<{ readonly blob: File; readonly width: number; readonly height: number }> {
  const same = { blob: file, width, height };
  if (kind !== "picture" || file.type !== "image/jpeg" || (Math.max(width, height) <= photoSide && file.size <= photoBytes)) return same;
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const blob = await draw(bitmap, bitmap.width, bitmap.height, photoSide, 0.87);
    const scale = Math.min(1, photoSide / Math.max(bitmap.width, bitmap.height));
    const size = { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) };
    bitmap.close();
    if (!blob || blob.size >= file.size) return same;
    return { blob: new File([blob], file.name, { type: "image/jpeg" }), ...size };
  } catch {
    // A picture that is too large for this browser goes as it is.
    return same;
  }
}
