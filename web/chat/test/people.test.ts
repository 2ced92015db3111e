import { expect, test } from "vitest";
import { emojiGroups, emojiOf, quickReactions } from "../src/emoji/data.ts";
import { withRecent } from "../src/emoji/recent.ts";
import { memberActions } from "../src/group/MemberRow.tsx";
import { splitUsers } from "../src/group/PeopleField.tsx";

const member = (user: string, role: "member" | "admin" | "owner", mutedUntil = 0) => ({ user, role, mutedUntil });
const ranks = { member: 0, admin: 100, owner: 1000 };
const viewer = (user: string, role: "member" | "admin" | "owner", ...grants: string[]) => ({
  user,
  role,
  rank: ranks[role],
  may: (grant: string) => role !== "member" || grants.includes(grant),
});

test("one may do to a member what one's grants allow, on who ranks below", () => {
  const all = ["nickname", "roles", "mute", "remove"];
  expect(memberActions(member("bob", "member"), 0, viewer("bob", "owner"))).toEqual(["nickname"]);
  expect(memberActions(member("bob", "member"), 0, viewer("ann", "owner"))).toEqual(["write", "admin", "owner", ...all]);
  expect(memberActions(member("bob", "admin"), 100, viewer("ann", "owner"))).toEqual(["write", "member", "owner", ...all]);
  expect(memberActions(member("bob", "member"), 0, viewer("ann", "admin"))).toEqual(["write", ...all]);
  expect(memberActions(member("bob", "member", Date.now() + 60_000), 0, viewer("ann", "admin"))).toContain("unmute");
  expect(memberActions(member("bob", "admin"), 100, viewer("ann", "admin"))).toEqual(["write"]);
  expect(memberActions(member("bob", "owner"), 1000, viewer("ann", "admin"))).toEqual(["write"]);
  expect(memberActions(member("bob", "member"), 0, viewer("ann", "member"))).toEqual(["write"]);
  expect(memberActions(member("bob", "member"), 0, { ...viewer("ann", "member", "mute"), rank: 10 })).toEqual(["write", "mute"]);
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
