// The pack that the app has itself: drawn from emoji, so that it needs no pictures.

/** The pack's name on the wire. */
export const packName = "skein";

/** Its stickers: id, emoji, the colour behind it. */
export const pack: readonly (readonly [id: string, emoji: string, hue: number])[] = [
  ["wave", "👋", 45],
  ["heart", "❤️", 350],
  ["party", "🎉", 280],
  ["thumbs-up", "👍", 200],
  ["laugh", "😂", 50],
  ["cry", "😢", 215],
  ["clap", "👏", 30],
  ["rocket", "🚀", 240],
  ["coffee", "☕", 25],
  ["sleep", "😴", 230],
  ["fire", "🔥", 15],
  ["cat", "🐱", 300],
];

/** A sticker of the pack; undefined for others. */
export function stickerOf(name: string, id: string): (typeof pack)[number] | undefined {
  return name === packName ? pack.find((one) => one[0] === id) : undefined;
}
