import { expect, test } from "vitest";
import { emojiGroups, emojiOf, quickReactions } from "../src/emoji/data.ts";
import { withRecent } from "../src/emoji/recent.ts";
import { memberActions } from "../src/group/MemberRow.tsx";
import { splitUsers } from "../src/group/PeopleField.tsx";

const member = (user: string, role: "member" | "admin" | "owner") => ({ user, role, read: { seq: 0, ord: 0 } });

test("one may do to a member what one's role allows", () => {
  expect(memberActions(member("bob", "member"), "bob", "owner")).toEqual([]);
  expect(memberActions(member("bob", "member"), "ann", "owner")).toEqual(["write", "admin", "owner", "remove"]);
  expect(memberActions(member("bob", "admin"), "ann", "owner")).toEqual(["write", "member", "owner", "remove"]);
  expect(memberActions(member("bob", "member"), "ann", "admin")).toEqual(["write", "remove"]);
  expect(memberActions(member("bob", "admin"), "ann", "admin")).toEqual(["write"]);
  expect(memberActions(member("bob", "owner"), "ann", "admin")).toEqual(["write"]);
  expect(memberActions(member("bob", "member"), "ann", "member")).toEqual(["write"]);
});

test("several ids are taken from one line, too long ones are not", () => {
  expect(splitUsers(" bob, carol；王小明  ")).toEqual(["bob", "carol", "王小明"]);
  expect(splitUsers(`ok ${"王".repeat(22)}`)).toEqual(["ok"]);
});

test("no emoji is offered twice, and each fits into a reaction", () => {
  const all = emojiGroups.flatMap((group) => emojiOf(group));
  expect(new Set(all).size).toBe(all.length);
  for (const emoji of [...all, ...quickReactions]) {
    expect(new TextEncoder().encode(emoji).length, emoji).toBeLessThanOrEqual(32);
    expect([...new Intl.Segmenter().segment(emoji)], emoji).toHaveLength(1);
  }
});

test("the emoji used last comes first, once", () => {
  expect(withRecent(["b", "a"], "a")).toEqual(["a", "b"]);
  expect(withRecent(Array.from({ length: 30 }, (_, i) => `${i}`), "x")).toHaveLength(16);
});
