// What happens in a room of several: administration, other clients, encryption, trouble.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser } from "playwright-core";
import { Room, RoomEvent, AudioFrame, AudioSource, LocalAudioTrack, TrackPublishOptions, TrackSource, dispose } from "@livekit/rtc-node";
import { startSFU, type SFU } from "../src/sfu.js";
import { launch, Party, startPages } from "../src/party.js";

let sfu: SFU;
let pages: Awaited<ReturnType<typeof startPages>>;
let browser: Browser;

beforeAll(async () => {
  [sfu, pages, browser] = await Promise.all([startSFU(), startPages(), launch()]);
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([pages?.stop(), sfu?.stop()]);
  await dispose();
});

const small = { room: { videoCaptureDefaults: { resolution: { width: 320, height: 180, frameRate: 10 } } } };

test("four parties each decode three videos; the administrator mutes and removes", async () => {
  const names = ["ann", "bob", "cat", "dan"];
  const parties: Party[] = [];
  for (const n of names) parties.push(await Party.join(browser, pages.url, sfu, n, "four", small));
  await Promise.all(parties.flatMap((p) => names.filter((n) => n !== p.identity).map((n) => p.decodes(n, 5, 30_000))));
  const [ann, bob] = parties as [Party, Party];

  const list = await sfu.rooms.listParticipants("four");
  expect(list.map((p) => p.identity).sort()).toEqual(names);
  const track = list.find((p) => p.identity === "bob")!.tracks.find((t) => t.source === 2)!;
  await sfu.rooms.mutePublishedTrack("four", "bob", track.sid, true);
  await ann.until(`return w.events.some((e) => e[0] === "trackMuted" && e.includes("bob"));`);
  await bob.until("return !room.localParticipant.isMicrophoneEnabled;");

  await sfu.rooms.updateRoomMetadata("four", "hello");
  await ann.until(`return room.metadata === "hello";`);
  await sfu.rooms.updateParticipant("four", "bob", { metadata: "m", name: "Robert" });
  await ann.until(`return [...room.remoteParticipants.values()].some((p) => p.name === "Robert" && p.metadata === "m");`);
  await sfu.rooms.sendData("four", new TextEncoder().encode("from the server"), 0, { destinationIdentities: ["ann"], topic: "s" });
  await ann.until(`return w.events.some((e) => e[0] === "data" && e[3] === "from the server");`);

  // No longer allowed to publish: the others lose the video at once.
  await sfu.rooms.updateParticipant("four", "bob", { permission: { canSubscribe: true, canPublish: false, canPublishData: false } });
  await ann.until(`return ![...room.remoteParticipants.values()].some((p) => p.identity === "bob" && p.trackPublications.size > 0);`);

  await sfu.rooms.removeParticipant("four", "bob");
  await bob.until(`return room.state === "disconnected" && w.events.some((e) => e[0] === "disconnected" && e[1] === String(L.DisconnectReason.PARTICIPANT_REMOVED));`.replace("L.", "w.LivekitClient."));
  await ann.until("return room.remoteParticipants.size === 2;");

  // The same identity again takes the place of the one before.
  const ann2 = await Party.join(browser, pages.url, sfu, "ann", "four", { ...small, publish: "none" });
  await ann.until(`return room.state === "disconnected";`);
  await ann2.decodes("cat", 3);

  await sfu.rooms.deleteRoom("four");
  await ann2.until(`return room.state === "disconnected";`);
  await Promise.all(parties.concat(ann2).map((p) => p.page.context().close()));
});

test("a client without a browser is in the same room, hears and is heard", async () => {
  const ann = await Party.join(browser, pages.url, sfu, "ann", "node", small);
  const room = new Room();
  const heard = new Promise<void>((resolve) => room.on(RoomEvent.TrackSubscribed, (t) => { if (t.kind === 1) resolve(); }));
  const said = new Promise<string>((resolve) => room.on(RoomEvent.DataReceived, (b) => resolve(new TextDecoder().decode(b))));
  await room.connect(sfu.url, await sfu.token("robot", "node"), { autoSubscribe: true, dynacast: true });
  await heard;
  const source = new AudioSource(48_000, 1);
  const track = LocalAudioTrack.createAudioTrack("voice", source);
  const options = new TrackPublishOptions();
  options.source = TrackSource.SOURCE_MICROPHONE;
  await room.localParticipant!.publishTrack(track, options);
  let phase = 0;
  let on = true;
  const speaking = (async () => {
    while (on) {
      const samples = new Int16Array(480);
      for (let i = 0; i < 480; i++) samples[i] = Math.sin((phase += 0.05 + 0.03 * Math.sin(phase / 900))) * 16_000;
      await source.captureFrame(new AudioFrame(samples, 48_000, 1, 480));
    }
  })();
  await expect.poll(async () => (await ann.heard()).find((h) => h.identity === "robot")?.energy ?? 0, { timeout: 15_000 }).toBeGreaterThan(0.001);
  await ann.run(`await room.localParticipant.publishData(new TextEncoder().encode("to the robot"), { reliable: true });`);
  expect(await said).toBe("to the robot");
  await room.localParticipant!.publishData(new TextEncoder().encode("to the page"), { reliable: true, topic: "x" });
  await ann.until(`return w.events.some((e) => e[0] === "data" && e[1] === "robot" && e[3] === "to the page");`);
  on = false;
  await speaking;
  await room.disconnect();
  await ann.until("return room.remoteParticipants.size === 0;");
  await ann.leave();
});

