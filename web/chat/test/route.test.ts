import { expect, test } from "vitest";
import { formatRoute, parseRoute } from "../src/app/route.ts";

test("an address leads back to its conversation, whatever signs its id has", () => {
  for (const id of ["@5:alice:bob", "g1", "~王小明", "@3:a/b:c#d%20"]) {
    expect(parseRoute(formatRoute({ at: "chat", id }))).toEqual({ at: "chat", id });
  }
});

test("an address leads back to its thread", () => {
  for (const id of ["@5:alice:bob", "g1", "@3:a/thread/7:c"]) {
    expect(parseRoute(formatRoute({ at: "chat", id, thread: 17 }))).toEqual({ at: "chat", id, thread: 17 });
  }
  expect(parseRoute("#/c/g1/thread/0")).toEqual({ at: "chat", id: "g1/thread/0" });
});

test("an address leads back to its livestream", () => {
  for (const id of ["g1", "@3:a/b:c#d%20"]) expect(parseRoute(formatRoute({ at: "live", id }))).toEqual({ at: "live", id });
});

test("any other address is the list", () => {
  for (const hash of ["", "#", "#/", "#/c/", "#/x/1", "#/c/%E0%A4%A", "#/live/", "#/live/%E0%A4%A"]) expect(parseRoute(hash)).toEqual({ at: "list" });
});
