import type { Draft } from "@skein/client/conversations";
import { expect, test } from "vitest";
import { Drafts } from "../src/composer/drafts.ts";
import { shareDrafts } from "../src/own/shareDrafts.ts";

/** Two browsers of one user: what one sets the other hears of. */
function pair() {
  const values = new Map<string, Draft>();
  const listeners = new Set<(conversation: string, draft: Draft | undefined) => void>();
  const writes: string[] = [];
  const own = {
    drafts: values as ReadonlyMap<string, Draft>,
    onDraft: (listener: (conversation: string, draft: Draft | undefined) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    setDraft: (conversation: unknown, draft: Draft | undefined) => {
      writes.push(`${String(conversation)}: ${draft?.text ?? ""}`);
      if (draft) values.set(String(conversation), draft);
      else values.delete(String(conversation));
      for (const listener of listeners) listener(String(conversation), draft);
      return Promise.resolve();
    },
  };
  return { own, writes };
}

test("what is typed in one browser is kept in the other, and is not told back", () => {
  const { own, writes } = pair();
  const [here, there] = [new Drafts(undefined, "demo", "alice"), new Drafts(undefined, "demo", "alice")];
  const offs = [shareDrafts(own, here), shareDrafts(own, there)];
  here.set("team", { text: "half", replyTo: 7 });
  expect(there.get("team")).toMatchObject({ text: "half", replyTo: 7 });
  there.set("team", undefined);
  expect(here.get("team")).toBeUndefined();
  expect(writes).toEqual(["team: half", "team: "]);
  for (const off of offs) off();
  here.set("team", { text: "alone" });
  expect(there.get("team")).toBeUndefined();
  expect(writes).toHaveLength(2);
});

test("a browser that opens takes the drafts that there are", () => {
  const { own } = pair();
  void own.setDraft("team", { text: "from the phone" });
  const drafts = new Drafts(undefined, "demo", "alice");
  shareDrafts(own, drafts);
  expect(drafts.get("team")?.text).toBe("from the phone");
});

test("where the drafts can not be shared they are kept here all the same", async () => {
  const { own } = pair();
  const drafts = new Drafts(undefined, "demo", "alice");
  shareDrafts({ ...own, setDraft: () => Promise.reject(new Error("not yours")) }, drafts);
  drafts.set("team", { text: "mine" });
  await Promise.resolve();
  expect(drafts.get("team")?.text).toBe("mine");
});