test("with end-to-end encryption those who have the key see, and the others do not", async () => {
  const o = { ...small, publish: "video" as const };
  const ann = await Party.join(browser, pages.url, sfu, "ann", "secret", { ...o, e2ee: "the key" });
  const bob = await Party.join(browser, pages.url, sfu, "bob", "secret", { ...o, publish: "none", e2ee: "the key" });
  const eve = await Party.join(browser, pages.url, sfu, "eve", "secret", { ...o, publish: "none", e2ee: "another key" });
  await bob.decodes("ann", 10);
  await eve.until(`for (const p of room.remoteParticipants.values()) for (const pub of p.trackPublications.values()) if (pub.track)
    for (const s of (await pub.track.getRTCStatsReport()).values()) if (s.type === "inbound-rtp" && s.packetsReceived > 20) return true; return false;`);
  expect((await eve.heard()).map((h) => h.framesDecoded)).toEqual([0]);
  await Promise.all([ann, bob, eve].map((p) => p.leave()));
});

test("a call goes on after the server stood still for 5 s", async () => {
  const ann = await Party.join(browser, pages.url, sfu, "ann", "still", small);
  const bob = await Party.join(browser, pages.url, sfu, "bob", "still", { ...small, publish: "none" });
  await bob.decodes("ann", 5);
  sfu.process.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 5000));
  sfu.process.kill("SIGCONT");
  await bob.decodes("ann", 10, 10_000);
  await Promise.all([ann, bob].map((p) => p.leave()));
});

test("a broken signalling connection is resumed, and a dead server's room made anew", async () => {
  const address = "127.0.0.1:" + (20_000 + Math.floor(Math.random() * 12_000));
  let own = await startSFU([], address);
  try {
    const ann = await Party.join(browser, pages.url, own, "ann", "anew", small);
    const bob = await Party.join(browser, pages.url, own, "bob", "anew", { ...small, publish: "none" });
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

test("a screen is shared beside the camera, and given back", async () => {
  const ann = await Party.join(browser, pages.url, sfu, "ann", "screen", small);
  const bob = await Party.join(browser, pages.url, sfu, "bob", "screen", { ...small, publish: "none" });
  // A canvas stands for the screen: a browser without a display has none to show.
  await ann.run(`
    const c = document.createElement("canvas"); c.width = 640; c.height = 360;
    const g = c.getContext("2d"); let n = 0;
    w.painting = setInterval(() => { g.fillStyle = "hsl(" + (n++ * 7 % 360) + ",80%,50%)"; g.fillRect(0, 0, 640, 360); }, 60);
    w.screenTrack = c.captureStream(15).getVideoTracks()[0];
    await room.localParticipant.publishTrack(w.screenTrack, { source: "screen_share", simulcast: false });`);
  await bob.until(`return w.events.some((e) => e[0] === "subscribed" && e[2] === "screen_share");`);
  await expect.poll(async () => (await bob.heard()).filter((h) => h.kind === "video" && h.framesDecoded > 5).length, { timeout: 20_000 }).toBe(2);
  await ann.run("await room.localParticipant.unpublishTrack(w.screenTrack);");
  await bob.until(`return w.events.some((e) => e[0] === "unsubscribed" && e[2] === "screen_share");`);
  // And again, on the section that it gave back.
  await ann.run(`await room.localParticipant.publishTrack(w.screenTrack.clone(), { source: "screen_share", simulcast: false });`);
  await bob.until(`return w.events.filter((e) => e[0] === "subscribed" && e[2] === "screen_share").length === 2;`);
  await bob.decodes("ann", 5);
  await Promise.all([ann, bob].map((p) => p.leave()));
});
