// A call as people are in it: three of them, with the media server that comes
// with the server.
import { readdirSync, readFileSync } from "node:fs";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { findings, shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;
let carol: App;

const desk: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" };
const phone: BrowserContextOptions = { viewport: { width: 360, height: 740 }, reducedMotion: "reduce", locale: "zh-CN", colorScheme: "dark", hasTouch: true };

/** Notes what a page opens, so that one can ask what of it is still open. */
function opened(): void {
  const all = { tracks: [] as MediaStreamTrack[], peers: [] as RTCPeerConnection[], workers: 0, audio: [] as AudioContext[] };
  Object.assign(window, { opened: all });
  const devices = navigator.mediaDevices;
  for (const name of ["getUserMedia", "getDisplayMedia"] as const) {
    const real = devices[name].bind(devices);
    devices[name] = async (constraints) => {
      const stream = await real(constraints);
      all.tracks.push(...stream.getTracks());
      return stream;
    };
  }
  const clone = MediaStreamTrack.prototype.clone;
  MediaStreamTrack.prototype.clone = function (this: MediaStreamTrack) {
    const made = clone.call(this);
    all.tracks.push(made);
    return made;
  };
  const Peer = RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      all.peers.push(this);
    }
  };
  const Context = AudioContext;
  window.AudioContext = class extends Context {
    constructor(options?: AudioContextOptions) {
      super(options);
      all.audio.push(this);
    }
  };
  const { Worker: RealWorker } = window;
  window.Worker = class extends RealWorker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      all.workers += 1;
    }
    override terminate(): void {
      all.workers -= 1;
      super.terminate();
    }
  };
}

/** What of it is still open. */
const leaks = (page: Page) =>
  page.evaluate(() => {
    const { tracks, peers, workers, audio } = (window as unknown as { opened: { tracks: MediaStreamTrack[]; peers: RTCPeerConnection[]; workers: number; audio: AudioContext[] } }).opened;
    return {
      tracks: tracks.filter(({ readyState }) => readyState === "live").length,
      peers: peers.filter(({ connectionState }) => connectionState !== "closed").length,
      audio: audio.filter(({ state }) => state !== "closed").length,
      workers,
    };
  });

async function person(user: string, options: BrowserContextOptions): Promise<App> {
  const { context } = await profile(browser, options);
  await context.addInitScript(opened);
  return App.open(context, server, user);
}

