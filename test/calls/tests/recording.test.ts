// A call is recorded: everybody sees that it is, and its files are in the conversation afterwards.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Joined, Recording } from "@skein/client/calls";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, until } from "../src/chat.js";
import { type Own, startOwn } from "../src/own.js";
import { launch, Party, startPages } from "../src/party.js";
import { play } from "../src/recorded.js";

let own: Own;
let alice: Device, bob: Device, bobsTablet: Device;
let browser: Browser;
let player: Page;
let pages: { url: string; stop(): Promise<void> };
const dir = mkdtempSync(join(tmpdir(), "skein-recording-"));
beforeAll(async () => {
  [own, browser, pages] = await Promise.all([startOwn(), launch(), startPages()]);
  [alice, bob, bobsTablet] = await Promise.all([own.device("alice", "phone"), own.device("bob", "phone"), own.device("bob", "tablet")]);
  player = await (await browser.newContext()).newPage();
  await player.goto(pages.url);
});
afterAll(async () => {
  await browser?.close();
  await pages?.stop();
  await own?.stop();
  rmSync(dir, { recursive: true });
});

function enter({ access }: Joined, publish: "both" | "audio" = "both"): Promise<Party> {
  if (access === undefined) throw new Error("nobody was let in");
  return Party.join(browser, pages.url, { url: access.url, token: () => Promise.resolve(access.token) }, access.identity, "", { publish });
}

/** A file of a recording as one who may read the message gets it. */
async function fetchTrack(user: string, recording: Recording, n: number): Promise<{ status: number; file: string }> {
  const { token } = (await (await fetch(`${own.url}/dev/token`, { method: "POST", body: JSON.stringify({ user }) })).json()) as { token: string };
  const t = recording.tracks[n]!;
  const answer = await fetch(`${own.url}/v1/files/${t.file}?c=${encodeURIComponent(recording.conversation)}&s=${t.seq}`, { headers: { Authorization: `Bearer ${token}`, "Skein-App": "demo", "X-Skein-App": "demo" } });
  const file = join(dir, `${t.file}${t.mime.startsWith("audio") ? ".ogg" : ".webm"}`);
  writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
  return { status: answer.status, file };
}

test("both of a call are recorded, and play in step from the conversation afterwards", async () => {
  const conversation = alice.conversation.with("bob");
  const started = await alice.calls.start(conversation, { video: true });
  const hers = await enter(started);
  await expect(bob.calls.record(started.call.id)).rejects.toMatchObject({ code: "permission_denied" });
  const recorded = await alice.calls.record(started.call.id);
  expect(recorded.recording?.user).toBe("alice");
  expect((await alice.calls.record(started.call.id)).recording).toEqual(recorded.recording); // twice is once
  // Whoever comes later is recorded as well, and knows before they answer.
  await until("bob's devices to know", () => bobsTablet.calls.now[0]?.recording?.user === "alice");
  const joined = await bob.calls.accept(started.call.id);
  expect(joined.call.recording?.user).toBe("alice");
  const his = await enter(joined, "audio");
  await until("both are heard", async () => (await hers.heard()).some((h) => h.bytes > 0) && (await his.heard()).some((h) => h.framesDecoded > 5));
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await alice.calls.stopRecording(started.call.id);
  await until("bob to know that it is over", () => bob.calls.now[0]?.recording === undefined);
  let recording: Recording | undefined;
  await until("the files", async () => {
    recording = (await bob.calls.recordings({ call: started.call.id })).recordings[0];
    return recording?.state === "done";
  });
  const tracks = recording!.tracks;
  expect(tracks.map((t) => `${t.user} ${t.source}`).sort()).toEqual(["alice camera", "alice microphone", "bob microphone"]);
  expect(recording).toMatchObject({ recorder: "alice", conversation: conversation.id, problem: "" });
  await until("the line", () => conversation.lastMessage !== undefined && alice.calls.line(conversation.lastMessage)?.kind === "recorded");
  expect(alice.calls.line(conversation.lastMessage!)).toMatchObject({ recording: recording!.id, recorder: "alice" });
  await Promise.all(tracks.map(async (t, n) => {
    const { status, file } = await fetchTrack("bob", recording!, n);
    expect(status).toBe(200);
    const seen = await play(player, file);
    expect(seen.error).toBe("");
    expect(Math.abs(seen.duration - t.duration / 1000)).toBeLessThan(0.2);
    expect(t.started).toBeGreaterThan(recording!.started - 1000);
    expect(t.started + t.duration).toBeLessThan(recording!.ended! + 1500);
    if (t.source === "microphone") expect(seen.loudness).toBeGreaterThan(0.02);
    else expect(seen.frames).toBeGreaterThan(10);
  }));
  // Nobody else reads them.
  expect((await fetchTrack("eve", recording!, 0)).status).toBe(404);
  await alice.calls.end(started.call.id);
  await Promise.all([hers, his].map((p) => p.page.context().close()));
});

/** The files that the media server writes at this moment. */
async function recorded({ data }: Own): Promise<string[]> {
  const names = (await readdir(join(data, "recordings"), { recursive: true })).filter((name) => name.endsWith(".json"));
  const manifests = await Promise.all(names.map((name) => readFile(join(data, "recordings", name), "utf8").catch(() => "{}")));
  return names.filter((_, n) => manifests[n]?.includes("EGRESS_ACTIVE"));
}

test("the media server and then the server die in a recording: what there was is kept, and it goes on", async () => {
  const started = await alice.calls.start(alice.conversation.with("bob"));
  const hers = await enter(started, "audio");
  const his = await enter(await bob.calls.accept(started.call.id), "audio");
  const heard = async (p: Party): Promise<number> => (await p.heard()).reduce((sum, h) => sum + h.bytes, 0);
  await until("a voice", async () => (await heard(hers)) > 0 && (await heard(his)) > 0);
  await alice.calls.record(started.call.id);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const first = await recorded(own);
  process.kill(own.lives.at(-1)!.pid, "SIGKILL");
  await until("the second part", async () => (await recorded(own)).filter((name) => !first.includes(name)).length === 2, 40_000);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const second = [...first, ...(await recorded(own))];
  await own.restart("SIGKILL");
  await until("the third part", async () => (await recorded(own)).filter((name) => !second.includes(name)).length === 2, 40_000);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await alice.calls.end(started.call.id);
  let recording: Recording | undefined;
  await until("the files", async () => {
    recording = (await bob.calls.recordings({ call: started.call.id })).recordings[0];
    return recording?.state === "done";
  }, 90_000);
  for (const user of ["alice", "bob"]) expect(recording!.tracks.filter((t) => t.user === user).length).toBeGreaterThanOrEqual(3);
  await Promise.all(recording!.tracks.map(async (_, n) => {
    const seen = await play(player, (await fetchTrack("alice", recording!, n)).file);
    expect(seen.error).toBe("");
    expect(seen.decoded).toBeGreaterThan(0.5);
  }));
  await Promise.all([hers, his].map((p) => p.page.context().close()));
}, 120_000);
