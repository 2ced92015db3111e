// Pictures, films, voice and files in messages: how they are chosen, shown, played, found and taken along.
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { fakeDevices, launch, profile } from "../src/browser.ts";
import { findings, shot } from "../src/look.ts";
import { drag, film, noise, paste, picture } from "../src/media.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
/** English, on a desktop. */
let alice: App;
/** Chinese, dark, on a phone. */
let bob: App;
const problems: string[][] = [];
const beach = picture("beach.png", 1600, 1000, 200);
const wood = picture("wood.png", 900, 1400, 100);
const town = picture("town.png", 1200, 1200, 20);

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch(...fakeDevices)]);
  const [first, second] = await Promise.all([
    profile(browser, { viewport: { width: 1280, height: 800 }, permissions: ["clipboard-read", "clipboard-write", "microphone", "camera"] }),
    profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN", colorScheme: "dark", hasTouch: true, isMobile: true, deviceScaleFactor: 2, permissions: ["microphone", "camera"] }),
  ]);
  problems.push(first.problems, second.problems);
  alice = await App.open(first.context, server, "alice");
  bob = await App.open(second.context, server, "bob");
  await alice.chatWith("bob");
  await alice.send("hello");
  await bob.row("alice").tap();
  await bob.sees("hello");
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** The picture at a place is drawn with its own pixels, out of this part of an address. */
async function drawn(tile: Locator, from: RegExp): Promise<void> {
  const image = tile.locator("img");
  await eventually(() => image.evaluate((element: HTMLImageElement) => [element.naturalWidth > 0, element.src] as const), ([there, src]) => there && from.test(src));
}

test("pictures are chosen, thinned out, captioned and sent, and stand in an album whose size is known before they come", async () => {
  const dialog = await alice.choose("Photo or video", [beach, wood, town]);
  await dialog.getByRole("heading", { name: "Send 3 photos" }).waitFor();
  await dialog.getByRole("img", { name: "town.png" }).waitFor();
  await dialog.getByRole("textbox").fill("Two of the *weekend*");
  await shot(alice.page, "send-dialog");
  expect(await findings(alice.page)).toEqual([]);
  await dialog.getByRole("button", { name: "Remove town.png" }).click();
  await dialog.getByRole("heading", { name: "Send 2 photos" }).waitFor();
  await dialog.getByRole("textbox").press("Enter");
  await dialog.waitFor({ state: "detached" });

  // Nothing moves while they load: the box is there before them.
  await bob.page.route("**/v1/files/**", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await route.continue();
  });
  const album = bob.page.locator(".album");
  await album.waitFor();
  await album.locator("canvas").first().waitFor({ state: "attached" });
  const before = await album.boundingBox();
  await drawn(album.locator(".album-tile").nth(0), /[?&]t=[ml]/);
  await drawn(album.locator(".album-tile").nth(1), /[?&]t=[ml]/);
  expect((await album.boundingBox())?.height).toBeCloseTo(before?.height ?? 0, 0);
  await bob.page.unroute("**/v1/files/**");
  await bob.page.locator(".files-caption em", { hasText: "weekend" }).waitFor();
  // What the sender sees is their own copy: nothing was fetched.
  await drawn(alice.page.locator(".album-tile").first(), /^blob:/);
  await shot(alice.page, "album");
  await shot(bob.page, "album-phone");
  expect(await findings(bob.page)).toEqual([]);
});