beforeAll(async () => {
  [server, browser] = await Promise.all([
    Server.start("--sfu", "process", "--rtc-port", "0", "--rtc-listen", "127.0.0.1"),
    launch("--use-fake-device-for-media-stream=fps=10", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows"),
  ]);
  const host = await server.client("alice");
  await host.conversation.createGroup({ id: "team", title: "Team", members: ["bob", "carol"] });
  [alice, bob, carol] = await Promise.all([person("alice", desk), person("bob", phone), person("carol", { ...desk, colorScheme: "dark" })]);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

const tile = (app: App, user: string) => app.page.locator(`.party[data-tile^="${user}/"][data-kind=camera]`);

/** Frames of somebody that a page has shown, 0 while there is no picture. */
const frames = (app: App, user: string) => tile(app, user).locator("video").evaluateAll((all) => (all as HTMLVideoElement[]).reduce((sum, video) => sum + video.getVideoPlaybackQuality().totalVideoFrames, 0));

/** Waits until a page shows more and more frames of somebody. */
async function sees(app: App, user: string): Promise<void> {
  let before = 0;
  let rises = 0;
  await eventually(
    async () => {
      const now = await frames(app, user);
      rises = now > before ? rises + 1 : now < before ? 0 : rises;
      before = now;
      return rises;
    },
    (times) => times >= 3,
    25_000,
  );
}

const button = (app: App, name: string | RegExp) => app.page.locator(".stage").getByRole("button", { name });
const banner = (app: App, text: string | RegExp) => app.page.locator(".stage-banner", { hasText: text });

/** The process that serves the media, a child of the server. */
function mediaServer(): number {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const [command, status] = [readFileSync(`/proc/${name}/cmdline`, "utf8"), readFileSync(`/proc/${name}/status`, "utf8")];
      if (command.split("\0")[1] === "sfu" && status.includes(`\nPPid:\t${server.pid}\n`)) return Number(name);
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error("the server has no media server");
}

test("three see one another", async () => {
  await alice.row("Team").click();
  await alice.page.getByRole("button", { name: "Video call", exact: true }).click();
  await alice.page.getByRole("button", { name: /^Ring 2 people$/ }).click();
  await bob.page.getByRole("button", { name: "接听", exact: true }).click();
  await carol.page.getByRole("button", { name: "Answer", exact: true }).click();
  await Promise.all([sees(alice, "bob"), sees(alice, "carol"), sees(bob, "alice"), sees(bob, "carol"), sees(carol, "alice"), sees(carol, "bob")]);
  await tile(alice, "bob").locator(".quality").waitFor();
  await shot(alice.page, "stage-grid-light");
  await shot(carol.page, "stage-grid-dark");
  await shot(bob.page, "stage-grid-phone");
  expect(await findings(alice.page)).toEqual([]);
  expect(await findings(bob.page)).toEqual([]);
  expect(await bob.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
});

test("who is muted is marked, by themself or by the host, who is told", async () => {
  await bob.page.keyboard.press("m");
  await tile(alice, "bob").getByRole("img", { name: "Microphone off" }).waitFor();
  await tile(carol, "bob").getByRole("img", { name: "Microphone off" }).waitFor();
  // Held, the space bar unmutes.
  await bob.page.keyboard.down(" ");
  await tile(alice, "bob").getByRole("img", { name: "Microphone off" }).waitFor({ state: "detached" });
  await bob.page.keyboard.up(" ");
  await tile(alice, "bob").getByRole("img", { name: "Microphone off" }).waitFor();

  await tile(alice, "carol").hover();
  await tile(alice, "carol").getByRole("button").click();
  await alice.page.getByRole("menuitem", { name: "Mute", exact: true }).click();
  await banner(carol, "switched off by the host").waitFor();
  await shot(carol.page, "stage-muted-by-host");
  await tile(bob, "carol").getByRole("img", { name: "麦克风已关" }).waitFor();
  await banner(carol, "switched off by the host").getByRole("button", { name: "Unmute" }).click();
  await tile(bob, "carol").getByRole("img", { name: "麦克风已关" }).waitFor({ state: "detached" });
});

test("a screen is large for the others, and figures are told of all", async () => {
  await button(carol, "Show your screen").click();
  await carol.page.getByText("You are showing your screen").waitFor();
  const screen = alice.page.locator(".tiles-large > .party[data-kind=screen] video");
  await eventually(() => screen.evaluateAll((all) => (all as HTMLVideoElement[])[0]?.getVideoPlaybackQuality().totalVideoFrames ?? 0), (shown) => shown > 2);
  await bob.page.locator(".tiles-large > .party[data-kind=screen] video").waitFor();
  await button(alice, "Connection").click();
  const panel = alice.page.getByRole("complementary", { name: "Connection" });
  await panel.getByText(/kbit\/s|Mbit\/s/).first().waitFor();
  const rates = await eventually(
    () => panel.locator(".track dd").allInnerTexts(),
    (texts) => texts.filter((text) => /^[1-9][\d.]* [kM]bit\/s$/.test(text)).length >= 3,
  );
  expect(rates.join(" ")).toMatch(/VP8/i);
  await shot(alice.page, "stage-screen-details");
  await shot(bob.page, "stage-screen-phone");
  await shot(carol.page, "stage-presenting");
  expect(await findings(alice.page)).toEqual([]);
  await carol.page.getByRole("button", { name: "Stop", exact: true }).click();
  await screen.waitFor({ state: "detached" });
  await button(alice, "Connection").click();
  await button(alice, "Who speaks is large").click();
  await alice.page.locator(".tiles-large > .party").waitFor();
  await shot(alice.page, "stage-speaker");
  await button(alice, "Everybody the same size").click();
});

test("the media server is killed: everybody is told, and talks again", async () => {
  process.kill(mediaServer(), "SIGKILL");
  await Promise.all([banner(alice, "connection is lost").waitFor(), banner(bob, "连接已断开").waitFor()]);
  await shot(alice.page, "stage-reconnecting");
  await banner(alice, "connection is back").waitFor({ timeout: 20_000 });
  await Promise.all([sees(alice, "bob"), sees(alice, "carol"), sees(bob, "alice")]);
});

test("by the same words they see one another, by others not, and it is said", async () => {
  const encrypt = async (app: App, open: string, item: string, field: string, words: string, use: string) => {
    await button(app, open).last().click();
    await app.page.getByRole("menuitem", { name: item }).click();
    await app.page.getByLabel(field, { exact: true }).fill(words);
    await app.page.getByRole("button", { name: use, exact: true }).click();
  };
  await encrypt(alice, "More", "End-to-end encryption", "Words", "blue wool on Friday", "Encrypt");
  await encrypt(bob, "更多", "端到端加密", "口令", " blue wool  on Friday", "加密");
  await banner(carol, /Enter the words/).waitFor();
  await Promise.all([sees(alice, "bob"), sees(bob, "alice")]);
  await encrypt(carol, "More", "End-to-end encryption", "Words", "red wool", "Encrypt");
  await banner(carol, "everyone must use the same words").waitFor();
  await banner(alice, "everyone must use the same words").waitFor();
  await button(alice, "Encrypted end to end: who uses other words").waitFor();
  await shot(alice.page, "stage-other-words");
  await shot(carol.page, "stage-other-words-dark");
  await banner(carol, "everyone must use the same words").getByRole("button", { name: "Enter the words" }).click();
  await carol.page.getByLabel("Words", { exact: true }).fill("blue wool on Friday");
  await carol.page.getByRole("button", { name: "Use these words" }).click();
  await Promise.all([sees(carol, "alice"), sees(alice, "carol")]);
  await banner(alice, "everyone must use the same words").waitFor({ state: "detached" });
});

test("the call is a small window while one chats, and leaves nothing behind", async () => {
  await alice.page.keyboard.press("Escape");
  expect(alice.page.url()).toContain("#/c/");
  const mini = alice.page.getByRole("region", { name: "The call goes on here" });
  await mini.locator("video").waitFor();
  await alice.send("Back in a minute");
  await alice.sees("Back in a minute");
  const before = await mini.boundingBox();
  await mini.getByRole("button", { name: "Move the call’s window" }).press("ArrowUp");
  expect((await mini.boundingBox())?.y).toBeLessThan(before?.y ?? 0);
  await shot(alice.page, "stage-mini");
  expect(await findings(alice.page)).toEqual([]);
  expect(await leaks(alice.page)).toMatchObject({ workers: 1 });
  await mini.getByRole("button", { name: "Leave the call" }).click();
  await mini.waitFor({ state: "detached" });
  await eventually(() => leaks(alice.page), (left) => Object.values(left).every((n) => n === 0));
  await tile(bob, "alice").waitFor({ state: "detached" });
});
