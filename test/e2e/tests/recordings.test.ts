// A call that is recorded in the app, and played from its conversation.
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { findings, shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;
const problems: string[][] = [];

async function person(user: string, options: BrowserContextOptions): Promise<App> {
  const { context, problems: own } = await profile(browser, { reducedMotion: "reduce", ...options });
  problems.push(own);
  return App.open(context, server, user);
}

beforeAll(async () => {
  [server, browser] = await Promise.all([
    Server.start("--sfu", "process", "--rtc-port", "0", "--rtc-listen", "127.0.0.1"),
    launch("--use-fake-device-for-media-stream=fps=10", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows"),
  ]);
  [alice, bob] = await Promise.all([person("alice", { viewport: { width: 1280, height: 800 } }), person("bob", { viewport: { width: 360, height: 740 }, locale: "zh-CN", colorScheme: "dark", hasTouch: true })]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

test("the host records, everybody sees it, and it plays in step from its line", async () => {
  await alice.chatWith("bob");
  await alice.page.getByRole("button", { name: "Video call", exact: true }).click();
  await bob.page.getByRole("button", { name: "接听", exact: true }).click();
  await alice.page.locator(".party[data-tile^='bob/'] video").waitFor();

  await alice.page.locator(".stage").getByRole("button", { name: "More", exact: true }).click();
  await alice.page.getByRole("menuitem", { name: "Record the call" }).click();
  await alice.page.getByRole("button", { name: "Record", exact: true }).click();
  await alice.page.locator(".recording-mark").waitFor();
  await bob.page.locator(".recording-mark", { hasText: "alice 正在录制" }).waitFor();
  await shot(alice.page, "recording-mark");
  await shot(bob.page, "recording-mark-phone");
  // Also where the call is a small window.
  await alice.page.locator(".stage").getByRole("button", { name: "Back to the chat" }).click();
  await alice.page.locator(".mini .recording-mark").waitFor();
  await alice.page.locator(".mini").getByRole("button", { name: "Show the call" }).click();
  // Who did not call may not.
  await bob.page.locator(".stage").getByRole("button", { name: "更多", exact: true }).click();
  expect(await bob.page.getByRole("menuitem", { name: "录制通话" }).count()).toBe(0);
  await bob.page.keyboard.press("Escape");
  await new Promise((resolve) => setTimeout(resolve, 4000)); // something to play
  await alice.page.locator(".stage").getByRole("button", { name: "More", exact: true }).click();
  await alice.page.getByRole("menuitem", { name: "Stop recording" }).click();
  await bob.page.locator(".recording-mark").waitFor({ state: "detached" });
  await alice.page.locator(".stage").getByRole("button", { name: "Leave the call" }).click();

  for (const [app, play, name, stop] of [[alice, "Play", "alice-recording", "Pause"], [bob, "播放", "bob-recording", "暂停"]] as const) {
    if (app === bob) await bob.row("alice").click();
    await app.page.locator(".call-line").getByRole("button", { name: play }).click();
    const dialog = app.page.getByRole("dialog");
    const films = dialog.locator(".recording-place video");
    await eventually(() => films.count(), (n) => n === 2);
    await dialog.getByRole("button", { name: play, exact: true }).click();
    const bar = dialog.getByRole("slider");
    await eventually(async () => Number(await bar.inputValue()), (at) => at > 1.2);
    const times = await films.evaluateAll((all) => (all as HTMLVideoElement[]).map((film) => ({ at: film.currentTime, frames: film.getVideoPlaybackQuality().totalVideoFrames })));
    expect(times.every(({ frames }) => frames > 3)).toBe(true);
    expect(await findings(app.page)).toEqual([]);
    await shot(app.page, name);
    await dialog.getByRole("button", { name: stop, exact: true }).click();
    // It jumps: the files of both go along.
    await bar.fill("3");
    await eventually(() => films.evaluateAll((all) => (all as HTMLVideoElement[]).map((film) => film.currentTime)), (at) => at.every((one) => Math.abs(one - 3) < 0.7));
    expect(await app.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(app === bob ? 360 : 1280);
    const saved = app.page.waitForEvent("download");
    await dialog.locator(".recording-files button").first().click();
    expect((await saved).suggestedFilename()).toMatch(/^(alice|bob)-(camera|microphone)-\d+\.(webm|ogg)$/);
    await app.page.keyboard.press("Escape");
  }
  expect(problems.flat()).toEqual([]);
});

test("what is encrypted end to end is not recorded, and everybody sees it before it is too late", async () => {
  const ask = async (method: string, body: object): Promise<Response> =>
    fetch(`${server.url}/skein.v1.CallService/${method}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${await server.token("alice")}`, "Skein-App": "demo", "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  const more = async (item: string): Promise<void> => {
    await alice.page.locator(".stage").getByRole("button", { name: "More", exact: true }).click();
    await alice.page.getByRole("menuitem", { name: item }).click();
  };
  await alice.page.getByRole("button", { name: "Video call", exact: true }).click();
  // It is recorded while it rings still, and who answers has words that encrypt.
  await bob.page.getByRole("button", { name: "摄像头与声音" }).click();
  const { calls } = (await (await ask("ListCalls", {})).json()) as { calls: { id: string }[] };
  expect((await ask("StartRecording", { call: calls[0]!.id })).status).toBe(200);
  await bob.page.getByLabel("端到端加密", { exact: true }).fill("blue wool");
  await bob.page.getByRole("button", { name: "加密", exact: true }).click();
  await bob.page.keyboard.press("Escape");
  await bob.page.getByRole("button", { name: "接听", exact: true }).click();
  await alice.page.locator(".stage-banner", { hasText: "Not recorded: what bob sends is encrypted end to end." }).waitFor();
  await bob.page.locator(".stage-banner", { hasText: "你发送的内容已端到端加密，不会被录制。" }).waitFor();
  await shot(alice.page, "recording-secret");
  await shot(bob.page, "recording-secret-phone");
  // She is offered no words while she records, and no recording while he has some.
  await more("End-to-end encryption");
  await alice.page.getByRole("dialog").getByText("stop the recording first").waitFor();
  expect(await alice.page.getByRole("dialog").getByRole("button", { name: "Encrypt", exact: true }).count()).toBe(0);
  await alice.page.keyboard.press("Escape");
  await more("Stop recording");
  await alice.page.locator(".stage-banner", { hasText: "Not recorded" }).waitFor({ state: "detached" });
  await more("Record the call");
  await alice.page.getByRole("dialog").getByText("encrypted end to end, so the server cannot record it").waitFor();
  expect(await findings(alice.page)).toEqual([]);
  await alice.page.keyboard.press("Escape");
  expect(((await (await ask("StartRecording", { call: calls[0]!.id })).json()) as { code: string }).code).toBe("failed_precondition");
  await alice.page.locator(".stage").getByRole("button", { name: "Leave the call" }).click();
  // Who plays it later is told as well, in their language.
  await bob.page.locator(".call-line").getByRole("button", { name: "播放" }).last().click();
  await bob.page.getByRole("dialog").getByText("端到端加密的内容不在此录制中。").waitFor();
  await shot(bob.page, "recording-lacks-phone");
  expect(problems.flat()).toEqual([]);
});
