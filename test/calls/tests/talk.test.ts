// Published clients talk to each other through the SFU.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser } from "playwright-core";
import { AccessToken, TokenVerifier } from "livekit-server-sdk";
import { key, secret, startSFU, type SFU } from "../src/sfu.js";
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
});

for (const v0 of [false, true]) {
  test(`two browsers see and hear each other, with ${v0 ? "two peer connections" : "one peer connection"} each`, async () => {
    const room = `talk-${v0}`;
    const ann = await Party.join(browser, pages.url, sfu, "ann", room, { v0 });
    const bob = await Party.join(browser, pages.url, sfu, "bob", room, { v0 });
    await Promise.all([ann.decodes("bob"), bob.decodes("ann")]);
    // Audio energy: the made-up microphone beeps once a second.
    for (const [p, other] of [[ann, "bob"], [bob, "ann"]] as const) {
      await expect.poll(async () => (await p.heard()).find((h) => h.kind === "audio" && h.identity === other)?.energy ?? 0, { timeout: 10_000 }).toBeGreaterThan(0.001);
    }
    // Data, reliable and lossy, comes under the name that the server knows.
    await ann.run(`await room.localParticipant.publishData(new TextEncoder().encode("hello"), { reliable: true, topic: "t" });`);
    await ann.run(`await room.localParticipant.publishData(new TextEncoder().encode("quick"), { reliable: false, topic: "u" });`);
    await bob.until(`return w.events.some((e) => e[0] === "data" && e[1] === "ann" && e[2] === "t" && e[3] === "hello") && w.events.some((e) => e[0] === "data" && e[3] === "quick");`);
    // Whoever speaks is shown, without asking anybody.
    await bob.until(`return w.events.some((e) => e[0] === "activeSpeakersChanged" && e[1].length > 0);`);
    // Mute is seen; leaving too.
    await ann.run("await room.localParticipant.setMicrophoneEnabled(false);");
    await bob.until(`return w.events.some((e) => e[0] === "trackMuted");`);
    await ann.leave();
    await bob.until(`return w.events.some((e) => e[0] === "participantDisconnected" && e[1] === "ann");`);
    await bob.leave();
  });
}

test("a token for another room, of another key, expired or forged is refused", async () => {
  const t = async (g: Partial<{ k: string; s: string; ttl: number; room: string }>) => {
    const a = new AccessToken(g.k ?? key, g.s ?? secret, { identity: "eve", ttl: g.ttl ?? 600 });
    a.addGrant({ roomJoin: true, room: g.room ?? "r" });
    return a.toJwt();
  };
  const status = async (token: string) => (await fetch(`${sfu.http}/rtc/v1/validate?access_token=${token}`)).status;
  const good = await t({});
  await new TokenVerifier(key, secret).verify(good);
  expect(await status(good)).toBe(200);
  expect(await status(await t({ s: "another secret, as long as the first one" }))).toBe(401);
  expect(await status(await t({ k: "nobody" }))).toBe(401);
  expect(await status(await t({ ttl: -60 }))).toBe(401);
  const [head, , signature] = good.split(".");
  const forged = Buffer.from(JSON.stringify({ iss: key, sub: "eve", exp: 4e9, video: { roomAdmin: true } })).toString("base64url");
  expect(await status(`${head}.${forged}.${signature}`)).toBe(401);
  // A token without the right to join opens no socket.
  const admin = new AccessToken(key, secret, { identity: "eve" });
  admin.addGrant({ roomAdmin: true, room: "r" });
  expect((await fetch(`${sfu.http}/rtc/validate?access_token=${await admin.toJwt()}`)).status).toBe(403);
});
