// What becomes of calls: who is let in, taken out and sent away, with clients that have no browser.
import { Room } from "@livekit/rtc-node";
import type { Call, OwnCall } from "@skein/client/calls";
import { connect } from "@skein/client/calls/livekit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chat, type Device, startChat, until } from "../src/chat.js";

let chat: Chat;
let alice: Device, bob: Device, carol: Device;
beforeAll(async () => {
  chat = await startChat();
  [alice, bob, carol] = await Promise.all([chat.device("alice", "phone"), chat.device("bob", "phone"), chat.device("carol", "phone")]);
});
afterAll(() => chat.stop());

/** The next ring of a device. */
const rings = (device: Device): Promise<OwnCall> => new Promise((resolve) => void device.calls.on("incoming", resolve));

const isOver = async (device: Device, { id }: Call): Promise<boolean> => (await device.calls.get(id)).state === "ended";

/** Who is in the only room. */
async function inside(): Promise<string[]> {
  const [room] = await chat.sfu.rooms.listRooms();
  return room ? (await chat.sfu.rooms.listParticipants(room.name)).map((p) => p.identity).sort() : [];
}

test("who goes without a word has left: the media server says so", async () => {
  const started = await alice.calls.start(alice.conversation.with("bob"));
  const [hers, his] = [new Room(), new Room()];
  await hers.connect(started.access?.url ?? "", started.access?.token ?? "");
  const { access } = await bob.calls.accept(started.call.id);
  await his.connect(access?.url ?? "", access?.token ?? "");
  expect(await alice.calls.get(started.call.id)).toMatchObject({ state: "active" });
  await his.disconnect();
  await until("the call to end", () => isOver(alice, started.call));
  await hers.disconnect();
});

test("a lesson: pupils hear, the host lets one speak, takes one out and ends it", async () => {
  const group = await alice.conversation.createGroup({ title: "Class", members: ["bob", "carol"] });
  const ring = rings(carol);
  const teacher = await connect({ Room }, alice.calls, await alice.calls.start(group, { role: "viewer" }));
  const { id } = await ring;
  const pupil = await connect({ Room }, carol.calls, await carol.calls.accept(id));
  const other = await connect({ Room }, bob.calls, await bob.calls.accept(id));
  const may = async (): Promise<boolean | undefined> => {
    const [room] = await chat.sfu.rooms.listRooms();
    return (await chat.sfu.rooms.getParticipant(room?.name ?? "", "carol/phone")).permission?.canPublish;
  };
  expect(await may()).toBeFalsy();
  await alice.calls.setRole(id, "carol", "publisher");
  await until("her right to speak", async () => (await may()) === true);
  await alice.calls.remove(id, "bob");
  await until("bob to be out", () => !other.room.isConnected);
  await until("two to be left", async () => String(await inside()) === "alice/phone,carol/phone");
  await expect(bob.calls.accept(id)).rejects.toMatchObject({ code: "permission_denied" });
  await expect(carol.calls.end(id)).rejects.toMatchObject({ code: "permission_denied" });
  await alice.calls.end(id);
  await until("the end for all", () => !teacher.room.isConnected && !pupil.room.isConnected);
});

test("who is signed out or leaves the group is out of the room, whatever token they have", async () => {
  const group = await alice.conversation.createGroup({ title: "Team", members: ["bob", "carol"] });
  const { call, access } = await alice.calls.start(group, { quiet: true });
  const hers = new Room();
  await hers.connect(access?.url ?? "", access?.token ?? "");
  const his = await bob.calls.accept(call.id);
  const room = new Room();
  await room.connect(his.access?.url ?? "", his.access?.token ?? "");
  await until("both in the room", async () => (await inside()).length === 2);
  await alice.conversation.get(group.id).removeMember("bob");
  await until("bob to be out", async () => String(await inside()) === "alice/phone");
  const again = new Room();
  await again.connect(his.access?.url ?? "", his.access?.token ?? "").catch(() => undefined); // his token is still good for a minute
  await until("bob to be out again", async () => String(await inside()) === "alice/phone");
  await room.disconnect();
  await again.disconnect();
  await alice.calls.leave(call.id);
  await hers.disconnect();
});
