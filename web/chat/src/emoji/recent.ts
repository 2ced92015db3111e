// The emoji that were picked last, in this browser.
import { browserStorage } from "../live/context.tsx";

const storageKey = "skein.web.emoji";
const most = 16;

/** Puts an emoji in front of a list, once, and keeps the list short. */
export function withRecent(list: readonly string[], emoji: string): string[] {
  return [emoji, ...list.filter((other) => other !== emoji)].slice(0, most);
}

/** The last ones, newest first. */
export function recentEmoji(): string[] {
  const kept = browserStorage()?.getItem(storageKey) ?? "";
  return kept === "" ? [] : kept.split(" ").slice(0, most);
}

/** Notes that one was picked. */
export function noteEmoji(emoji: string): void {
  try {
    browserStorage()?.setItem(storageKey, withRecent(recentEmoji(), emoji).join(" "));
  } catch {
    // Full: the list stays as it was.
  }
}
