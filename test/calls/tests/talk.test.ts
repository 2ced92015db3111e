// Published clients talk to each other through the SFU.
import { expect, test } from "vitest";
import { AccessToken, TokenVerifier } from "livekit-server-sdk";
import { Party } from "../src/party.js";
import { key, secret, startSFU } from "../src/sfu.js";
import { withSFU } from "../src/setup.js";

const it = withSFU();

for (const v0 of [false, true]) {
  test(`two browsers see and hear each other, with ${v0 ? "two peer connections" : "one peer connection"} each`, async () => {
    const room = `talk-${v0}`;
    const ann = await it.join("ann", room, { v0 });
    const bob = await it.join("bob", room, { v0 });
    await Promise.all([ann.decodes("bob"), bob.decodes("ann")]);
    await Promise.all([ann.hears("bob"), bob.hears("ann")]);
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

test("a publisher lets those subscribe that it names, and changes its mind", async () => {
  const ann = await it.join("ann", "named", { publish: "none" });
  await ann.run(`room.localParticipant.setTrackSubscriptionPermissions(false, [{ participantIdentity: "bob", allowAll: true }]); await room.localParticipant.setMicrophoneEnabled(true);`);
  const [bob, eve] = await Promise.all(["bob", "eve"].map((who) => it.join(who, "named", { publish: "none" })));
  const gets = (on: boolean) => `const t = [...room.remoteParticipants.get("ann").trackPublications.values()][0]; return t !== undefined && (t.track !== undefined) === ${on} && t.isSubscribed === ${on};`;
  await bob!.hears("ann");
  await eve!.until(gets(false));
  // Also who asks for it gets nothing.
  await eve!.run(`for (const t of room.remoteParticipants.get("ann").trackPublications.values()) t.setSubscribed(true);`);
  await ann.run(`room.localParticipant.setTrackSubscriptionPermissions(true);`);
  await eve!.hears("ann");
  await ann.run(`room.localParticipant.setTrackSubscriptionPermissions(false, [{ participantIdentity: "eve", allowAll: true }]);`);
  await bob!.until(gets(false));
  await bob!.until(`return w.events.some((e) => e[0] === "trackSubscriptionPermissionChanged");`);
  await eve!.hears("ann");
  await Promise.all([ann, bob!, eve!].map((p) => p.leave()));
});

test("signalling and media pass over IPv6", async () => {
  const sfu = await startSFU(["--rtc-listen", "::1", "--rtc-tcp=false"], "[::1]:0");
  try {
    const ann = await Party.join(it.browser, it.pages.url, sfu, "ann", "six", { publish: "audio" });
    const bob = await Party.join(it.browser, it.pages.url, sfu, "bob", "six", { publish: "none" });
    await bob.hears("ann");
    expect((await bob.way()).remote).toBe(`::1:${sfu.rtcPort}`);
    await Promise.all([ann, bob].map((p) => p.leave()));
  } finally {
    await sfu.stop();
  }
});

test("a token for another room, of another key, expired or forged is refused", async () => {
  const t = async (g: Partial<{ k: string; s: string; ttl: number; room: string }>) => {
    const a = new AccessToken(g.k ?? key, g.s ?? secret, { identity: "eve", ttl: g.ttl ?? 600 });
    a.addGrant({ roomJoin: true, room: g.room ?? "r" });
    return a.toJwt();
  };
  const status = async (token: string) => (await fetch(`${it.sfu.http}/rtc/v1/validate?access_token=${token}`)).status;
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
  expect((await fetch(`${it.sfu.http}/rtc/validate?access_token=${await admin.toJwt()}`)).status).toBe(403);
});
