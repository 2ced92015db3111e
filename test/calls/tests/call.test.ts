// Calls as people make them: pages of Chromium that are signed in at the server, ring each other, and meet in the SFU's room.
import { AudioFrame, AudioSource, dispose, LocalAudioTrack, Room, RoomEvent, TrackPublishOptions, TrackSource } from "@livekit/rtc-node";
import { connect } from "@skein/client/calls/livekit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../src/chat.js";
import type { Person } from "../src/person.js";
import { withPeople } from "../src/setup.js";

const people = withPeople();
const small = { room: { videoCaptureDefaults: { resolution: { width: 320, height: 180, frameRate: 10 } } } };
let alice: Person, bob: Person, carol: Person, dave: Person;
let group: string;

beforeAll(async () => {
  [alice, bob, carol, dave] = await Promise.all([people.signIn("alice"), people.signIn("bob"), people.signIn("carol"), people.signIn("dave")]);
  group = await alice.run(`return (await w.client.conversation.createGroup({ title: "Four", members: ["bob", "carol", "dave", "robot"] })).id;`);
});
afterAll(() => dispose());

test("one rings another's two devices, one answers, the other stops, and both see and hear each other", async () => {
  const tablet = await people.signIn("bob", "tablet");
  const calling = alice.start({ user: "bob" });
  const id = await bob.rings();
  expect(await tablet.rings()).toBe(id);
  await Promise.all([calling, bob.accept(id)]);
  await tablet.until(`return w.over.includes(${JSON.stringify(`${id} answeredElsewhere`)});`);
  await Promise.all([alice.decodes("bob/phone"), bob.decodes("alice/phone"), alice.hears("bob/phone"), bob.hears("alice/phone")]);
  await expect(tablet.accept(id)).rejects.toThrow("another device");
  await bob.hangUp();
  await alice.isOut(id, "completed");
  await tablet.page.context().close();
});

test("four in a group's call see each other: the host mutes and removes, a screen is shared, and the server may stand still for 5 s", async () => {
  const { sfu } = people.chat;
  const all = [alice, bob, carol, dave];
  const calling = alice.start({ group }, { users: ["bob", "carol", "dave"] }, small);
  const id = await bob.rings();
  await Promise.all([calling, bob.accept(id, small), carol.accept(await carol.rings(), small), dave.accept(await dave.rings(), small)]);
  const others = (p: Person): Person[] => all.filter((q) => q !== p);
  await Promise.all(all.flatMap((p) => others(p).map((q) => p.decodes(q.identity, 5, 30_000))));

  // livekit-server-sdk sees the same call.
  const [room = { name: "" }] = await sfu.rooms.listRooms();
  const inside = async (): Promise<string[]> => (await sfu.rooms.listParticipants(room.name)).map((p) => p.identity).sort();
  expect(await inside()).toEqual(all.map((p) => p.identity));

  await alice.run(`await w.client.calls.mute(${JSON.stringify(id)}, "bob", { audio: true });`);
  await bob.until("return !room.localParticipant.isMicrophoneEnabled && room.localParticipant.isCameraEnabled;");
  await carol.until(`return w.events.some((e) => e[0] === "trackMuted" && e.includes("bob/phone"));`);

  // A canvas stands for the screen: a browser without a display has none to show.
  await carol.run(`
    const c = document.createElement("canvas"); c.width = 640; c.height = 360;
    const g = c.getContext("2d"); let n = 0;
    w.painting = setInterval(() => { g.fillStyle = "hsl(" + (n++ * 7 % 360) + ",80%,50%)"; g.fillRect(0, 0, 640, 360); }, 60);
    w.screenTrack = c.captureStream(15).getVideoTracks()[0];
    await room.localParticipant.publishTrack(w.screenTrack, { source: "screen_share", simulcast: false });`);
  const screens = async (p: Person): Promise<number> => (await p.heard()).filter((h) => h.kind === "video" && h.identity === "carol/phone" && h.framesDecoded > 5).length;
  await expect.poll(async () => Math.min(...(await Promise.all([alice, bob, dave].map(screens)))), { timeout: 20_000 }).toBe(2);
  await carol.run("await room.localParticipant.unpublishTrack(w.screenTrack, false);");
  await alice.until(`return w.events.some((e) => e[0] === "unsubscribed" && e[2] === "screen_share");`);
  // And again, on the section that it gave back.
  await carol.run(`await room.localParticipant.publishTrack(w.screenTrack, { source: "screen_share", simulcast: false });`);
  await alice.until(`return w.events.filter((e) => e[0] === "subscribed" && e[2] === "screen_share").length === 2;`);
  await expect.poll(() => screens(alice), { timeout: 20_000 }).toBe(2);
  await carol.run("clearInterval(w.painting); w.screenTrack.stop();");

  sfu.process.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 5000));
  sfu.process.kill("SIGCONT");
  await Promise.all(all.flatMap((p) => others(p).map((q) => p.decodes(q.identity, 5, 15_000))));

  await alice.run(`await w.client.calls.remove(${JSON.stringify(id)}, "bob");`);
  await bob.isOut(id, "removed");
  await alice.until("return room.remoteParticipants.size === 2;");
  await expect(bob.accept(id)).rejects.toThrow();

  await alice.run(`await w.client.calls.end(${JSON.stringify(id)});`);
  await Promise.all([alice, carol, dave].map((p) => p.isOut(id, "completed")));
  await until("the room to go", async () => (await sfu.rooms.listRooms()).length === 0);
});

