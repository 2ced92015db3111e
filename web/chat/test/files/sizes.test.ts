import { expect, test } from "vitest";
import { fileSize, percent, playTime, sizeOf, timeLeft } from "../../src/files/sizes.ts";
import { strings } from "../../src/files/strings.ts";

test("sizes are said in the unit that fits", () => {
  expect([0, 999, 1000, 9940, 12_345, 20_000_000, 5_000_000_000].map(fileSize)).toEqual(["0 B", "999 B", "1.0 KB", "9.9 KB", "12 KB", "20 MB", "5.0 GB"]);
});

test("a part of a size has the unit once, in both languages", () => {
  expect(sizeOf(12_000_000, 48_000_000, strings.en.of)).toBe("12 of 48 MB");
  expect(sizeOf(900_000, 48_000_000, strings.en.of)).toBe("900 KB of 48 MB");
  expect(sizeOf(12_000_000, 48_000_000, strings.zh.of)).toBe("12，共 48 MB");
});

test("speed and time left, in both languages", () => {
  expect(strings.en.speed(fileSize(3_200_000))).toBe("3.2 MB/s");
  expect(strings.zh.speed(fileSize(3_200_000))).toBe("3.2 MB/秒");
  const said = (seconds: number) => [timeLeft(seconds, strings.en), timeLeft(seconds, strings.zh)];
  expect(said(0)).toEqual(["1 s left", "还剩 1 秒"]);
  expect(said(7.2)).toEqual(["8 s left", "还剩 8 秒"]);
  expect(said(41)).toEqual(["45 s left", "还剩 45 秒"]);
  expect(said(61)).toEqual(["2 min left", "还剩 2 分钟"]);
  expect(said(7300)).toEqual(["2 h left", "还剩 2 小时"]);
});

test("times of what is played", () => {
  expect([0, 7000, 65_900, 3_729_000].map(playTime)).toEqual(["0:00", "0:07", "1:05", "1:02:09"]);
});

test("a hundred percent is said when all has gone, and not before", () => {
  expect([percent(0, 0), percent(0, 10), percent(9.99, 10), percent(10, 10), percent(11, 10)]).toEqual([0, 0, 99, 100, 100]);
});
