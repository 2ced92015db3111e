// A call over networks that lose, delay and become narrow, with the published
// client's own settings. Each browser is on a host of its own; what is done to
// its cable is done to both directions. SOAK_SECONDS (60) is how long each
// network is measured; the table is printed, and kept in test-output.
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser } from "playwright-core";
import { Lab, type Host, type Quality } from "../src/lab.js";
import { startSFU, type SFU } from "../src/sfu.js";
import { launch, pagesInside, Party } from "../src/party.js";

const seconds = Number(process.env["SOAK_SECONDS"] ?? "60");
const address = "203.0.113.10";
let lab: Lab, sfu: SFU, ann: Host, bob: Host, a: Browser, b: Browser;
const rows: string[] = [];

beforeAll(async () => {
  lab = Lab.start();
  await lab.oneToOne("cloud", address, "10.0.0.5");
  const server = await lab.host("server", "10.0.0.5", "cloud");
  ann = await lab.host("ann", "198.51.100.1");
  bob = await lab.host("bob", "198.51.100.2");
  sfu = await startSFU(["--rtc-address", address, "--rtc-port", "7882"], "10.0.0.5:7880", { host: server, address: `${address}:7880` });
  [a, b] = await Promise.all([launch(ann), launch(bob)]);
});
afterAll(async () => {
  await Promise.all([a?.close(), b?.close()]);
  await sfu?.stop();
  await lab?.stop();
  const table = ["| network of the viewer | lost on its cable | concealed audio | freezes | longest freeze | frames/s | round trip |", "|---|---|---|---|---|---|---|", ...rows].join("\n");
  console.log(table);
  const out = new URL("../../../test-output/", import.meta.url).pathname;
  mkdirSync(out, { recursive: true });
  writeFileSync(out + "calls-soak.md", table + "\n");
});

interface Sample { concealed: number; total: number; freezes: number; frozen: number; frames: number; width: number }
const sample = (p: Party) =>
  p.run<Sample>(`const r = { concealed: 0, total: 0, freezes: 0, frozen: 0, frames: 0, width: 0 };
    for (const x of room.remoteParticipants.values()) for (const pub of x.trackPublications.values()) if (pub.track)
      for (const s of (await pub.track.getRTCStatsReport()).values()) if (s.type === "inbound-rtp") {
        r.concealed += (s.concealedSamples ?? 0) - (s.silentConcealedSamples ?? 0); r.total += s.totalSamplesReceived ?? 0;
        r.freezes += s.freezeCount ?? 0; r.frozen += s.totalFreezesDuration ?? 0; r.frames += s.framesDecoded ?? 0; r.width = Math.max(r.width, s.frameWidth ?? 0); }
    return r;`);

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const networks: [string, Quality, (x: { concealed: number; longest: number }) => void][] = [
  ["good", {}, () => {}],
  ["1 % loss", { loss: 0.01, delay: 10 }, (x) => { expect(x.concealed).toBeLessThan(0.05); expect(x.longest).toBeLessThan(1); }],
  ["5 % loss", { loss: 0.05, delay: 10 }, (x) => { expect(x.concealed).toBeLessThan(0.05); expect(x.longest).toBeLessThan(1); }],
  ["10 % loss", { loss: 0.1, delay: 10 }, (x) => expect(x.concealed).toBeLessThan(0.05)],
  ["20 % loss", { loss: 0.2, delay: 10 }, () => {}],
  ["300 ms round trip", { delay: 75, jitter: 10 }, () => {}],
];

for (const [name, quality, hold] of networks) {
  test(name, async () => {
    const one = await Party.join(a, pagesInside, sfu, "ann", name);
    const two = await Party.join(b, pagesInside, sfu, "bob", name, { publish: "none" });
    await two.decodes("ann", 10);
    // The round trip of 300 ms is between two clients: each has half of it.
    await lab.link(bob, "both", quality);
    if (quality.loss === undefined) await lab.link(ann, "both", quality);
    await pause(2000);
    const before = await sample(two);
    const was = (await lab.counts())["bob"]!.down;
    let longest = 0;
    let last = before;
    for (let i = 0; i < seconds; i++) {
      await pause(1000);
      const next = await sample(two);
      if (next.freezes > last.freezes) longest = Math.max(longest, (next.frozen - last.frozen) / (next.freezes - last.freezes));
      last = next;
    }
    const n = (await lab.counts())["bob"]!.down;
    const concealed = (last.concealed - before.concealed) / (last.total - before.total);
    const { roundTrip } = await two.way();
    await lab.link(bob, "both", {});
    await lab.link(ann, "both", {});
    const lost = (n.Lost - was.Lost) / (n.Sent - was.Sent);
    rows.push(`| ${name} | ${(lost * 100).toFixed(1)} % | ${(concealed * 100).toFixed(2)} % | ${last.freezes - before.freezes} | ${longest.toFixed(2)} s | ${((last.frames - before.frames) / seconds).toFixed(1)} | ${(roundTrip * 1000).toFixed(0)} ms |`);
    await Promise.all([one.leave(), two.leave()]);
    expect(last.frames - before.frames).toBeGreaterThan(seconds * 3);
    hold({ concealed, longest });
  });
}

test("3 Mbit/s become 300 kbit/s, and 3 Mbit/s again", async () => {
  await lab.link(bob, "down", { rate: 3_000_000, queue: 100_000 });
  const one = await Party.join(a, pagesInside, sfu, "ann", "narrow", { publish: "video", room: { videoCaptureDefaults: { resolution: { width: 1280, height: 720, frameRate: 20 } } } });
  const two = await Party.join(b, pagesInside, sfu, "bob", "narrow", { publish: "none" });
  const reach = async (width: number): Promise<number> => {
    const began = performance.now();
    await expect.poll(async () => (await sample(two)).width, { timeout: 30_000, interval: 100 }).toBe(width);
    return (performance.now() - began) / 1000;
  };
  await reach(1280);
  await pause(3000);
  await lab.link(bob, "down", { rate: 300_000, queue: 12_000 });
  const began = performance.now();
  await expect.poll(async () => (await sample(two)).width, { timeout: 30_000, interval: 100 }).toBeLessThan(1280);
  const down = (performance.now() - began) / 1000;
  // It has to stay there, and not to try the greater one every other second.
  const widths: number[] = [];
  for (let i = 0; i < 20; i++) {
    await pause(500);
    widths.push((await sample(two)).width);
  }
  const low = widths.filter((w) => w < 1280).length / widths.length;
  await expect.poll(async () => (await sample(two)).width, { timeout: 10_000, interval: 50 }).toBeLessThan(1280);
  await lab.link(bob, "down", { rate: 3_000_000, queue: 100_000 });
  const up = await reach(1280);
  rows.push(`| 3 Mbit/s → 300 kbit/s → 3 Mbit/s | | | | | | smaller layer after ${down.toFixed(1)} s, for ${(low * 100).toFixed(0)} % of 10 s; greater one after ${up.toFixed(1)} s |`);
  await lab.link(bob, "both", {});
  await Promise.all([one.leave(), two.leave()]);
  expect(down).toBeLessThan(3);
  expect(up).toBeLessThan(8);
  expect(low).toBeGreaterThan(0.8);
});
