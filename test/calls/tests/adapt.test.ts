// What is sent follows what is shown, and what the network takes.
import { expect, test } from "vitest";
import type { Party } from "../src/party.js";
import { withSFU } from "../src/setup.js";

const it = withSFU();

const width = (p: Party) => async () => (await p.heard()).find((h) => h.kind === "video")?.frameWidth ?? 0;
/** Whether the sender encodes its best layer. */
const sendsBest = (p: Party) => () =>
  p.run<boolean>(`for (const pub of room.localParticipant.videoTrackPublications.values())
    for (const s of (await pub.track.getRTCStatsReport()).values()) if (s.type === "outbound-rtp" && s.rid === "h") return s.active; return false;`);
const show = (p: Party, css: string) => p.run(`for (const e of document.querySelectorAll("video")) e.style.cssText = ${JSON.stringify(css)};`);

test("a viewer gets the layer that it shows, and nobody encodes what nobody shows", async () => {
  const ann = await it.join("ann", "adapt", { publish: "video", room: { dynacast: true } });
  const bob = await it.join("bob", "adapt", { publish: "none", room: { adaptiveStream: { pixelDensity: 1 } } });
  await bob.decodes("ann", 5);
  await show(bob, "width:640px;height:360px");
  await expect.poll(width(bob), { timeout: 10_000 }).toBe(640);
  await show(bob, "width:160px;height:90px");
  await expect.poll(width(bob), { timeout: 10_000 }).toBe(320);
  await expect.poll(sendsBest(ann), { timeout: 10_000 }).toBe(false);
  await bob.decodes("ann", 5);
  await show(bob, "width:640px;height:360px");
  await expect.poll(sendsBest(ann), { timeout: 10_000 }).toBe(true);
  await expect.poll(width(bob), { timeout: 10_000 }).toBe(640);
  // Not shown at all: nothing comes.
  await show(bob, "display:none");
  await expect.poll(async () => {
    const bytes = async () => (await bob.heard()).find((h) => h.kind === "video")?.bytes ?? 0;
    const before = await bytes();
    await new Promise((resolve) => setTimeout(resolve, 700));
    return (await bytes()) - before;
  }, { timeout: 15_000 }).toBe(0);
  await show(bob, "width:640px;height:360px");
  await bob.decodes("ann", 5);
  await Promise.all([ann, bob].map((p) => p.leave()));
});

test("with less bandwidth the layer goes down, and with more up, within seconds", async () => {
  const ann = await it.join("ann", "narrow", { publish: "video" });
  const bob = await it.join("bob", "narrow", { publish: "none" });
  await bob.decodes("ann", 5);
  await expect.poll(width(bob), { timeout: 10_000 }).toBe(640);
  await bob.run(`await room.simulateScenario("subscriber-bandwidth", 120_000);`);
  await expect.poll(width(bob), { timeout: 8_000 }).toBe(320);
  await bob.decodes("ann", 5);
  await bob.run(`await room.simulateScenario("subscriber-bandwidth", 0);`);
  await expect.poll(width(bob), { timeout: 16_000 }).toBe(640);
  expect((await bob.heard()).find((h) => h.kind === "video")!.freezes).toBeLessThan(4);
  await Promise.all([ann, bob].map((p) => p.leave()));
});

const codecs = (p: Party) =>
  p.run<string[]>(`const out = []; for (const p of room.remoteParticipants.values()) for (const pub of p.trackPublications.values()) {
    const r = await pub.track.getRTCStatsReport(); for (const s of r.values()) if (s.type === "inbound-rtp") out.push(r.get(s.codecId).mimeType.toLowerCase()); } return out;`);

test("video in h264 is passed on", async () => {
  const ann = await it.join("ann", "h264", { publish: "video", room: { publishDefaults: { videoCodec: "h264", backupCodec: false }, videoCaptureDefaults: { resolution: { width: 320, height: 180, frameRate: 10 } } } });
  const bob = await it.join("bob", "h264", { publish: "none" });
  await bob.decodes("ann", 10, 30_000);
  expect(await codecs(bob)).toEqual(["video/h264"]);
  await Promise.all([ann, bob].map((p) => p.leave()));
});

// With these livekit-client sends all sizes in one stream (L3T3_KEY, of which Chromium makes L2T3_KEY at 640 x 360).
for (const codec of ["vp9", "av1"]) {
  test(`of layers inside one stream of ${codec} a viewer gets those that it shows and that there is room for`, async () => {
    const ann = await it.join("ann", codec, { publish: "video", room: { publishDefaults: { videoCodec: codec, backupCodec: false } } });
    const bob = await it.join("bob", codec, { publish: "none", room: { adaptiveStream: { pixelDensity: 1 } } });
    await bob.decodes("ann", 5, 30_000);
    expect(await codecs(bob)).toEqual([`video/${codec}`]);
    await show(bob, "width:640px;height:360px");
    await expect.poll(width(bob), { timeout: 10_000 }).toBe(640);
    await show(bob, "width:160px;height:90px");
    await expect.poll(width(bob), { timeout: 10_000 }).toBe(320);
    await bob.decodes("ann", 5);
    await show(bob, "width:640px;height:360px");
    await expect.poll(width(bob), { timeout: 10_000 }).toBe(640);
    await bob.run(`await room.simulateScenario("subscriber-bandwidth", 60_000);`);
    await expect.poll(width(bob), { timeout: 10_000 }).toBe(320);
    await bob.decodes("ann", 5);
    await bob.run(`await room.simulateScenario("subscriber-bandwidth", 0);`);
    await expect.poll(width(bob), { timeout: 10_000 }).toBe(640);
    await Promise.all([ann, bob].map((p) => p.leave()));
  });
}

test("who cannot decode a codec gets the publisher's second one, and the others keep the first", async () => {
  const ann = await it.join("ann", "backup", { publish: "video", room: { publishDefaults: { videoCodec: "vp9" }, videoCaptureDefaults: { resolution: { width: 320, height: 180, frameRate: 10 } } } });
  const bob = await it.join("bob", "backup", { publish: "none" });
  const eve = await it.join("eve", "backup", { publish: "none", without: "vp9" });
  await Promise.all([bob.decodes("ann", 5, 30_000), eve.decodes("ann", 5, 30_000)]);
  expect([await codecs(bob), await codecs(eve)]).toEqual([["video/vp9"], ["video/vp8"]]);
  await Promise.all([ann, bob, eve].map((p) => p.leave()));
});