test("a client without a browser is in the same call, hears and is heard; livekit-server-sdk lists, mutes and removes it", async () => {
  const robot = await people.chat.device("robot", "server");
  const { rooms } = people.chat.sfu;
  const id = await alice.start({ group }, { quiet: true }, small);
  let room: Room | undefined;
  class Noted extends Room {
    constructor() {
      super();
      room = this;
    }
  }
  let heard = false, said = "";
  const joined = await robot.calls.accept(id);
  const connected = await connect({ Room: Noted }, robot.calls, joined);
  if (room === undefined) throw new Error("there is no room");
  room.on(RoomEvent.TrackSubscribed, (t) => (heard ||= t.kind === 1)).on(RoomEvent.DataReceived, (b) => (said = new TextDecoder().decode(b)));
  const source = new AudioSource(48_000, 1);
  const options = new TrackPublishOptions();
  options.source = TrackSource.SOURCE_MICROPHONE;
  await room.localParticipant!.publishTrack(LocalAudioTrack.createAudioTrack("voice", source), options);
  let on = true, phase = 0;
  const speaking = (async () => {
    while (on) {
      const samples = new Int16Array(480);
      for (let i = 0; i < 480; i++) samples[i] = Math.sin((phase += 0.05 + 0.03 * Math.sin(phase / 900))) * 16_000;
      await source.captureFrame(new AudioFrame(samples, 48_000, 1, 480));
    }
  })();
  await alice.hears("robot/server");
  await until("her voice", () => heard || [...room!.remoteParticipants.values()].some((p) => [...p.trackPublications.values()].some((t) => t.kind === 1 && t.track !== undefined)));
  await alice.run(`await room.localParticipant.publishData(new TextEncoder().encode("to the robot"), { reliable: true });`);
  await until("her word", () => said === "to the robot");
  await room.localParticipant!.publishData(new TextEncoder().encode("to the page"), { reliable: true, topic: "x" });
  await alice.until(`return w.events.some((e) => e[0] === "data" && e[1] === "robot/server" && e[3] === "to the page");`);

  const name = (await rooms.listRooms())[0]?.name ?? "";
  const listed = await rooms.listParticipants(name);
  expect(listed.map((p) => p.identity).sort()).toEqual(["alice/phone", "robot/server"]);
  await rooms.mutePublishedTrack(name, "robot/server", listed.find((p) => p.identity === "robot/server")?.tracks[0]?.sid ?? "", true);
  await alice.until(`return w.events.some((e) => e[0] === "trackMuted" && e.includes("robot/server"));`);
  on = false;
  await speaking;
  await rooms.removeParticipant(name, "robot/server");
  await until("the robot to be out", () => !connected.room.isConnected);
  await alice.until("return room.remoteParticipants.size === 0;");
  await until("the call to know", async () => (await robot.calls.get(id)).parties.some((p) => p.user === "robot" && p.state === "left"));
  await alice.run(`await w.client.calls.end(${JSON.stringify(id)});`);
  await alice.isOut(id, "completed");
});

test("with end-to-end encryption those who have the key see, and the others do not", async () => {
  const o = { ...small, publish: "none" as const };
  const id = await alice.start({ group }, { quiet: true }, { ...small, publish: "video", e2ee: "the key" });
  await Promise.all([bob.accept(id, { ...o, e2ee: "the key" }), carol.accept(id, { ...o, e2ee: "another key" })]);
  await bob.decodes("alice/phone", 10);
  await carol.until(`for (const p of room.remoteParticipants.values()) for (const pub of p.trackPublications.values()) if (pub.track)
    for (const s of (await pub.track.getRTCStatsReport()).values()) if (s.type === "inbound-rtp" && s.packetsReceived > 20) return true; return false;`);
  expect((await carol.heard()).map((h) => h.framesDecoded)).toEqual([0]);
  await alice.run(`await w.client.calls.end(${JSON.stringify(id)});`);
  await Promise.all([alice, bob, carol].map((p) => p.isOut(id, "completed")));
});
