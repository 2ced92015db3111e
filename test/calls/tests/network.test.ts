// Calls over a network that loses, and one that becomes narrow. The long form
// (SKEIN_CALLS_LONG) takes a minute for each kind of loss.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Party } from "../src/party.js";
import { good, Relay } from "../src/relay.js";
import { withSFU } from "../src/setup.js";

const it = withSFU("--rtc-tcp=false", "--rtc-address", "127.0.0.2");
let relay: Relay;
const long = process.env["SKEIN_CALLS_LONG"] !== undefined;

beforeAll(async () => {
  relay = await Relay.start(it.sfu.rtcPort);
});
afterAll(() => relay?.stop());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const width = (p: Party) => async () => (await p.heard()).find((h) => h.kind === "video")?.frameWidth ?? 0;

interface Sound {
  concealed: number;
  total: number;
  freezes: number;
  frozen: number;
  frames: number;
  /** Requests for sound that was lost. */
  nacks: number;
}
const sound = (p: Party) =>
  p.run<Sound>(`const r = { concealed: 0, total: 0, freezes: 0, frozen: 0, frames: 0, nacks: 0 };
    for (const x of room.remoteParticipants.values()) for (const pub of x.trackPublications.values()) if (pub.track)
      for (const s of (await pub.track.getRTCStatsReport()).values()) if (s.type === "inbound-rtp") {
        r.concealed += (s.concealedSamples ?? 0) - (s.silentConcealedSamples ?? 0); r.total += s.totalSamplesReceived ?? 0;
        if (s.kind === "audio") r.nacks += s.nackCount ?? 0;
        r.freezes += s.freezeCount ?? 0; r.frozen += s.totalFreezesDuration ?? 0; r.frames += s.framesDecoded ?? 0; }
    return r;`);

for (const loss of long ? [0.01, 0.05, 0.1, 0.2] : [0.1]) {
  test(`at ${loss * 100} % loss audio is heard and video goes on`, { timeout: 120_000 }, async () => {
    relay.conditions = good;
    const ann = await it.join("ann", `loss-${loss}`);
    const bob = await it.join("bob", `loss-${loss}`, { publish: "none" });
    await bob.decodes("ann", 5);
    relay.conditions = { loss, delay: 15, rate: Infinity };
    const before = await sound(bob);
    const seconds = long ? 60 : 8;
    await pause(seconds * 1000);
    const after = await sound(bob);
    const concealed = (after.concealed - before.concealed) / (after.total - before.total);
    console.log(`loss ${loss * 100} % each way, ${seconds} s: concealed ${(concealed * 100).toFixed(2)} %, ${after.freezes - before.freezes} freezes of ${(after.frozen - before.frozen).toFixed(1)} s together, ${after.frames - before.frames} frames`);
    // Loss is on both ways, publisher to server and server to viewer: twice what the name says.
    expect(concealed).toBeLessThan(loss <= 0.1 ? 0.05 : 0.1);
    expect(after.nacks - before.nacks).toBeGreaterThan(0);
    expect(after.frames - before.frames).toBeGreaterThan(seconds * 5);
    relay.conditions = good;
    await Promise.all([ann, bob].map((p) => p.leave()));
  });
}

// Two browsers that encode and decode share the machine with the rest of a run: the long form, alone on it, holds to 3 s and 8 s.
const patience = long ? 1 : 2;

test("when 3 Mbit/s become 300 kbit/s the layer goes down within seconds, and up again", async () => {
  relay.conditions = { ...good, rate: 3_000_000, delay: 10 };
  const ann = await it.join("ann", "narrow", { publish: "video" });
  const bob = await it.join("bob", "narrow", { publish: "none" });
  await expect.poll(width(bob), { timeout: 15_000 }).toBe(640);
  const bytes = async () => (await bob.heard()).find((h) => h.kind === "video")?.bytes ?? 0;
  const flowed = await bytes();
  await pause(2000);
  // A browser that has to share its processor sends less than it may, and what passes needs no smaller layer.
  const flows = ((await bytes()) - flowed) * 4;
  relay.conditions = { ...good, rate: long ? 300_000 : Math.min(300_000, Math.max(110_000, flows * 0.6)), delay: 10 };
  let began = Date.now();
  await expect.poll(width(bob), { timeout: 10_000 }).toBe(320);
  const down = Date.now() - began;
  await bob.decodes("ann", 10);
  relay.conditions = { ...good, rate: 3_000_000, delay: 10 };
  began = Date.now();
  await expect.poll(width(bob), { timeout: 20_000 }).toBe(640);
  const up = Date.now() - began;
  console.log(`down after ${down} ms, up after ${up} ms`);
  expect(down).toBeLessThan(3_000 * patience);
  expect(up).toBeLessThan(8_000 * patience);
  await Promise.all([ann, bob].map((p) => p.leave()));
});
