import type { ClientEvents, FrameEvent } from "@skein/client";
import { expect, test } from "vitest";
import { filterFrames, FrameLog, keptFrames } from "../src/developer/frames.ts";
import { snippets } from "../src/developer/snippets.ts";

/** A client that emits what it is told to. */
function source() {
  let heard: (frame: FrameEvent) => void = () => undefined;
  const client = {
    on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void) {
      if (name === "frame") heard = listener as (frame: FrameEvent) => void;
      return () => undefined;
    },
  };
  const emit = (name: string, frame: unknown = {}) => heard({ direction: "in", time: 0, name, frame });
  return { client, emit };
}

test("many frames are told as one change, and only the newest are kept", () => {
  const { client, emit } = source();
  const due: (() => void)[] = [];
  const log = new FrameLog(client, (fn) => due.push(fn));
  let told = 0;
  log.subscribe(() => told++);
  for (let i = 0; i < keptFrames + 50; i++) emit(`f${i}`);
  expect(due).toHaveLength(1);
  due.forEach((fn) => fn());
  expect(told).toBe(1);
  expect(log.get()).toHaveLength(keptFrames);
  expect(log.get().at(-1)?.name).toBe(`f${keptFrames + 49}`);
  expect(log.get()).toBe(log.get());
});

test("a paused log lets frames pass, a cleared one begins anew", () => {
  const { client, emit } = source();
  const log = new FrameLog(client, (fn) => fn());
  emit("a");
  log.paused = true;
  emit("b");
  log.paused = false;
  emit("c");
  expect(log.get().map((f) => f.name)).toEqual(["a", "c"]);
  log.clear();
  expect(log.get()).toEqual([]);
});

test("the filter looks at the name, the way and the content, for every word", () => {
  const { client, emit } = source();
  const log = new FrameLog(client, (fn) => fn());
  emit("ack", { seq: 7 });
  emit("entry", { sender: "bob" });
  expect(filterFrames(log.get(), "BOB in").map((f) => f.name)).toEqual(["entry"]);
  expect(filterFrames(log.get(), "bob out")).toEqual([]);
  expect(filterFrames(log.get(), " ")).toHaveLength(2);
});

test("values are filled in as literals, so that none can end the program or the page", () => {
  const code = snippets({ endpoint: "http://127.0.0.1:8080", appId: "demo", user: "alice", token: 't"</script>', peer: '"; evil(); "' });
  for (const text of Object.values(code)) {
    expect(text).not.toContain('t"</script>');
    expect(text).not.toContain('With("; evil');
  }
  expect(code.page.match(/<\/script>/g)).toHaveLength(1);
  expect(code.node).toContain('im.conversation.with("\\"; evil(); \\"")');
  expect(code.go).toContain('AppID:    "demo"');
});
