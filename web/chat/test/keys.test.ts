import { expect, test } from "vitest";
import { composerKey, type ComposerState, type Key } from "../src/composer/keys.ts";

const key = (name: string, more: Partial<Key> = {}): Key => ({
  key: name, keyCode: name === "Enter" ? 13 : 0, isComposing: false, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more,
});
const state = (more: Partial<ComposerState> = {}): ComposerState => ({
  empty: false, cancellable: false, mentioning: false, touch: false, justComposed: false, ...more,
});

test("Enter sends, Shift+Enter and Alt+Enter make a line", () => {
  expect(composerKey(key("Enter"), state())).toBe("send");
  expect(composerKey(key("Enter", { shiftKey: true }), state())).toBe("none");
  expect(composerKey(key("Enter", { altKey: true }), state())).toBe("none");
});

test("an input method's Enter never sends", () => {
  // Chrome and Firefox while composing.
  expect(composerKey(key("Enter", { isComposing: true }), state())).toBe("none");
  // Browsers that only give the key code of a key that was processed.
  expect(composerKey(key("Enter", { keyCode: 229 }), state())).toBe("none");
  expect(composerKey(key("Process", { keyCode: 229 }), state())).toBe("none");
  // Safari, which ends the composition before the key that ended it.
  expect(composerKey(key("Enter"), state({ justComposed: true }))).toBe("none");
});

test("while composing no key is ours, in the list of mentions either", () => {
  for (const name of ["Enter", "Escape", "ArrowUp", "ArrowDown", "Tab"]) {
    expect(composerKey(key(name, { isComposing: true }), state({ mentioning: true, empty: true, cancellable: true }))).toBe("none");
  }
});

test("with a keyboard on the screen Enter makes a line, and Ctrl+Enter sends", () => {
  expect(composerKey(key("Enter"), state({ touch: true }))).toBe("none");
  expect(composerKey(key("Enter", { ctrlKey: true }), state({ touch: true }))).toBe("send");
});

test("Arrow Up edits the last message only when nothing is typed", () => {
  expect(composerKey(key("ArrowUp"), state({ empty: true }))).toBe("editLast");
  expect(composerKey(key("ArrowUp"), state())).toBe("none");
  expect(composerKey(key("ArrowUp", { shiftKey: true }), state({ empty: true }))).toBe("none");
});

test("Escape cancels what can be cancelled, and is the app's otherwise", () => {
  expect(composerKey(key("Escape"), state({ cancellable: true }))).toBe("cancel");
  expect(composerKey(key("Escape"), state())).toBe("none");
});

test("the list of mentions takes the arrows, Enter, Tab and Escape", () => {
  const open = state({ mentioning: true, cancellable: true });
  expect(["ArrowDown", "ArrowUp", "Enter", "Tab", "Escape"].map((name) => composerKey(key(name), open))).toEqual([
    "mentionNext", "mentionPrevious", "mentionPick", "mentionPick", "mentionClose",
  ]);
});