test("a drop says where it goes, a paste brings a screenshot, a photo is taken, and a picture goes as a file", async () => {
  const dragged = await drag(alice.page, ".thread", [noise("A very long name of the quarterly report of 2026.pdf", 123_456, "application/pdf"), noise("data.zip", 5555, "application/zip")]);
  await alice.page.getByText("Drop to send to bob").waitFor();
  const zone = await alice.page.locator(".dropzone").boundingBox();
  expect(zone?.height).toBe((await alice.page.locator("main.thread").boundingBox())?.height);
  await shot(alice.page, "drop");
  await dragged.drop();
  let dialog = alice.page.getByRole("dialog", { name: "Send 2 files" });
  await dialog.getByText("data.zip").waitFor();
  await alice.sendChosen();
  const card = bob.page.locator("a.card-file", { hasText: "2026.pdf" });
  await card.waitFor();
  expect(await card.getAttribute("href")).toMatch(/[?&]d=1/);
  await shot(bob.page, "cards-phone");

  await paste(alice.page, ".composer-field", { ...picture("image.png", 800, 500, 280) });
  dialog = alice.page.getByRole("dialog", { name: "Send a photo" });
  await dialog.getByRole("img", { name: /^Screenshot \d{4}-\d\d-\d\d/ }).waitFor();
  await dialog.getByText("Send as files").click();
  dialog = alice.page.getByRole("dialog", { name: "Send a file" });
  await dialog.locator(".file-name", { hasText: "Screenshot" }).waitFor();
  await shot(alice.page, "send-as-file");
  await alice.sendChosen();
  await bob.page.locator("a.card-file", { hasText: ".png" }).waitFor();

  await alice.page.getByRole("button", { name: "Attach" }).click();
  await shot(alice.page, "attach-menu");
  await alice.page.getByRole("menuitem", { name: "Camera" }).click();
  const camera = alice.page.getByRole("dialog", { name: "Take a photo" });
  await eventually(() => camera.locator("video").evaluate((video: HTMLVideoElement) => video.videoWidth), (width) => width > 0);
  await shot(alice.page, "camera");
  await camera.getByRole("button", { name: "Take the photo" }).click();
  await camera.getByRole("button", { name: "Use this photo" }).click();
  dialog = alice.page.getByRole("dialog", { name: "Send a photo" });
  await dialog.getByRole("img", { name: /^photo-/ }).waitFor();
  await alice.sendChosen();
  await eventually(() => bob.page.locator(".album").count(), (count) => count === 2);

  // A thread takes its files for itself.
  await alice.menu("hello", "Reply in thread");
  const pane = alice.page.locator(".thread-pane");
  await pane.locator(".composer-field").waitFor();
  const aside = await drag(alice.page, ".thread-pane", [noise("aside.csv", 900, "text/csv")]);
  await pane.getByText(/^Drop to send to (hello|📷)/).waitFor();
  await shot(alice.page, "drop-thread");
  await aside.drop();
  await alice.page.getByRole("dialog", { name: "Send a file" }).waitFor();
  await alice.sendChosen();
  await pane.locator("a.card-file", { hasText: "aside.csv" }).waitFor();
  expect(await alice.page.locator("main .card-file", { hasText: "aside.csv" }).count()).toBe(0);
  await pane.getByRole("button", { name: "Close thread" }).click();

  // A phone opens its own camera.
  await bob.page.locator(".composer-row > .icon-button").first().tap();
  const opened = bob.page.waitForEvent("filechooser");
  await bob.page.getByRole("menuitem", { name: "相机" }).tap();
  expect(await (await opened).element().getAttribute("capture")).toBe("environment");
  await (await opened).setFiles([{ ...town }]);
  dialog = bob.page.getByRole("dialog", { name: "发送照片" });
  await dialog.getByRole("img", { name: "town.png" }).waitFor();
  await shot(bob.page, "send-dialog-phone");
  expect(await findings(bob.page)).toEqual([]);
  await bob.sendChosen();
  await eventually(() => alice.page.locator(".album").count(), (count) => count === 3);
});

