// What an avatar shows of a name, and which of the eight hues an id has.

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The first user-visible character: an emoji of several code points is one. */
export function firstGrapheme(text: string): string {
  for (const { segment } of segmenter.segment(text)) return segment;
  return "";
}

const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/**
 * One or two letters for an avatar: the first letters of the first and the
 * last word ("Design team" is DT), one character where words are not spaced
 * ("设计团队" is 设), "?" for a name without letters or digits.
 */
export function initials(name: string): string {
  const parts = name.split(/[\s._\-/@:]+/u).filter((word) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(word));
  const first = parts[0];
  if (first === undefined) return "?";
  const head = firstGrapheme(first.replace(/^[^\p{L}\p{N}\p{Extended_Pictographic}]+/u, ""));
  if (parts.length === 1 || wide.test(head)) return head.toLocaleUpperCase();
  const last = firstGrapheme(parts[parts.length - 1] ?? "");
  return (head + last).toLocaleUpperCase();
}

/** How many hues the design has; see --hue-0 … --hue-7. */
export const hues = 8;

/** The hue of an id: the same on every device, since it depends on the id alone (FNV-1a). */
export function hue(id: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(id)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % hues;
}
