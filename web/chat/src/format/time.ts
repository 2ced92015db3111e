// How moments are written: short in lists, plain in the thread, exact in
// tooltips. All of them take the moment that counts as now, so that a test
// owns it.
import type { Words } from "../i18n/en.ts";

const DAY = 86_400_000;

const formatters = new Map<string, Intl.DateTimeFormat>();

/** One formatter a language and a shape: making one costs more than using it a hundred times. */
function formatter(tag: string, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${tag} ${name}`;
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(tag, options);
    formatters.set(key, found);
  }
  return found;
}

/** The local midnight that begins the day of a moment, in milliseconds since 1970 UTC. */
export function dayStart(time: number): number {
  const d = new Date(time);
  return new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
}

/** Whether two moments lie on the same local day. */
export function sameDay(a: number, b: number): boolean {
  return dayStart(a) === dayStart(b);
}

/** Whole local days from `time` to `now`: 0 today, 1 yesterday. A day of 23 or 25 hours counts as one. */
function daysBetween(time: number, now: number): number {
  return Math.round((dayStart(now) - dayStart(time)) / DAY);
}

/** "14:05", or "2:05 PM" where that is the custom. */
export function clock(time: number, tag: string): string {
  return formatter(tag, "clock", { timeStyle: "short" }).format(time);
}

/** The moment in a list: the time today, then the weekday, then the date. */
export function listTime(time: number, now: number, tag: string): string {
  const days = daysBetween(time, now);
  if (days <= 0) return clock(time, tag);
  if (days < 7) return formatter(tag, "weekday", { weekday: "short" }).format(time);
  if (new Date(time).getFullYear() === new Date(now).getFullYear()) {
    return formatter(tag, "daymonth", { day: "numeric", month: "short" }).format(time);
  }
  return formatter(tag, "date", { year: "numeric", month: "2-digit", day: "2-digit" }).format(time);
}

/** The line between two days of a thread. */
export function dayLabel(time: number, now: number, tag: string, t: Words): string {
  const days = daysBetween(time, now);
  if (days === 0) return t.today;
  if (days === 1) return t.yesterday;
  if (new Date(time).getFullYear() === new Date(now).getFullYear()) {
    return formatter(tag, "longday", { weekday: "long", day: "numeric", month: "long" }).format(time);
  }
  return formatter(tag, "longdate", { day: "numeric", month: "long", year: "numeric" }).format(time);
}

/** Day and time, as exact as a person may want it. */
export function exact(time: number, tag: string): string {
  return formatter(tag, "exact", { dateStyle: "medium", timeStyle: "medium" }).format(time);
}

/** How long ago: minutes for an hour, then the day and the time. */
export function ago(time: number, now: number, tag: string, t: Words): string {
  const minutes = Math.floor((now - time) / 60_000);
  if (minutes < 1) return t.justNow;
  if (minutes < 60) return t.minutesAgo(minutes);
  const days = daysBetween(time, now);
  const label = days < 2 ? dayLabel(time, now, tag, t) : listTime(time, now, tag);
  return t.at(days < 2 ? label.toLocaleLowerCase(tag) : label, clock(time, tag));
}