test("a film has its poster and its length, plays in the gallery, and reads from where one goes to", async () => {
  const clip = await film(alice.page, "walk.webm", 4);
  const dialog = await alice.choose("Photo or video", [clip]);
  await dialog.locator("video").waitFor();
  await alice.sendChosen();
  const tile = bob.page.locator(".album-tile", { has: bob.page.locator(".tile-play") });
  await drawn(tile, /\/v1\/files\/[0-9a-f]{32}\?/);
  await shot(bob.page, "film-phone");
  const asked: string[] = [];
  bob.page.on("request", (request) => {
    if (request.resourceType() === "media") asked.push(request.headers()["range"] ?? "");
  });
  await tile.locator(".tile").tap();
  const video = bob.page.locator(".gallery video");
  await video.evaluate((element: HTMLVideoElement) => element.play());
  await eventually(() => video.evaluate((element: HTMLVideoElement) => element.currentTime), (at) => at > 0.2);
  await video.evaluate((element: HTMLVideoElement) => (element.currentTime = 3));
  await eventually(() => video.evaluate((element: HTMLVideoElement) => [element.currentTime, element.readyState, element.seeking] as const), ([at, ready, seeking]) => at >= 3 && ready >= 2 && !seeking);
  // Not from the beginning on: from where the film goes on.
  expect(asked.filter((range) => /^bytes=[1-9]\d*-/.test(range)).length).toBeGreaterThan(0);
  await shot(bob.page, "film-gallery-phone");
  expect(await findings(bob.page)).toEqual([]);
  await bob.page.getByRole("button", { name: "关闭" }).tap();

  // A film that cannot be played says so, and can be saved.
  await bob.page.route(/\/v1\/files\//, (route) => (route.request().resourceType() === "media" ? route.fulfill({ status: 200, contentType: "video/webm", body: "no film" }) : route.continue()));
  await tile.locator(".tile").tap();
  await bob.page.getByRole("alert").filter({ hasText: "无法在此播放此视频" }).waitFor();
  await bob.page.getByRole("button", { name: "关闭" }).tap();
  await bob.page.unroute(/\/v1\/files\//);
});

test("the gallery goes through the whole conversation: keys, zoom, swipes, save, copy, forward, the message", async () => {
  await alice.page.mouse.move(800, 400);
  await alice.page.mouse.wheel(0, -6000);
  await alice.page.getByRole("button", { name: "Photo: beach.png, 1 of 2" }).click();
  const gallery = alice.page.getByRole("dialog", { name: "Pictures and videos" });
  const position = gallery.locator(".gallery-position");
  await eventually(() => position.textContent(), (text) => text === "1 of 5");
  await gallery.getByRole("img", { name: "Two of the weekend" }).waitFor();
  await shot(alice.page, "gallery");
  expect(await findings(alice.page)).toEqual([]);
  await alice.page.keyboard.press("ArrowRight");
  await eventually(() => position.textContent(), (text) => text === "2 of 5");
  const scale = () => gallery.locator(".zoom-picture").evaluate((element) => Number(/scale\(([\d.]+)\)/.exec((element as HTMLElement).style.transform)?.[1]));
  await alice.page.keyboard.press("+");
  expect(await scale()).toBeCloseTo(1.5, 1);
  // Zoomed, the arrows move the picture and not to the next one.
  await alice.page.keyboard.press("ArrowRight");
  expect(await position.textContent()).toBe("2 of 5");
  await alice.page.keyboard.press("0");
  expect(await scale()).toBe(1);
  await alice.page.mouse.move(640, 400);
  await alice.page.mouse.wheel(0, -400);
  await eventually(scale, (now) => now > 1.5);
  await shot(alice.page, "gallery-zoom");
  await alice.page.mouse.dblclick(640, 400);
  await eventually(scale, (now) => now === 1);
  // The focus stays inside.
  for (let i = 0; i < 12; i++) await alice.page.keyboard.press("Tab");
  expect(await gallery.evaluate((element) => element.contains(document.activeElement) || document.activeElement === document.body)).toBe(true);

  const download = alice.page.waitForEvent("download");
  await gallery.getByRole("button", { name: "Save" }).click();
  expect((await download).suggestedFilename()).toBe("wood.png");
  await gallery.getByRole("button", { name: "Copy picture" }).click();
  await alice.page.getByText("Picture copied").waitFor();
  expect(await alice.page.evaluate(async () => (await navigator.clipboard.read())[0]?.types)).toContain("image/png");
  await gallery.getByRole("button", { name: "Forward" }).click();
  const forward = alice.page.getByRole("dialog", { name: "Forward to" });
  await forward.getByRole("radio", { name: /Notes/ }).click();
  await forward.getByRole("button", { name: "Forward" }).click();
  await alice.page.getByText(/Forwarded to/).waitFor();
  await alice.page.keyboard.press("End");
  await eventually(() => position.textContent(), (text) => text === "5 of 5");
  await alice.page.keyboard.press("Home");
  await gallery.getByRole("button", { name: "Go to the message" }).click();
  await gallery.waitFor({ state: "detached" });
  await alice.flashed("weekend");

  // Nothing was uploaded again, and it is seen there too.
  await alice.row("Notes to self").click();
  await drawn(alice.page.locator(".album-tile").first(), /\/v1\/files\//);
  await alice.row("bob").click();

  // On a phone: a swipe to the side, a double tap, a swipe down.
  await bob.page.locator(".album .tile").last().tap();
  const phone = bob.page.getByRole("dialog", { name: "图片和视频" });
  await phone.locator(".gallery-position", { hasText: /^第 \d 项，共 5 项$/ }).waitFor();
  const at = async () => Number(/第 (\d)/.exec((await phone.locator(".gallery-position").textContent()) ?? "")?.[1]);
  const first = await at();
  const touch = await bob.page.context().newCDPSession(bob.page);
  const swipe = async (from: readonly [number, number], to: readonly [number, number]) => {
    await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x: from[0], y: from[1] }] });
    for (const part of [0.3, 0.6, 1]) await touch.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: [{ x: from[0] + (to[0] - from[0]) * part, y: from[1] + (to[1] - from[1]) * part }] });
    await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  };
  await swipe([80, 400], [300, 405]);
  await eventually(at, (now) => now === first - 1);
  await shot(bob.page, "gallery-phone");
  await swipe([180, 250], [182, 620]);
  await phone.waitFor({ state: "detached" });
  expect(await bob.page.locator(".thread-name").textContent()).toBe("alice");
});

