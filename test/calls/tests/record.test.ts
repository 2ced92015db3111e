// Recordings by LiveKit's egress API, as a browser plays them.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { DirectFileOutput, EgressClient, EgressStatus, WebhookReceiver, type EgressInfo } from "livekit-server-sdk";
import { key, secret, startSFU, type SFU } from "../src/sfu.js";
import { launch, Party, startPages } from "../src/party.js";
import { play, readBeeps, readClock } from "../src/recorded.js";
import { until } from "../src/chat.js";

const dir = mkdtempSync(join(tmpdir(), "skein-record-"));
const events: { event: string; egress: string }[] = [];
let hook: Server;
let args: string[];
let sfu: SFU;
let pages: Awaited<ReturnType<typeof startPages>>;
let browser: Browser;
let player: Page;

beforeAll(async () => {
  const receiver = new WebhookReceiver(key, secret);
  hook = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on("data", (b: Buffer) => parts.push(b)).on("end", () => {
      void receiver.receive(Buffer.concat(parts).toString(), req.headers.authorization).then((e) => {
        if (e.egressInfo !== undefined) events.push({ event: e.event, egress: e.egressInfo.egressId });
        res.end();
      });
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  const at = hook.address();
  args = ["--record-to", dir, "--webhook", `http://127.0.0.1:${typeof at === "object" ? at?.port : 0}/`];
  [sfu, pages, browser] = await Promise.all([startSFU(args), startPages(), launch()]);
  player = await (await browser.newContext()).newPage();
  await player.goto(pages.url);
});
afterAll(async () => {
  await browser?.close();
  hook?.closeAllConnections();
  hook?.close();
  await Promise.all([pages?.stop(), sfu?.stop()]);
  rmSync(dir, { recursive: true });
});

const client = (): EgressClient => new EgressClient(sfu.http, key, secret);
const seconds = (n: bigint): number => Number(n) / 1e9;

/** Records everything that the room has, for some seconds. */
async function start(room: string): Promise<EgressInfo[]> {
  const list = await sfu.rooms.listParticipants(room);
  return Promise.all(list.flatMap((p) => p.tracks.map((t) => client().startTrackEgress(room, new DirectFileOutput({ filepath: "{track_id}" }), t.sid))));
}

const result = async (id: string): Promise<EgressInfo> => {
  let info: EgressInfo | undefined;
  await until("the end of a recording", async () => {
    [info] = await client().listEgress({ egressId: id });
    return info !== undefined && info.status >= EgressStatus.EGRESS_COMPLETE;
  });
  return info!;
};

test("two parties are recorded, track by track: a browser plays all of it, and the lengths are right", async () => {
  const ann = await Party.join(browser, pages.url, sfu, "ann", "r", {});
  const bob = await Party.join(browser, pages.url, sfu, "bob", "r", { room: { publishDefaults: { simulcast: false } } });
  await Promise.all([ann.decodes("bob", 5), bob.decodes("ann", 5)]);
  const began = await start("r");
  expect(began).toHaveLength(4);
  await until("files that grow", async () => (await client().listEgress({ roomName: "r", active: true })).filter((i) => i.status === EgressStatus.EGRESS_ACTIVE).length === 4);
  const since = Date.now();
  await bob.until("return room.isRecording;");
  // Whoever asks twice has it once; what nobody may is refused.
  expect((await start("r")).map((i) => i.egressId).sort()).toEqual(began.map((i) => i.egressId).sort());
  await expect(client().startTrackEgress("r", new DirectFileOutput({ filepath: "../x" }), began[0]!.egressId)).rejects.toThrow();
  await expect(client().startTrackEgress("r", new DirectFileOutput({ filepath: "x", output: { case: "s3", value: { bucket: "b" } as never } }), "x")).rejects.toThrow(/own folder/);
  const stranger = await fetch(`${sfu.http}/twirp/livekit.Egress/ListEgress`, { method: "POST", headers: { Authorization: `Bearer ${await sfu.token("eve", "r", { roomAdmin: true })}` }, body: "{}" });
  expect(stranger.status).toBe(403);
  // Bob is silent for a while in the middle; time goes on in the file.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await bob.run("await room.localParticipant.setMicrophoneEnabled(false);");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await bob.run("await room.localParticipant.setMicrophoneEnabled(true);");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  // A file in the middle can be played, as whatever is left by a death.
  for (const i of await client().listEgress({ roomName: "r", active: true })) copyFileSync(i.fileResults[0]!.location, join(dir, `copy-${i.fileResults[0]!.filename}`));
  const stopped = Date.now();
  await Promise.all(began.map((i) => client().stopEgress(i.egressId)));
  await bob.until("return !room.isRecording;");
  const lasted = (stopped - since) / 1000;
  await Promise.all(began.map(async (i) => {
    const over = await result(i.egressId);
    expect(over.status).toBe(EgressStatus.EGRESS_COMPLETE);
    const [f] = over.fileResults;
    const [seen, middle] = await Promise.all([play(player, f!.location), play(player, join(dir, `copy-${f!.filename}`))]);
    expect(seen.error).toBe("");
    expect(Math.abs(seconds(f!.duration) - lasted)).toBeLessThan(1); // it began a moment before we knew
    expect(Math.abs(seen.duration - seconds(f!.duration))).toBeLessThan(0.2);
    expect(Math.abs(seen.at - seen.duration)).toBeLessThan(0.2);
    expect(Number(f!.size)).toBe(statSync(f!.location).size);
    if (f!.filename.endsWith(".ogg")) {
      expect(Math.abs(seen.decoded - seconds(f!.duration))).toBeLessThan(0.1);
      expect(seen.loudness).toBeGreaterThan(0.02);
    } else {
      expect(seen.width).toBe(640);
      expect(seen.frames).toBeGreaterThan(seen.duration * 5);
    }
    expect(middle.error).toBe("");
    expect(middle.at).toBeGreaterThan(seconds(f!.duration) - 3);
    expect(events.filter((e) => e.egress === i.egressId).map((e) => e.event)).toEqual(["egress_started", "egress_updated", "egress_updated", "egress_ended"]);
  }));
  await ann.leave();
  await bob.leave();
});

test("the media server is killed: what was recorded is whole after its next start", async () => {
  const ann = await Party.join(browser, pages.url, sfu, "ann", "killed", {});
  const began = await until2(() => start("killed"), 2);
  await until("files that grow", async () => (await client().listEgress({ roomName: "killed", active: true })).every((i) => i.fileResults.length > 0 && statSync(i.fileResults[0]!.location).size > 10_000));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await new Promise<void>((resolve) => {
    sfu.process.once("exit", () => resolve());
    sfu.process.kill("SIGKILL");
  });
  sfu = await startSFU(args);
  await Promise.all(began.map(async (i) => {
    const over = await result(i.egressId);
    expect(over.details).toContain("in the middle");
    const seen = await play(player, over.fileResults[0]!.location);
    expect(seen.error).toBe("");
    expect(seconds(over.fileResults[0]!.duration)).toBeGreaterThan(1);
    expect(Math.abs(seen.duration - seconds(over.fileResults[0]!.duration))).toBeLessThan(0.2);
    expect(Math.abs(seen.at - seen.duration)).toBeLessThan(0.2);
    expect(JSON.parse(readFileSync(`${over.fileResults[0]!.location}.json`, "utf8")).identity).toBe("ann");
  }));
  await ann.page.context().close();
});

/** Asks again until the answer has so many. */
async function until2<T>(ask: () => Promise<T[]>, n: number): Promise<T[]> {
  let out: T[] = [];
  await until(`${n} tracks`, async () => (out = await ask().catch(() => [])).length === n);
  return out;
}

test("VP9, H.264 and AV1 are recorded as they come", async () => {
  await Promise.all(["vp9", "h264", "av1"].map(async (codec) => {
    const ann = await Party.join(browser, pages.url, sfu, "ann", codec, { publish: "video", room: { publishDefaults: { videoCodec: codec, backupCodec: false, simulcast: false } } });
    const [i] = await until2(() => start(codec), 1);
    await until("a file that grows", async () => (await client().listEgress({ egressId: i!.egressId }))[0]?.status === EgressStatus.EGRESS_ACTIVE);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await ann.leave(); // the end of the track is the end of the file
    const f = (await result(i!.egressId)).fileResults[0]!;
    expect(f.filename.endsWith(codec === "h264" ? ".mkv" : ".webm")).toBe(true);
    const seen = await play(player, f.location);
    expect(seen.error).toBe("");
    expect(seen.frames).toBeGreaterThan(5);
    expect(seen.width).toBeGreaterThan(300);
    expect(Math.abs(seen.duration - seconds(f.duration))).toBeLessThan(0.2);
  }));
});

/** Publishes clocks to a room and records them, while `during` goes on. */
async function recordClocks(room: string, size: { width: number; height: number; sound?: boolean }, options: Record<string, unknown>, during: (p: Party, egress: EgressInfo[]) => Promise<void>) {
  const ann = await Party.join(browser, pages.url, sfu, "ann", room, { publish: "none", room: { dynacast: true } });
  await ann.run(`await w.publishClocks(${JSON.stringify(size)}, ${JSON.stringify(options)});`);
  const began = await until2(() => start(room), size.sound === false ? 1 : 2);
  await until("files that grow", async () => (await client().listEgress({ roomName: room, active: true })).filter((i) => i.status === EgressStatus.EGRESS_ACTIVE).length === began.length);
  await during(ann, began);
  await ann.leave();
  return Promise.all(began.map(async (i) => (await result(i.egressId)).fileResults[0]!));
}
const startOf = (f: { startedAt: bigint }): number => Number(f.startedAt) / 1e6;

test("a camera that is turned, and shows more or less, in the middle: the film goes on, in step with the sound", async () => {
  await Promise.all((["vp8", "h264"] as const).map(async (videoCodec) => {
    const files = await recordClocks(`turned-${videoCodec}`, { width: 640, height: 360 }, { videoCodec, simulcast: videoCodec === "vp8" }, async (ann) => {
      for (const [width, height] of [[640, 360], [360, 640], [480, 270], [640, 360]]) {
        await ann.run(`w.turn(${width}, ${height});`);
        await new Promise((resolve) => setTimeout(resolve, 900));
      }
    });
    const film = files.find((f) => !f.filename.endsWith(".ogg"))!;
    const seen = await readClock(player, film.location, startOf(film));
    const sound = files.find((f) => f.filename.endsWith(".ogg"))!;
    const heard = await readBeeps(player, sound.location, startOf(sound));
    console.log(`${videoCodec}, turned:`, seen, heard);
    expect(seen.error).toBe("");
    expect(seen.sizes.join(" ")).toMatch(/640x360 .*360x640 .*480x270 .*640x360/);
    expect(seen.spoiled).toBeLessThan(seen.pictures / 20);
    expect(Math.abs(seen.at - seen.duration)).toBeLessThan(200);
    expect(seen.freeze).toBeLessThan(1500);
    expect(seen.astray).toBeLessThan(250);
    expect(Math.abs(seen.late - heard.late)).toBeLessThan(200);
  }));
});

test.each(process.env["SKEIN_CALLS_LONG"] === undefined ? ["vp9"] : ["vp9", "av1"])("of a publisher of %s with a second codec there is one film, in the first", async (codec) => {
  const viewers: Party[] = [];
  const room = `second-${codec}`;
  const [film, ...more] = await recordClocks(room, { width: 640, height: 360, sound: false }, { videoCodec: codec, backupCodec: { codec: "vp8" } }, async (ann) => {
    const bob = await Party.join(browser, pages.url, sfu, "bob", room, { publish: "none", without: codec });
    viewers.push(bob);
    await bob.decodes("ann", 10); // by the second codec
    await ann.until("return room.localParticipant.getTrackPublication('camera').track.simulcastCodecs.size === 1;");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await client().listEgress({ roomName: room, active: true })).toHaveLength(1);
  });
  await Promise.all(viewers.map((p) => p.leave()));
  expect(more).toEqual([]);
  const seen = await readClock(player, film!.location, startOf(film!));
  console.log(`${codec} with a second codec:`, seen);
  expect(JSON.parse(readFileSync(`${film!.location}.json`, "utf8"))).toMatchObject({ codec, width: 640, height: 360 });
  expect(seen.error).toBe("");
  expect(seen.sizes.at(-1)).toBe("640x360");
  expect(seen.spoiled).toBeLessThan(seen.pictures / 20);
  expect(Math.abs(seen.at - seen.duration)).toBeLessThan(200);
});

test("a track that is encrypted end to end is not recorded", async () => {
  const ann = await Party.join(browser, pages.url, sfu, "ann", "secret", { publish: "audio", e2ee: "a key" });
  await until("her track", async () => (await sfu.rooms.listParticipants("secret"))[0]?.tracks.length === 1);
  await expect(start("secret")).rejects.toThrow(/encrypted end to end/);
  await ann.leave();
});
