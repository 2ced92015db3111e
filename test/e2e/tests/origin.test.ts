// Files at an origin of their own: they are drawn, played and sought in as ever, and what is there has nothing of the app's.
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { film, picture, type TestFile } from "../src/media.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;
/** The origin of files; a browser takes every name below localhost for this machine. */
let files: string;
const problems: string[][] = [];

beforeAll(async () => {
  [server, browser] = await Promise.all([
    Server.startOn((port) => {
      files = `http://files.localhost:${port}`;
      return ["--files-origin", files];
    }),
    launch(),
  ]);
  const [first, second] = await Promise.all([profile(browser, { viewport: { width: 1280, height: 800 } }), profile(browser, { viewport: { width: 1280, height: 800 } })]);
  problems.push(first.problems, second.problems);
  alice = await App.open(first.context, server, "alice");
  bob = await App.open(second.context, server, "bob");
  await alice.chatWith("bob");
  await alice.send("hello");
  await bob.row("alice").click();
  await bob.sees("hello");
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

async function send(file: TestFile): Promise<void> {
  await alice.choose("Photo or video", [file]);
  await alice.sendChosen();
}

/** Where a tile's picture is from, once it is drawn. */
function drawn(tile: Locator): Promise<string> {
  const image = tile.locator("img");
  return eventually(() => image.evaluate((element: HTMLImageElement) => (element.naturalWidth > 0 && !element.src.startsWith("blob:") ? element.src : "")), (src) => src.startsWith("http"));
}

test("a picture is drawn from there, and a film plays and reads from where one goes to", async () => {
  await send(picture("beach.png", 1600, 1000, 200));
  expect(new URL(await drawn(bob.page.locator(".album-tile").first())).origin).toBe(files);
  await send(await film(alice.page, "walk.webm", 6));
  const tile = bob.page.locator(".album-tile", { has: bob.page.locator(".tile-play") });
  await drawn(tile);
  const asked: string[] = [];
  bob.page.on("request", (request) => {
    if (request.resourceType() === "media") asked.push(new URL(request.url()).origin);
  });
  await tile.locator(".tile").click();
  const video = bob.page.locator(".gallery video");
  await video.evaluate((element: HTMLVideoElement) => element.play());
  await eventually(() => video.evaluate((element: HTMLVideoElement) => element.currentTime), (at) => at > 0.2);
  await video.evaluate((element: HTMLVideoElement) => (element.currentTime = 4));
  await eventually(() => video.evaluate((element: HTMLVideoElement) => [element.currentTime, element.readyState, element.seeking] as const), ([at, ready, seeking]) => at >= 4 && ready >= 2 && !seeking);
  expect(new Set(asked)).toEqual(new Set([files]));
  // No page's own rules were in the way. (What Chromium draws around a picture that is opened by itself, below, is.)
  expect(problems.flat()).toEqual([]);
});

test("a link that is opened at the app's own name leads away from it, to where there is nothing to take", async () => {
  const src = await drawn(bob.page.locator(".album-tile").first());
  const page = await bob.page.context().newPage();
  await page.goto(src.replace(files, server.url));
  expect(new URL(page.url()).origin).toBe(files);
  // A sandbox keeps even what is there from asking; nothing of the app is stored at that origin anyway.
  expect(await page.evaluate(() => location.origin)).toBe(files);
  expect((await page.goto(`${files}/`))?.status()).toBe(404);
  expect((await page.context().storageState()).origins.map((one) => one.origin)).not.toContain(files);
  expect((await page.context().cookies(files)).length).toBe(0);
  await page.close();
});