test("a voice message is recorded, heard, sent, sought in, and the next one plays on", async () => {
  const mic = alice.page.getByRole("button", { name: "Record a voice message" });
  const box = await mic.boundingBox();
  if (!box) throw new Error("no button");
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const recording = alice.page.getByRole("group", { name: "Recording a voice message" });

  // Held and slid aside: nothing is sent.
  await alice.page.mouse.move(x, y);
  await alice.page.mouse.down();
  await recording.getByText(/Slide to cancel/).waitFor();
  await shot(alice.page, "recording-held");
  await alice.page.mouse.move(x - 130, y, { steps: 4 });
  await recording.getByText("Release to cancel").waitFor();
  await alice.page.mouse.up();
  await recording.waitFor({ state: "detached" });
  await mic.waitFor();

  // Held and let go: it goes.
  await alice.page.mouse.move(x, y);
  await alice.page.mouse.down();
  await recording.locator(".recorder-time", { hasText: /0:0[1-9]/ }).waitFor();
  await alice.page.mouse.up();
  await bob.page.getByRole("group", { name: "语音消息" }).first().waitFor();

  // Held and slid up: it goes on with free hands; stopped, it is heard before it goes.
  await alice.page.mouse.move(x, y);
  await alice.page.mouse.down();
  await recording.getByText(/Slide to cancel/).waitFor();
  await alice.page.mouse.move(x, y - 100, { steps: 4 });
  await recording.getByRole("button", { name: "Stop and listen" }).waitFor();
  await alice.page.mouse.up();
  await recording.locator(".recorder-time", { hasText: /0:0[2-9]/ }).waitFor();
  await shot(alice.page, "recording");
  expect(await findings(alice.page)).toEqual([]);
  await recording.getByRole("button", { name: "Stop and listen" }).click();
  const preview = alice.page.getByRole("group", { name: "Your recording" }).first();
  await preview.getByRole("button", { name: "Play" }).click();
  await preview.getByRole("button", { name: "Pause" }).waitFor();
  await shot(alice.page, "recorded");
  await preview.getByRole("button", { name: "Send the voice message" }).click();
  await preview.waitFor({ state: "detached" });

  const voices = bob.page.getByRole("group", { name: "语音消息" });
  await eventually(() => voices.count(), (count) => count === 2);
  // More than silence was measured.
  expect(await voices.last().locator(".voice-bar").evaluateAll((all) => new Set(all.map((bar) => (bar as HTMLElement).style.height)).size)).toBeGreaterThan(2);
  await voices.first().getByRole("button", { name: "播放", exact: true }).tap();
  await voices.first().getByRole("button", { name: "1 倍速" }).tap();
  await voices.first().getByRole("button", { name: "1.5 倍速" }).tap();
  await shot(bob.page, "voice-phone");
  // The first ends, the second plays on, at the same speed.
  await voices.last().getByRole("button", { name: "暂停" }).waitFor();
  await voices.last().getByRole("button", { name: "2 倍速" }).waitFor();
  await voices.last().getByRole("button", { name: "播放", exact: true }).waitFor();
  const slider = voices.last().getByRole("slider");
  const wave = await slider.boundingBox();
  if (!wave) throw new Error("no waveform");
  await bob.page.touchscreen.tap(wave.x + wave.width * 0.6, wave.y + wave.height / 2);
  await eventually(() => voices.last().locator(".voice-bar[data-heard=true]").count(), (count) => count >= 20);
  expect(await findings(bob.page)).toEqual([]);

  // Who has not allowed the microphone is told how to.
  await bob.page.evaluate(() => (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"))));
  await bob.page.getByRole("button", { name: "录制语音消息" }).tap();
  const denied = bob.page.getByRole("dialog", { name: "未允许使用麦克风" });
  await denied.getByText("请在浏览器中允许").waitFor();
  await shot(bob.page, "mic-denied-phone");
  await denied.getByRole("button", { name: "关闭" }).tap();
});

test("everything that was sent is found by kind and month, and leads to its message", async () => {
  await alice.send("see https://a.example/plan and www.b.example");
  await bob.sees("a.example");
  await alice.page.locator(".thread-info").click();
  await alice.page.getByRole("button", { name: "Media, files, voice, links" }).click();
  const panel = alice.page.getByRole("tabpanel");
  await eventually(() => panel.getByRole("button", { name: /^(Photo|Video): / }).count(), (count) => count === 5);
  await shot(alice.page, "media");
  expect(await findings(alice.page)).toEqual([]);
  await alice.page.getByRole("tab", { name: "Media" }).press("ArrowRight");
  await panel.getByRole("link", { name: /2026\.pdf/ }).waitFor();
  await shot(alice.page, "media-files");
  await alice.page.getByRole("tab", { name: "Voice" }).click();
  await eventually(() => panel.getByRole("group", { name: "Voice message" }).count(), (count) => count === 2);
  await alice.page.getByRole("tab", { name: "Links" }).click();
  await panel.getByRole("link", { name: /a\.example/ }).waitFor();
  await panel.getByRole("button", { name: "Go to the message" }).first().click();
  await alice.flashed("a.example");
  await alice.page.keyboard.press("Escape");

  // A phone, Chinese, and where nothing was sent yet.
  await bob.page.getByRole("button", { name: "返回" }).tap();
  expect(await bob.row("alice").locator(".chat-preview").textContent()).toContain("a.example");
  await bob.chatWith("carol");
  await bob.page.locator(".thread-who").tap();
  await bob.page.getByRole("button", { name: "媒体、文件、语音、链接" }).tap();
  await bob.page.getByText("还没有照片或视频").waitFor();
  await shot(bob.page, "media-empty-phone");
  await bob.page.getByRole("button", { name: "返回" }).last().tap();
  await bob.page.getByRole("button", { name: "关闭" }).tap();
  await bob.page.getByRole("button", { name: "返回" }).tap();
  await bob.row("alice").tap();
  await bob.page.locator(".thread-who").tap();
  await bob.page.getByRole("button", { name: "媒体、文件、语音、链接" }).tap();
  await bob.page.locator(".mediatab-cell").nth(4).waitFor();
  await shot(bob.page, "media-phone");
  expect(await findings(bob.page)).toEqual([]);
  await bob.page.getByRole("button", { name: "返回" }).last().tap();
  await bob.page.getByRole("button", { name: "关闭" }).tap();

  // What lies far back is not loaded: the server knows of it, page by page.
  const writer = await server.client("alice");
  for (let i = 1; i <= 70; i++) writer.conversation.with("bob").sendLocal({ text: `https://links.example/${i}` });
  await bob.sees("links.example/70");
  await bob.page.reload();
  await bob.sees("links.example/70");
  await bob.page.locator(".thread-who").tap();
  await bob.page.getByRole("button", { name: "媒体、文件、语音、链接" }).tap();
  await bob.page.locator(".mediatab-cell").nth(4).waitFor();
  await bob.page.locator(".mediatab-cell").nth(1).tap();
  const gallery = bob.page.getByRole("dialog", { name: "图片和视频" });
  await gallery.locator(".gallery-position", { hasText: "第 4 项，共 5 项" }).waitFor();
  await bob.page.keyboard.press("Home");
  await gallery.locator(".gallery-position", { hasText: "第 1 项，共 5 项" }).waitFor();
  await gallery.getByRole("button", { name: "关闭" }).tap();
  await bob.page.getByRole("tab", { name: "链接" }).tap();
  await bob.page.getByRole("tabpanel").getByRole("link", { name: "https://links.example/70" }).waitFor();
  await bob.page.locator(".info-body").evaluate((body) => (body.scrollTop = body.scrollHeight));
  await bob.page.getByRole("tabpanel").getByRole("link", { name: "https://a.example/plan" }).waitFor();
  await bob.page.getByRole("button", { name: "返回" }).last().tap();
  await bob.page.getByRole("button", { name: "关闭" }).tap();
});

test("a caption is edited, an answer and the list say what it is, and what is gone says so", async () => {
  await alice.choose("Photo or video", [beach]);
  await alice.sendChosen();
  const last = alice.page.locator("[data-message]").last();
  await last.locator(".ticks[data-state=sent], .ticks[data-state=delivered], .ticks[data-state=read]").waitFor();
  await alice.row("bob").locator(".chat-preview", { hasText: "You: 📷 Photo" }).waitFor();
  await bob.page.locator("[data-message]").last().locator(".tile").waitFor();
  const own = last.locator(".bubble");
  await own.click({ button: "right", position: { x: 60, y: 2 } });
  await alice.page.getByRole("menuitem", { name: "Edit caption" }).click();
  await alice.field.fill("by the sea");
  await alice.field.press("Enter");
  await bob.page.locator(".files-caption", { hasText: "by the sea" }).waitFor();

  await alice.page.locator("[data-message]").last().locator(".bubble").click({ button: "right", position: { x: 60, y: 2 } });
  await alice.page.getByRole("menuitem", { name: "Reply", exact: true }).click();
  await alice.send("lovely");
  await bob.page.locator(".quote-text", { hasText: "📷 by the sea" }).waitFor();

  // Where there is no preview, the picture itself is shown.
  await bob.page.context().route(/\/v1\/files\/.*[?&]t=/, (route) => route.fulfill({ status: 404, body: "" }));
  await bob.page.reload();
  const shown = bob.page.locator("[data-message]", { hasText: "by the sea" }).locator(".album-tile");
  await drawn(shown, /^[^?]*\?(?!.*[?&]t=)/);
  await bob.page.context().unroute(/\/v1\/files\/.*[?&]t=/);

  // The file is gone although the message is there: no broken picture.
  await bob.page.context().route(/\/v1\/files\//, (route) => route.fulfill({ status: 404, body: "" }));
  await bob.page.reload();
  await bob.page.locator(".picture-missing", { hasText: "已不可用" }).first().waitFor();
  await shot(bob.page, "gone-phone");
  expect(await findings(bob.page)).toEqual([]);
  await bob.page.context().unroute(/\/v1\/files\//);
});

test("pictures that were seen are there without a server, and gone with who signs out", async () => {
  await bob.page.reload();
  const tile = bob.page.locator("[data-message]", { hasText: "by the sea" }).locator(".album-tile");
  await drawn(tile, /\/v1\/files\//);
  const kept = () => bob.page.evaluate(async () => ((await caches.has("skein-seen")) ? (await (await caches.open("skein-seen")).keys()).length : 0));
  await eventually(kept, (count) => count > 0);
  await server.kill();
  await bob.page.reload();
  await bob.away();
  await drawn(tile, /\/v1\/files\/[0-9a-f]{32}\?c=[^&]+&s=\d+&t=[ml]$/);
  await shot(bob.page, "offline-phone");
  await server.restart();
  await bob.online();
  await drawn(tile, /&k=/);

  await bob.page.getByRole("button", { name: "返回" }).tap();
  await bob.page.getByRole("button", { name: "菜单", exact: true }).tap();
  await bob.page.getByRole("menuitem", { name: "退出登录" }).tap();
  await bob.page.getByRole("dialog").getByRole("button", { name: "退出登录" }).tap();
  await bob.page.getByRole("button", { name: "bob", exact: true }).waitFor();
  await eventually(kept, (count) => count === 0);
  expect(problems.flat()).toEqual([]);
});
