// What happens in a room: administration, and trouble.
import { expect, test } from "vitest";
import { startSFU } from "../src/sfu.js";
import { Party } from "../src/party.js";
import { withSFU } from "../src/setup.js";

const it = withSFU();

const small = { room: { videoCaptureDefaults: { resolution: { width: 320, height: 180, frameRate: 10 } } } };

test("the administrator of a room mutes, tells, forbids and removes", async () => {
  const { sfu } = it;
  const [ann, bob] = await Promise.all([it.join("ann", "administered", small), it.join("bob", "administered", small)]);
  await Promise.all([ann.decodes("bob", 5), bob.decodes("ann", 5)]);

  const list = await sfu.rooms.listParticipants("administered");
  expect(list.map((p) => p.identity).sort()).toEqual(["ann", "bob"]);
  const track = list.find((p) => p.identity === "bob")!.tracks.find((t) => t.source === 2)!;
  await sfu.rooms.mutePublishedTrack("administered", "bob", track.sid, true);
  await ann.until(`return w.events.some((e) => e[0] === "trackMuted" && e.includes("bob"));`);
  await bob.until("return !room.localParticipant.isMicrophoneEnabled;");

  await sfu.rooms.updateRoomMetadata("administered", "hello");
  await ann.until(`return room.metadata === "hello";`);
  await sfu.rooms.updateParticipant("administered", "bob", { metadata: "m", name: "Robert" });
  await ann.until(`return [...room.remoteParticipants.values()].some((p) => p.name === "Robert" && p.metadata === "m");`);
  await sfu.rooms.sendData("administered", new TextEncoder().encode("from the server"), 0, { destinationIdentities: ["ann"], topic: "s" });
  await ann.until(`return w.events.some((e) => e[0] === "data" && e[3] === "from the server");`);

  // No longer allowed to publish: the others lose the video at once.
  await sfu.rooms.updateParticipant("administered", "bob", { permission: { canSubscribe: true, canPublish: false, canPublishData: false } });
  await ann.until(`return ![...room.remoteParticipants.values()].some((p) => p.identity === "bob" && p.trackPublications.size > 0);`);

  await sfu.rooms.removeParticipant("administered", "bob");
  await bob.until(`return room.state === "disconnected" && w.events.some((e) => e[0] === "disconnected" && e[1] === String(L.DisconnectReason.PARTICIPANT_REMOVED));`.replace("L.", "w.LivekitClient."));
  await ann.until("return room.remoteParticipants.size === 0;");

  // The same identity again takes the place of the one before.
  const ann2 = await it.join("ann", "administered", { ...small, publish: "none" });
  await ann.until(`return room.state === "disconnected";`);

  await sfu.rooms.deleteRoom("administered");
  await ann2.until(`return room.state === "disconnected";`);
  await Promise.all([ann, bob, ann2].map((p) => p.page.context().close()));
});

test("a broken signalling connection is resumed, and a dead server's room made anew", async () => {
  const address = "127.0.0.1:" + (20_000 + Math.floor(Math.random() * 12_000));
  let own = await startSFU([], address);
  try {
    const ann = await Party.join(it.browser, it.pages.url, own, "ann", "anew", small);
    const bob = await Party.join(it.browser, it.pages.url, own, "bob", "anew", { ...small, publish: "none" });
    await bob.decodes("ann", 5);
    const sid = (await own.rooms.getParticipant("anew", "ann")).sid;
    await ann.run(`await room.simulateScenario("signal-reconnect");`);
    await ann.until(`return w.events.some((e) => e[0] === "reconnected" || e[0] === "signalReconnecting") && room.state === "connected";`);
    await bob.decodes("ann", 10);
    expect((await own.rooms.getParticipant("anew", "ann")).sid).toBe(sid);

    own.process.kill("SIGKILL");
    await new Promise((resolve) => own.process.once("exit", resolve));
    own = await startSFU([], address);
    await ann.until(`return room.state === "connected" && w.events.some((e) => e[0] === "reconnecting");`, 30_000);
    await bob.decodes("ann", 10, 30_000);
    await Promise.all([ann, bob].map((p) => p.leave()));
  } finally {
    await own.stop();
  }
});
