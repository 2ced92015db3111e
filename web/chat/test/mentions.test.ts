import { expect, test } from "vitest";
import { insertMention, mentionAt, mentionedIn, mentionMatches } from "../src/composer/mentions.ts";

test("the word after an @ at the caret is what is looked for", () => {
  expect(mentionAt("hi @bo", 6)).toEqual({ start: 3, query: "bo" });
  expect(mentionAt("@", 1)).toEqual({ start: 0, query: "" });
  expect(mentionAt("你好，@王", 5)).toEqual({ start: 3, query: "王" });
  expect(mentionAt("mail a@b", 8)).toBeUndefined();
  expect(mentionAt("hi @bo there", 12)).toBeUndefined();
});

test("ids that begin with the word come before ids that contain it", () => {
  expect(mentionMatches(["carol", "olaf", "bob"], "OL")).toEqual(["olaf", "carol"]);
});

test("a picked id replaces the word", () => {
  expect(insertMention("hi @bo, ok", 6, "bob")).toEqual({ text: "hi @bob , ok", caret: 8 });
});

test("members whose whole id stands after an @ are mentioned", () => {
  expect(mentionedIn("@anna and @bob.", ["ann", "anna", "bob", "carol"])).toEqual(["anna", "bob"]);
  expect(mentionedIn("@annabel @ann", ["ann"])).toEqual(["ann"]);
  expect(mentionedIn("no at sign", ["no"])).toEqual([]);
});
