import { expect, test } from "vitest";
import { conversationName, eventText, joinNames, listPreview, previewText, recalledText, typingText } from "../src/format/describe.ts";
import { en } from "../src/i18n/en.ts";
import { zh } from "../src/i18n/zh.ts";
import { excerpt } from "../src/inbox/excerpt.ts";
import { message } from "./message.ts";

const change = { added: [], removed: [], left: [], roleChanged: [], role: undefined };

test("a conversation is called by its kind", () => {
  expect(conversationName({ id: "@3:ann:bob", kind: "direct", title: "", peer: "bob" }, en)).toBe("bob");
  expect(conversationName({ id: "g1", kind: "group", title: " ", peer: undefined }, en)).toBe("g1");
  expect(conversationName({ id: "g1", kind: "group", title: "Team", peer: undefined }, en)).toBe("Team");
  expect(conversationName({ id: "~ann", kind: "self", title: "", peer: undefined }, zh)).toBe("备忘录");
});

test("names are joined as in speech", () => {
  expect(joinNames(["bob"], "ann", en)).toBe("bob");
  expect(joinNames(["ann", "bob"], "ann", en)).toBe("you and bob");
  expect(joinNames(["a", "b", "c"], "x", en)).toBe("a, b and c");
  expect(joinNames(["a", "b", "c", "d"], "x", en)).toBe("a, b and 2 others");
  expect(joinNames([], "x", en)).toBe("");
});

test("each change of a group is a sentence", () => {
  const event = (members: Partial<NonNullable<ReturnType<typeof message>["members"]>>, mine = false) =>
    eventText(message(1, { kind: "members", members: { ...change, ...members }, mine }), "ann", en);
  expect(event({ added: ["ann"] })).toBe("bob added you");
  expect(event({ added: ["bob", "carol"] })).toBe("bob added carol");
  expect(event({ added: ["bob"] })).toBe("bob made the group");
  expect(event({ removed: ["carol"] }, true)).toBe("You removed carol");
  expect(event({ left: ["bob"] })).toBe("bob left");
  expect(event({ left: ["ann"] })).toBe("You left");
  expect(event({ removed: ["ann"] })).toBe("bob removed you");
  expect(event({ roleChanged: ["ann"], role: "admin" })).toBe("bob made you admin");
  expect(eventText(message(1, { kind: "conversation", title: "新名字" }), "ann", zh)).toBe("bob 将群名改为“新名字”");
});

test("the list shows whose message it is where that is not plain", () => {
  expect(listPreview(message(1), "direct", "ann", en)).toBe("text 1");
  expect(listPreview(message(1), "group", "ann", en)).toBe("bob: text 1");
  expect(listPreview(message(1, { mine: true }), "group", "bob", en)).toBe("You: text 1");
  expect(listPreview(message(1, { mine: true }), "self", "bob", en)).toBe("text 1");
  expect(listPreview(undefined, "direct", "ann", en)).toBe("No messages");
});

test("a recalled message tells nothing of its text, and in a group names nobody as the one who did it", () => {
  const gone = message(1, { recalled: true, text: undefined, kind: "unreadable" });
  expect(previewText(gone, en)).toBe("Message recalled");
  expect(recalledText(gone, "direct", en)).toBe("bob recalled a message");
  expect(recalledText(gone, "group", en)).toBe("A message of bob was recalled");
  expect(recalledText({ ...gone, mine: true }, "direct", zh)).toBe("你撤回了一条消息");
});

test("a message of several lines is one line in a list", () => {
  expect(previewText(message(1, { text: " a\n\n b\tc " }), en)).toBe("a b c");
  expect(previewText(message(1, { kind: "custom", text: undefined, custom: { type: "shop.order", data: new Uint8Array(), summary: "" } }), en)).toBe("shop.order");
});

test("who is writing is named in a group only", () => {
  expect(typingText([], "group", en)).toBeUndefined();
  expect(typingText(["bob"], "direct", en)).toBe("typing");
  expect(typingText(["bob"], "group", en)).toBe("bob is typing");
  expect(typingText(["a", "b"], "group", zh)).toBe("a 和 b 正在输入");
  expect(typingText(["a", "b", "c"], "group", en)).toBe("3 people are typing");
});

test("an excerpt begins shortly before the word, never within a character", () => {
  const text = `${"😀".repeat(30)} yarn`;
  const cut = excerpt(text, "yarn");
  expect(cut.startsWith("…😀")).toBe(true);
  expect(cut.endsWith("yarn")).toBe(true);
  expect(excerpt("yarn is here", "yarn")).toBe("yarn is here");
  expect(excerpt("nothing", "yarn")).toBe("nothing");
});
