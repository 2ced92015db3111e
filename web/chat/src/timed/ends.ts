// How a message ends, and how long it still stays.
import type { Message } from "@skein/client";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNow } from "../live/now.ts";
import { strings } from "./strings.ts";

/** How what is written next ends; nothing set: it stays. */
export interface Ending {
  readonly ttlS?: number;
  readonly burnAfterS?: number;
}

const [minute, hour, day] = [60, 3600, 86_400];

/** The endings that one can choose, in the order of the menu; burning is for two. */
export const endings = [
  { key: "stays", ending: {}, burns: false },
  { key: "forMinute", ending: { ttlS: minute }, burns: false },
  { key: "forHour", ending: { ttlS: hour }, burns: false },
  { key: "forDay", ending: { ttlS: day }, burns: false },
  { key: "forWeek", ending: { ttlS: 7 * day }, burns: false },
  { key: "burnSoon", ending: { burnAfterS: 5 }, burns: true },
  { key: "burnMinute", ending: { burnAfterS: minute }, burns: true },
  { key: "burnHour", ending: { burnAfterS: hour }, burns: true },
] as const satisfies readonly { key: keyof (typeof strings)["en"]; ending: Ending; burns: boolean }[];

/** Milliseconds that a message is still shown: Infinity for most, 0 when its time is up. Draws again as it passes. */
export function useLeft(message: Message): number {
  const { timed } = useClient();
  const left = timed.left(message);
  // Only what has an end is looked at each second.
  useNow(left > 0 && left < day * 1000 ? "second" : "minute");
  return left;
}

/** A short time in words: the largest unit that it fills. */
export function useShort(): (ms: number) => string {
  const t = useStrings(strings);
  return (ms) => {
    const s = Math.max(1, Math.ceil(ms / 1000));
    if (s < 2 * minute) return t.seconds(s);
    if (s < 2 * hour) return t.minutes(Math.ceil(s / minute));
    return s < 2 * day ? t.hours(Math.ceil(s / hour)) : t.days(Math.ceil(s / day));
  };
}
