import { expect, test } from "vitest";
import { indexOfSeq, surroundings } from "../src/thread/grouping.ts";
import { message, messages } from "./message.ts";

test("messages of one sender close in time stand together", () => {
  const list = [message(1), message(2), message(3, { sender: "ann" }), message(4)];
  expect(list.map((_, i) => surroundings(list, i, 0)).map(({ first, last }) => [first, last])).toEqual([
    [true, false], [false, true], [true, true], [true, true],
  ]);
});

test("five minutes part a group", () => {
  const list = [message(1, { time: 0 }), message(2, { time: 5 * 60_000 - 1 }), message(3, { time: 10 * 60_000 - 1 })];
  expect(surroundings(list, 0, 0).last).toBe(false);
  expect(surroundings(list, 1, 0).last).toBe(true);
  expect(surroundings(list, 2, 0).first).toBe(true);
});

test("a line of the group, a recalled message and a new day part a group", () => {
  const noon = new Date(2026, 2, 18, 12).getTime();
  const midnight = new Date(2026, 2, 19).getTime();
  const event = [message(1), message(2, { kind: "members" }), message(3)];
  expect(surroundings(event, 0, 0).last).toBe(true);
  const recalled = [message(1), message(2, { recalled: true })];
  expect(surroundings(recalled, 0, 0).last).toBe(true);
  const days = [message(1, { time: noon }), message(2, { time: midnight - 1000 }), message(3, { time: midnight })];
  expect(days.map((_, i) => surroundings(days, i, 0).day)).toEqual([true, false, true]);
  expect(surroundings(days, 1, 0).last).toBe(true);
});

test("the unread line stands above the first unread message, also when its seq is no message", () => {
  const list = [message(1), message(2), message(5), message(6)];
  expect(list.map((_, i) => surroundings(list, i, 4).unread)).toEqual([false, false, true, false]);
  expect(surroundings(list, 1, 4).last).toBe(true);
  expect(surroundings(list, 2, 4).first).toBe(true);
  expect(list.some((_, i) => surroundings(list, i, 0).unread)).toBe(false);
});

test("when all that is loaded is unread the line stands above the first", () => {
  const list = messages(60, 63);
  expect(list.map((_, i) => surroundings(list, i, 10).unread)).toEqual([true, false, false, false]);
});

test("a message is found by its seq among gaps and unsent ones", () => {
  const list = [message(2), message(5), message(9), message(10, { seq: undefined, key: "new" })];
  expect([2, 5, 9].map((seq) => indexOfSeq(list, seq))).toEqual([0, 1, 2]);
  expect([1, 3, 10, 99].map((seq) => indexOfSeq(list, seq))).toEqual([-1, -1, -1, -1]);
});
