import { expect, test } from "vitest";
import { Drafts, type DraftStorage } from "../src/composer/drafts.ts";

class Memory implements DraftStorage {
  readonly kept = new Map<string, string>();
  getItem(key: string) {
    return this.kept.get(key) ?? null;
  }
  setItem(key: string, value: string) {
    this.kept.set(key, value);
  }
  removeItem(key: string) {
    this.kept.delete(key);
  }
}

test("a draft survives a reload, for its user and its conversation only", () => {
  const storage = new Memory();
  new Drafts(storage, "demo", "alice").set("c1", { text: "half a", replyTo: 7 });
  expect(new Drafts(storage, "demo", "alice").get("c1")).toEqual({ text: "half a", replyTo: 7 });
  expect(new Drafts(storage, "demo", "alice").get("c2")).toBeUndefined();
  expect(new Drafts(storage, "demo", "bob").get("c1")).toBeUndefined();
  expect(new Drafts(storage, "other", "alice").get("c1")).toBeUndefined();
});

test("an empty text without a reply is no draft, and leaves nothing behind", () => {
  const storage = new Memory();
  const drafts = new Drafts(storage, "demo", "alice");
  drafts.set("c1", { text: "x" });
  drafts.set("c1", { text: " \n " });
  expect(drafts.get("c1")).toBeUndefined();
  expect(storage.kept.size).toBe(0);
});

test("listeners hear of changes, and of nothing else", () => {
  const drafts = new Drafts(new Memory(), "demo", "alice");
  let heard = 0;
  const off = drafts.subscribe(() => heard++);
  drafts.set("c1", { text: "x" });
  drafts.set("c1", { text: "x" });
  off();
  drafts.set("c1", undefined);
  expect(heard).toBe(1);
});

test("a storage that refuses costs the reload, not the draft", () => {
  const refusing: DraftStorage = {
    getItem: () => "not JSON {",
    setItem: () => {
      throw new Error("full");
    },
    removeItem: () => undefined,
  };
  const drafts = new Drafts(refusing, "demo", "alice");
  expect(drafts.get("c1")).toBeUndefined();
  drafts.set("c1", { text: "x" });
  expect(drafts.get("c1")?.text).toBe("x");
});
