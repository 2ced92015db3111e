import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GrantSchema } from "../src/gen/skein/v1/group_settings_pb.js";
import { type Groups, grantNames, groups, readGroupChange } from "../src/modules/groups/index.js";
import { calls, contentFields } from "../src/modules/groups/wire.js";
import { kinds } from "../src/reduce/state.js";
import type { Client } from "../src/types/client.js";
import type { Conversation } from "../src/types/conversation.js";
import { World } from "./fake/world.js";

let world: World;

beforeEach(() => {
  world = new World();
});
afterEach(() => world.close());

type WithGroups = Client & { readonly groups: Groups };
const bit = (...names: (typeof grantNames)[number][]): number => names.reduce((sum, name) => sum + 2 ** (grantNames.indexOf(name) + 1), 0);

async function team(): Promise<[WithGroups, Conversation]> {
  const alice = await world.online("alice");
  const bob = (await world.online("bob", { modules: { groups: groups() } })) as WithGroups;
  const made = await alice.conversation.createGroup({ id: "team", title: "Team", members: ["bob"] });
  await made.send({ text: "welcome" });
  const there = bob.conversation.group("team");
  await world.until(() => there.myRole === "member", "bob is in");
  return [bob, there];
}

/** Says that something changed, as the server would. */
function says(change: Parameters<typeof contentFields.write>[0]["groupChange"], of: "members" | "conversation" = "conversation"): void {
  const empty = { added: [], removed: [], left: [], roleChanged: [], role: 0 };
  const content = of === "members" ? { members: empty } : { conversation: { title: "Team" } };
  world.server.append("team", "alice", {
    kind: of === "members" ? kinds.members : kinds.conversation,
    body: { scheme: 1, content: { ...content, replyToSeq: 0, mentions: [], rest: contentFields.write({ groupChange: change }) }, opaque: new Uint8Array(0) },
  });
}

const settings = (more: object = {}) => ({
  type: 1,
  memberGrants: { bits: bit("send", "react") },
  adminGrants: { bits: bit("mute") },
  joinMode: 3,
  history: 1,
  ...more,
});

test("the names of grants are the protocol's, in its order", () => {
  const camel = (word: string): string => word.toLowerCase().replace(/_(.)/g, (_, c: string) => c.toUpperCase());
  expect(GrantSchema.values.slice(1).map(({ name }) => camel(name.replace(/^GRANT_/, "")))).toEqual([...grantNames]);
});

describe("a group", () => {
  test("is what the newest entry says, at once", async () => {
    const [bob, there] = await team();
    const heard: string[] = [];
    bob.groups.onChange((id) => heard.push(id));
    says({ changed: ["description", "slow_mode_s"], settings: settings({ description: "ours", slowModeS: 30, roles: [{ id: "r1", name: "mod", rank: 20, grants: bit("mute") }] }) });
    await world.until(() => bob.groups.settings(there)?.slowMode === 30);
    expect(bob.groups.settings(there)).toMatchObject({ type: "private", description: "ours", joinMode: "invite", historyVisible: false, memberGrants: ["send", "react"] });
    expect(bob.groups.settings(there)).toBe(bob.groups.settings(there));
    expect(heard).toContain("team");
    expect(there.lastMessage && readGroupChange(there.lastMessage)?.changed).toEqual(["description", "slowMode"]);
    expect([bob.groups.may(there, "send"), bob.groups.may(there, "mute"), bob.groups.rank(there)]).toEqual([true, false, 0]);
    says({ changed: ["role_ids"], user: "bob", attrs: { roleIds: ["r1", "gone"] } }, "members");
    await world.until(() => bob.groups.may(there, "mute"));
    expect(bob.groups.rank(there)).toBe(20);
    expect(bob.groups.rank(there, { role: "admin", roles: [] })).toBe(100);
  });

  test("says why one may not write, and for how long", async () => {
    const [bob, there] = await team();
    expect(bob.groups.block(there)).toBeUndefined();
    const until = 4e15; // far ahead of the clock of the test
    says({ changed: ["muted_until_us"], settings: settings() });
    says({ changed: ["muted_until_us"], user: "bob", attrs: { mutedUntilUs: until } }, "members");
    await world.until(() => bob.groups.block(there));
    expect(bob.groups.block(there)).toEqual({ reason: "muted", until: until / 1000 });
    says({ changed: ["muted_until_us"], user: "bob", attrs: {} }, "members");
    await world.until(() => !bob.groups.block(there));
    says({ changed: ["slow_mode_s"], settings: settings({ slowModeS: 3600 }) });
    await there.send({ text: "once" });
    await world.until(() => bob.groups.block(there)?.reason === "slow_mode");
    says({ changed: ["member_grants"], settings: settings({ memberGrants: { bits: bit("react") } }) });
    await world.until(() => bob.groups.block(there)?.reason === "not_allowed");
    says({ changed: ["type"], settings: settings({ type: 4 }) });
    await world.until(() => bob.groups.block(there)?.reason === "livestream");
    says({ changed: ["dissolved"], settings: settings({ dissolved: true }), dissolved: true });
    await world.until(() => bob.groups.block(there)?.reason === "dissolved");
  });

  test("is changed by what is given and by nothing else", async () => {
    const [bob, there] = await team();
    const asked: unknown[] = [];
    world.server.modules.set("UpdateGroupSettings", (body) => {
      asked.push(calls.UpdateGroupSettings.input.read(body));
      return calls.UpdateGroupSettings.output.write({});
    });
    await bob.groups.update(there, { historyVisible: false, memberGrants: null, slowMode: 0 });
    expect(asked).toMatchObject([{ conversation: "team", fields: ["member_grants", "history", "slow_mode_s"], settings: { history: 1, slowModeS: 0 } }]);
    world.server.modules.set("MuteMember", (body) => {
      asked.push(calls.MuteMember.input.read(body));
      return calls.MuteMember.output.write({});
    });
    await bob.groups.mute(there, "carol", 0.2);
    expect(asked[1]).toMatchObject({ user: "carol", seconds: 1 });
  });
});
