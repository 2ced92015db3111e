import { describe, expect, test } from "vitest";
import { normal } from "../../src/calls/media/words.ts";
import { troubleOf, type CallSession } from "../../src/calls/session.ts";
import { absentOf, largest, tilesOf, type Party } from "../../src/calls/stage/parties.ts";

const party = (user: string, more: Partial<Party> = {}): Party => ({
  identity: `${user}/phone`,
  user,
  local: false,
  microphone: true,
  speaking: false,
  quality: "good",
  viewer: false,
  camera: undefined,
  screen: undefined,
  paused: false,
  unreadable: false,
  open: false,
  secret: false,
  ...more,
});
const screen = {} as NonNullable<Party["screen"]>;
const [ann, bob, me] = [party("ann"), party("bob"), party("me", { local: true })];

describe("what is large", () => {
  const tiles = tilesOf([ann, bob, me]);
  test("is who speaks or spoke last, and else somebody other than oneself", () => {
    expect(largest(tiles, undefined, "bob/phone")?.key).toBe("bob/phone");
    expect(largest(tiles, undefined, undefined)?.key).toBe("ann/phone");
    expect(largest(tilesOf([me]), undefined, undefined)?.key).toBe("me/phone");
  });
  test("is a screen of somebody else, never one's own by itself, and before all what is pinned", () => {
    const shown = tilesOf([ann, { ...bob, screen }, { ...me, screen }]);
    expect(shown.map(({ key }) => key)).toEqual(["bob/phone screen", "me/phone screen", "ann/phone", "bob/phone", "me/phone"]);
    expect(largest(shown, undefined, "ann/phone")?.key).toBe("bob/phone screen");
    expect(largest(shown, "me/phone", "ann/phone")?.key).toBe("me/phone");
    expect(largest(tilesOf([ann, { ...me, screen }]), undefined, undefined)?.key).toBe("ann/phone");
  });
});

test("of a lesson one sees who speaks in it, and oneself", () => {
  const pupils = Array.from({ length: 40 }, (_, i) => party(`pupil${i}`, { viewer: true }));
  expect(tilesOf([ann, ...pupils, { ...me, viewer: true }]).map(({ party: { user } }) => user)).toEqual(["ann", "me"]);
  expect(tilesOf([ann, ...pupils.slice(0, 3), me])).toHaveLength(5);
});

test("one waits for who is in the call and not to be seen, not for who rings or has left", () => {
  const states = { me: "joined", ann: "joined", bob: "joined", eve: "ringing", dan: "left" } as const;
  const session = { userId: "me", call: { parties: Object.entries(states).map(([user, state]) => ({ user, state })) } } as unknown as CallSession;
  expect(absentOf(session, [ann, me])).toEqual(["bob"]);
});

test("words are the same however they are spaced and typed", () => {
  expect(normal("  blue　wool\n on  Friday ")).toBe("blue wool on Friday");
  expect(normal("ｂｌｕｅ")).toBe("blue");
  expect(normal("Blue")).not.toBe("blue");
});

test("what a browser says of a device is one of four things", () => {
  const named = (name: string) => troubleOf(new DOMException("no", name));
  expect([named("NotAllowedError"), named("NotFoundError"), named("NotReadableError"), named("TypeError"), troubleOf("x")]).toEqual(["denied", "missing", "busy", "failed", "failed"]);
});
