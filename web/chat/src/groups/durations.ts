// Times in words: how long a mute lasts, how long slow mode makes one wait.
import type { strings } from "./strings.ts";

type Words = (typeof strings)["en"];

/** Seconds in the largest unit that leaves no rest. */
export function duration(seconds: number, t: Pick<Words, "seconds" | "minutes" | "hours" | "days">): string {
  if (seconds % 86_400 === 0) return t.days(seconds / 86_400);
  if (seconds % 3600 === 0) return t.hours(seconds / 3600);
  if (seconds % 60 === 0) return t.minutes(seconds / 60);
  return t.seconds(seconds);
}

/** What is left of a wait: seconds up to a minute and a half, then minutes, then hours. */
export function left(ms: number, t: Pick<Words, "seconds" | "minutes" | "hours" | "days">): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 90) return t.seconds(seconds);
  if (seconds < 5400) return t.minutes(Math.ceil(seconds / 60));
  return t.hours(Math.ceil(seconds / 3600));
}

/** How long somebody can be muted, in seconds. */
export const muteTimes = [600, 3600, 86_400, 604_800] as const;

/** What slow mode can be set to, in seconds. */
export const slowTimes = [0, 5, 10, 30, 60, 300, 900, 3600] as const;
