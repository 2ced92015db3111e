// Calls through the networks that people have: NATs, blocked UDP, nothing but a
// relay. Programs as they are published, each on a host of its own.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Browser } from "playwright-core";
import { Lab, mayLab, type Host } from "../src/lab.js";
import { startSFU, type SFU } from "../src/sfu.js";
import { launch, pagesInside, Party } from "../src/party.js";

const publicAddress = "203.0.113.10";
const small = { room: { videoCaptureDefaults: { resolution: { width: 320, height: 180, frameRate: 10 } } } };

/** rtc-node on a host: what it prints, and how to end it. */
function robot(host: Host, url: string, token: string, wish = {}): { lines: Record<string, number>[]; stop(): Promise<void> } {
  const line = [...host.enter, process.execPath, new URL("../src/robot.mjs", import.meta.url).pathname, url, token, JSON.stringify(wish)];
  const child = spawn(line[0]!, line.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
  const lines: Record<string, number>[] = [];
  createInterface({ input: child.stdout }).on("line", (l) => { if (l.startsWith("{")) lines.push(JSON.parse(l) as Record<string, number>); });
  return {
    lines,
    stop: () => new Promise((resolve) => {
      if (child.exitCode !== null) return resolve();
      child.once("exit", () => resolve());
      child.stdin.end();
    }),
  };
}

describe.skipIf(!mayLab)("a server behind a NAT whose public address it does not have", () => {
  let lab: Lab, sfu: SFU, server: Host, ann: Host, bob: Host, a: Browser, b: Browser;
  beforeAll(async () => {
    lab = Lab.start();
    await lab.oneToOne("cloud", publicAddress, "10.0.0.5");
    await lab.nat("home", "203.0.113.20", "any", "address");
    await lab.nat("office", "203.0.113.30", "port", "port");
    server = await lab.host("server", "10.0.0.5", "cloud");
    ann = await lab.host("ann", "192.168.1.2", "home");
    bob = await lab.host("bob", "192.168.1.2", "office");
    sfu = await startSFU(["--rtc-address", publicAddress, "--rtc-port", "7882", "--turn", "--turn-port", "3478"], "10.0.0.5:7880", { host: server, address: `${publicAddress}:7880` });
    [a, b] = await Promise.all([launch(ann), launch(bob)]);
  });
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
    await sfu?.stop();
    await lab?.stop();
  });

  test("two clients behind two other NATs see and hear each other", async () => {
    const one = await Party.join(a, pagesInside, sfu, "ann", "nat", small);
    const two = await Party.join(b, pagesInside, sfu, "bob", "nat", small);
    await Promise.all([one.decodes("bob"), two.decodes("ann")]);
    await expect.poll(async () => (await two.heard()).find((h) => h.kind === "audio")?.energy ?? 0, { timeout: 15_000 }).toBeGreaterThan(0.001);
    expect(await one.way()).toMatchObject({ protocol: "udp", remote: `${publicAddress}:7882` });
    await Promise.all([one.leave(), two.leave()]);
  });

  test("rtc-node behind a NAT and a browser behind another hear each other", async () => {
    const one = await Party.join(a, pagesInside, sfu, "ann", "robot", { ...small, publish: "audio" });
    const r = robot(bob, sfu.url, await sfu.token("robot", "robot"));
    try {
      await expect.poll(() => r.lines.at(-1)?.["energy"] ?? 0, { timeout: 20_000 }).toBeGreaterThan(0.001);
      await expect.poll(async () => (await one.heard()).find((h) => h.identity === "robot")?.energy ?? 0, { timeout: 15_000 }).toBeGreaterThan(0.001);
    } finally {
      await r.stop();
    }
    await one.leave();
  });

  test("without UDP a call goes over TCP", async () => {
    await lab.block(bob, "udp and tcp", 3478); // TURN is not to be the way
    const one = await Party.join(a, pagesInside, sfu, "ann", "tcp", small);
    const two = await Party.join(b, pagesInside, sfu, "bob", "tcp", small);
    await Promise.all([one.decodes("bob"), two.decodes("ann")]);
    expect(await two.way()).toMatchObject({ protocol: "tcp", relay: "", remote: `${publicAddress}:7882` });
    expect((await lab.counts())["bob"]!.blocked).toBeGreaterThan(0);
    await Promise.all([one.leave(), two.leave()]);
    await lab.block(bob, "nothing");
  });

  for (const over of ["udp", "tcp"] as const) {
    test(`through nothing but TURN over ${over} a call goes on`, async () => {
      await lab.block(bob, over === "tcp" ? "udp" : "tcp", 3478); // whichever way is the other one
      const one = await Party.join(a, pagesInside, sfu, "ann", `turn-${over}`, small);
      const two = await Party.join(b, pagesInside, sfu, "bob", `turn-${over}`, { ...small, connect: { rtcConfig: { iceTransportPolicy: "relay" } } });
      await Promise.all([one.decodes("bob"), two.decodes("ann")]);
      expect(await two.way()).toMatchObject({ local: "relay", relay: over, remote: `${publicAddress}:7882` });
      await Promise.all([one.leave(), two.leave()]);
      await lab.block(bob, "nothing");
    });
  }
});
