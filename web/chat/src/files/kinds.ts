// What an attachment is shown as. Its type is what the server read out of its
// bytes, so a picture here is one that a browser can show.
import type { Attachment } from "@skein/client/messages";

/** How an attachment is shown. */
export type FileKind = "picture" | "film" | "voice" | "sound" | "file";

/** What decides how something is shown: an attachment, or a file that is still being sent. */
export type Shown = Pick<Attachment, "mime" | "width" | "height" | "voice">;

const pictures = /^image\/(png|jpeg|gif|webp|avif|bmp)$/;

/** The kind of an attachment. One without width and height was sent as a file, whatever it is. */
export function kindOf({ mime, width, height, voice }: Shown): FileKind {
  const measured = width > 0 && height > 0;
  if (pictures.test(mime) && measured) return "picture";
  if (/^video\/(mp4|webm|quicktime)$/.test(mime) && measured) return "film";
  if (mime.startsWith("audio/")) return voice ? "voice" : "sound";
  return "file";
}

/** Whether it stands in an album rather than in the list of files. */
export function inAlbum(file: Shown): boolean {
  const kind = kindOf(file);
  return kind === "picture" || kind === "film";
}

/**
 * A name as it can be shown: without the characters that turn the direction of writing, which make "photo[RLO]gnp.exe"
 * look like a picture.
 */
export function shownName(name: string): string {
  return name.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}

/** The word of a card: what stands behind the last dot of a name, when it is short and plain. */
export function extensionOf(name: string): string {
  const found = /\.([A-Za-z0-9]{1,5})$/.exec(name);
  return found?.[1]?.toUpperCase() ?? "";
}

/** The colour group of a card: its media type, or its name where the type says nothing. */
export function groupOf({ mime, name }: Pick<Attachment, "mime" | "name">): "picture" | "film" | "sound" | "text" | "table" | "slides" | "archive" | "pdf" | "other" {
  const type = `${mime} ${extensionOf(name)}`;
  if (mime.startsWith("image/")) return "picture";
  if (mime.startsWith("video/")) return "film";
  if (mime.startsWith("audio/")) return "sound";
  if (/pdf/i.test(type)) return "pdf";
  if (/zip|tar|rar|7z|gz|compressed/i.test(type)) return "archive";
  if (/sheet|excel|csv|xls|numbers/i.test(type)) return "table";
  if (/presentation|powerpoint|ppt|key$/i.test(type)) return "slides";
  if (/^text\/|word|document|rtf|\bmd\b/i.test(type)) return "text";
  return "other";
}

/** The preview that a box of this many CSS pixels on its longer side needs; undefined = the file itself. */
export function previewFor(longer: number, ratio: number): "s" | "m" | "l" | undefined {
  // A picture that is a little too small is not told from one that fits.
  const pixels = longer * ratio * 0.85;
  if (pixels <= 160) return "s";
  if (pixels <= 480) return "m";
  if (pixels <= 1280) return "l";
  return undefined;
}
