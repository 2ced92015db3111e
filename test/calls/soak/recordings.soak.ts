// Recordings of who sends over a network that loses: a clock in picture and sound tells what became of them. SOAK_SECONDS (60) is how long each is recorded.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { AccessToken } from "livekit-server-sdk";
import { until } from "../src/chat.js";
import { Lab, type Host } from "../src/lab.js";
import { launch, pagesInside, Party } from "../src/party.js";
import { readBeeps, readClock, type Film } from "../src/recorded.js";
import { key, secret, startSFU, type SFU } from "../src/sfu.js";

const seconds = Number(process.env["SOAK_SECONDS"] ?? "60");
const dir = mkdtempSync(join(tmpdir(), "skein-record-"));
let lab: Lab, sfu: SFU, ann: Host, server: Host, a: Browser, here: Browser, player: Page;
const rows: string[] = [];

interface Egress {
  egressId: string;
  status?: string;
  fileResults?: { filename: string; location: string; startedAt: string }[];
}

/** Asks the media server, from its own host: this process is not on that network. */
async function ask<T>(method: string, body: Record<string, unknown>): Promise<T> {
  const token = new AccessToken(key, secret, { ttl: "1m" });
  token.addGrant({ roomRecord: true });
  const request = { method: "POST", headers: { Authorization: `Bearer ${await token.toJwt()}`, "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const script = `fetch(${JSON.stringify(`${sfu.http}/twirp/livekit.Egress/${method}`)}, ${JSON.stringify(request)}).then((r) => r.text()).then(console.log)`;
  const [program = "", ...args] = server.enter;
  return JSON.parse((await promisify(execFile)(program, [...args, process.execPath, "-e", script])).stdout) as T;
}

beforeAll(async () => {
  lab = Lab.start();
  server = await lab.host("server", "203.0.113.10");
  ann = await lab.host("ann", "198.51.100.1");
  sfu = await startSFU(["--record-to", dir], "203.0.113.10:7880", { host: server, address: "203.0.113.10:7880" });
  [a, here] = await Promise.all([launch(ann), launch()]);
  player = await (await here.newContext()).newPage();
  await player.goto(await pagesInside(player.context()));
});
afterAll(async () => {
  await Promise.all([a?.close(), here?.close()]);
  await sfu?.stop();
  await lab?.stop();
  rmSync(dir, { recursive: true });
  console.log(["| network of who is recorded | codec | call | film | sound | pictures | spoiled | longest freeze | film after sound | astray |", "|---|---|---|---|---|---|---|---|---|---|", ...rows].join("\n"));
});

// At a round trip of 300 ms hardly anything can be sent again in time, and what is lost is seen.
const networks = [
  ["vp8", 0, 10], ["vp8", 0.05, 10], ["vp8", 0.1, 10], ["h264", 0.1, 10], ["vp9", 0.1, 10], ["av1", 0.1, 10], ["vp8", 0.1, 150], ["h264", 0.1, 150],
] as const;
/** Publishes clocks to a room and records them while `during` goes on; what a browser makes of the files. */
async function record(room: string, videoCodec: string, during: () => Promise<void>): Promise<{ lasted: number; film: Film; sound: Awaited<ReturnType<typeof readBeeps>> }> {
  const party = await Party.join(a, pagesInside, sfu, "ann", room, { publish: "none" });
  await party.run(`await w.publishClocks({ width: 640, height: 360 }, ${JSON.stringify({ videoCodec, simulcast: videoCodec === "vp8", backupCodec: false })});`);
  const tracks = await party.run<string[]>("return [...room.localParticipant.trackPublications.values()].map((p) => p.trackSid);");
  const began = await Promise.all(tracks.map((trackId) => ask<Egress>("StartTrackEgress", { roomName: room, trackId, file: { filepath: "{track_id}" } })));
  const from = Date.now();
  await during();
  const lasted = Date.now() - from;
  await Promise.all(began.map(({ egressId }) => ask("StopEgress", { egressId })));
  let over: Egress[] = [];
  await until("the files", async () => {
    over = (await ask<{ items?: Egress[] }>("ListEgress", { roomName: room })).items ?? [];
    return over.length === 2 && over.every(({ status }) => status === "EGRESS_COMPLETE");
  });
  const files = over.map((i) => i.fileResults![0]!);
  const read = <T>(sound: boolean, by: (page: Page, file: string, began: number) => Promise<T>): Promise<T> => {
    const f = files.find(({ filename }) => filename.endsWith(".ogg") === sound)!;
    return by(player, f.location, Number(f.startedAt) / 1e6);
  };
  const film = await read(false, readClock);
  const sound = await read(true, readBeeps);
  await party.leave();
  expect(film.error).toBe("");
  expect(Math.abs(film.at - film.duration)).toBeLessThan(200);
  expect(film.spoiled).toBeLessThan(film.pictures / 50);
  expect(Math.abs(film.late - sound.late)).toBeLessThan(200);
  return { lasted, film, sound };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const [videoCodec, loss, delay] of networks) {
  test(`${loss * 100} % loss, ${2 * delay} ms, ${videoCodec}`, async () => {
    await lab.link(ann, "both", { loss, delay, jitter: 5 });
    const was = (await lab.counts())["ann"]!.up;
    const { lasted, film, sound } = await record(`${loss} ${delay} ${videoCodec}`, videoCodec, () => pause(seconds * 1000));
    const { Lost, Sent } = (await lab.counts())["ann"]!.up;
    const lost = (100 * (Lost - was.Lost)) / (Sent - was.Sent);
    await lab.link(ann, "both", {});
    rows.push(`| ${lost.toFixed(1)} %, ${2 * delay} ms | ${videoCodec} | ${lasted} ms | ${film.duration.toFixed(0)} | ${sound.duration.toFixed(0)} | ${film.pictures} | ${film.spoiled} | ${film.freeze.toFixed(0)} ms | ${(film.late - sound.late).toFixed(0)} ms | ${film.astray.toFixed(0)}, ${sound.astray.toFixed(0)} ms |`);
    for (const length of [film.duration, sound.duration]) expect(Math.abs(length - lasted)).toBeLessThan(delay === 10 ? 500 : 1500); // a film begins with a key frame
    expect(film.pictures).toBeGreaterThan(seconds * 5);
    expect(film.freeze).toBeLessThan(delay === 10 ? 1000 : 4000);
    expect(sound.beeps).toBeGreaterThan(seconds - 3);
  });
}

test("a network that is narrow for ten seconds, and away for three", async () => {
  const { lasted, film, sound } = await record("narrow", "vp8", async () => {
    await pause(5000);
    await lab.link(ann, "up", { rate: 200_000, queue: 12_000 });
    await pause(10_000);
    await lab.link(ann, "up", {});
    await pause(8000);
    await lab.link(ann, "both", { loss: 1 });
    await pause(3000);
    await lab.link(ann, "both", {});
    await pause(6000);
  });
  console.log("narrow, then away:", lasted, film, sound);
  for (const length of [film.duration, sound.duration]) expect(Math.abs(length - lasted)).toBeLessThan(500);
  expect(film.sizes.at(-1)).toBe("640x360");
  expect(film.freeze).toBeLessThan(6000);
  expect(film.astray).toBeLessThan(2500); // what waits in a queue comes late
});
