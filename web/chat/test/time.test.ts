import { expect, test } from "vitest";
import { ago, clock, dayLabel, listTime, sameDay } from "../src/format/time.ts";
import { en } from "../src/i18n/en.ts";
import { zh } from "../src/i18n/zh.ts";

const at = (text: string) => new Date(text).getTime();
const now = at("2026-03-18T15:30:00");

test("a list shows the time today, the weekday this week, then the date", () => {
  expect(listTime(at("2026-03-18T09:05:00"), now, "en-GB")).toBe("09:05");
  expect(listTime(at("2026-03-17T23:59:00"), now, "en-GB")).toBe("Tue");
  expect(listTime(at("2026-03-12T10:00:00"), now, "en-GB")).toBe("Thu");
  expect(listTime(at("2026-03-11T10:00:00"), now, "en-GB")).toBe("11 Mar");
  expect(listTime(at("2025-12-31T10:00:00"), now, "en-GB")).toBe("31/12/2025");
  expect(listTime(at("2026-03-12T10:00:00"), now, "zh-CN")).toBe("周四");
});

test("a message from a clock that is ahead shows its time, not a negative day", () => {
  expect(listTime(at("2026-03-19T00:10:00"), now, "en-GB")).toBe("00:10");
});

test("the day's line says today and yesterday, and leaves out this year", () => {
  expect(dayLabel(at("2026-03-18T00:00:00"), now, "en", en)).toBe("Today");
  expect(dayLabel(at("2026-03-17T23:59:59"), now, "en", en)).toBe("Yesterday");
  expect(dayLabel(at("2026-03-02T10:00:00"), now, "en-GB", en)).toBe("Monday 2 March");
  expect(dayLabel(at("2024-03-02T10:00:00"), now, "en-GB", en)).toBe("2 March 2024");
  expect(dayLabel(at("2026-03-17T10:00:00"), now, "zh-CN", zh)).toBe("昨天");
});

test("the local midnight parts two days", () => {
  expect(sameDay(at("2026-03-18T00:00:00"), at("2026-03-18T23:59:59"))).toBe(true);
  expect(sameDay(at("2026-03-17T23:59:59"), at("2026-03-18T00:00:00"))).toBe(false);
});

test("how long ago is told in minutes, then as a moment", () => {
  expect(ago(now - 20_000, now, "en-GB", en)).toBe("just now");
  expect(ago(now - 60_000, now, "en-GB", en)).toBe("a minute ago");
  expect(ago(now - 59 * 60_000, now, "en-GB", en)).toBe("59 minutes ago");
  expect(ago(at("2026-03-18T08:00:00"), now, "en-GB", en)).toBe("today at 08:00");
  expect(ago(at("2026-03-17T08:00:00"), now, "zh-CN", zh)).toBe("昨天 08:00");
});

test("the clock follows the country", () => {
  expect(clock(at("2026-03-18T15:05:00"), "en-GB")).toBe("15:05");
  expect(clock(at("2026-03-18T15:05:00"), "en-US").replace(/\s/u, " ")).toBe("3:05 PM");
});
