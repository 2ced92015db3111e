// Draws the pictures of docs/images from the real app on the real server.
// Pictures have their own fonts: install fonts-noto-color-emoji and
// fonts-noto-cjk first, so that emoji and Chinese look as they should.
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Client } from "@skein/client";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { App } from "../src/app.ts";
import { fakeDevices, launch, profile } from "../src/browser.ts";
import { picture, type TestFile } from "../src/media.ts";
import { Server } from "../src/server.ts";
import { four, portrait } from "./portraits.ts";

const images = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
let server: Server;
let browser: Browser;
/** One with a microphone. */
let fake: Browser;

beforeAll(async () => {
  await mkdir(images, { recursive: true });
  [server, browser, fake] = await Promise.all([Server.start("--sfu", "process", "--rtc-port", "0", "--rtc-listen", "127.0.0.1"), launch(), launch(...fakeDevices)]);
  const [alice, bob, carol, ming, dave, erin] = await Promise.all(
    ["alice", "bob", "carol", "王小明", "dave", "erin"].map((user) => server.client(user)),
  );
  if (!alice || !bob || !carol || !ming || !dave || !erin) throw new Error("six users were expected");
  await erin.conversation.with("alice").send({ text: "The loom is free on Thursday" });
  await alice.conversation.with("erin").send({ text: "Booked. Thank you!" });
  await dave.conversation.with("alice").send({ text: "Invoice 2041 is paid 🎉" });
  await alice.conversation.self().send({ text: "Ask about the undyed merino, 20 skeins" });
  await group(alice, bob, carol, ming);
  await cafe(ming, alice);
  await carol.conversation.with("alice").send({ text: "See you at the fair tomorrow?" });
  await direct(alice, bob);
  alice.conversation.with("erin").read();
}, 60_000);

afterAll(async () => {
  await browser.close();
  await fake.close();
  await server.stop();
});

async function group(alice: Client, bob: Client, carol: Client, ming: Client): Promise<void> {
  const made = await carol.conversation.createGroup({ id: "design", title: "Design team", members: ["alice", "bob", "王小明"] });
  const first = await made.send({ text: "The new colour cards are in. Who has time to look at them before Friday?" });
  await ming.conversation.group("design").send({ text: "我下午看，深色那几张的对比度可能还要调整。" });
  await bob.conversation.group("design").send({ text: "I can. @alice, the misty ones are yours?", mentions: ["alice"] });
  await alice.conversation.group("design").open();
  await alice.conversation.group("design").send({ text: "Yes, with pleasure", replyTo: first });
  await bob.conversation.group("design").open();
  for (const who of [bob, ming]) {
    await who.conversation.group("design").open();
    const found = who.conversation.group("design").messages.find((m) => m.seq === first.seq);
    if (found) await who.conversation.group("design").react(found, "👍");
  }
  await carol.conversation.group("design").setTitle("Design team");
  await carol.conversation.group("design").send({ text: "Lovely, then we print on Monday." });
}

async function cafe(ming: Client, alice: Client): Promise<void> {
  const made = await ming.conversation.createGroup({ title: "周末咖啡", members: ["alice"] });
  await made.send({ text: "周六下午三点，老地方见？☕" });
  await alice.conversation.group(made.id).send({ text: "好的，我带新到的羊毛样品" });
  await made.send({ text: "太好了" });
}

async function direct(alice: Client, bob: Client): Promise<void> {
  const a = alice.conversation.with("bob");
  const b = bob.conversation.with("alice");
  await Promise.all([a.open(), b.open()]);
  await b.send({ text: "Morning! Did the merino arrive?" });
  await a.send({ text: "It did 🎉 forty skeins, two shades lighter than the sample" });
  const photos = await a.send({ text: "I put the photos in the folder" });
  await a.edit(photos, { text: "I put the photos into https://example.com/samples/violet" });
  await b.send({ text: "那个颜色叫什么？" });
  const name = await a.send({ text: "雾紫, misty violet" });
  const ask = await b.send({ text: "Can you send six of them to Lin before noon? She teaches the lace class this afternoon and promised everybody a finished cuff." });
  const slip = await a.send({ text: "Which Lin" });
  await a.recall(slip);
  const done = await a.send({ text: "On it, the courier comes at eleven", replyTo: ask });
  const found = (seq: number | undefined) => b.messages.find((m) => m.seq === seq);
  const [shownName, shownDone] = [found(name.seq), found(done.seq)];
  if (shownName) await b.react(shownName, "❤️");
  if (shownDone) {
    await b.react(shownDone, "🙏");
    await a.react(done, "🧶");
  }
  await b.send({ text: "🧶" });
  b.read();
}

async function tab(options: BrowserContextOptions): Promise<App> {
  const { context } = await profile(browser, { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  return App.open(context, server, "alice");
}

async function draw(app: App, name: string): Promise<void> {
  await app.page.mouse.move(2, 2);
  // What arrives late (presence, quotes) has arrived by then.
  await app.page.waitForTimeout(600);
  await app.page.screenshot({ path: `${images}${name}.png` });
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`a chat, ${colorScheme}`, async () => {
    const app = await tab({ colorScheme });
    await app.row("bob").click();
    await app.sees("On it, the courier");
    await app.field.fill("I keep one of each for the window");
    await draw(app, `chat-${colorScheme}`);
    await app.page.context().close();
  });
}

test("a group with its details, dark", async () => {
  const app = await tab({ colorScheme: "dark" });
  await app.row("Design team").click();
  await app.sees("then we print");
  await app.page.getByRole("button", { name: "Details" }).last().click();
  await app.page.locator(".person").nth(3).waitFor();
  await draw(app, "group-dark");
  await app.page.context().close();
});

test("pictures, a voice message and the list of what was sent, light", async () => {
  const { context } = await profile(fake, { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  const app = await App.open(context, server, "alice");
  await app.row("carol").click();
  const send = async (files: readonly TestFile[], caption: string) => {
    await app.page.getByRole("button", { name: "Attach" }).click();
    const chooser = app.page.waitForEvent("filechooser");
    await app.page.getByRole("menuitem", { name: "Photo or video" }).click();
    await (await chooser).setFiles(files.map((file) => ({ ...file })));
    const dialog = app.page.getByRole("dialog");
    await dialog.locator("img, video").last().waitFor();
    await dialog.getByRole("textbox").fill(caption);
    await dialog.getByRole("button", { name: "Send" }).click();
    await dialog.waitFor({ state: "detached" });
    await app.page.locator(".transfer-bar").waitFor({ state: "detached" });
  };
  await send([picture("coast.png", 1600, 1000, 200), picture("wood.png", 900, 1400, 100), picture("evening.png", 1200, 1200, 20), picture("fields.png", 2000, 900, 60)], "Where the sheep live");
  await app.page.getByRole("button", { name: "Record a voice message" }).click();
  await app.page.locator(".recorder-time", { hasText: "0:03" }).waitFor();
  await app.page.getByRole("button", { name: "Send the voice message" }).click();
  await app.page.getByRole("group", { name: "Voice message" }).waitFor();
  await app.page.locator(".thread-info").click();
  await app.page.getByRole("button", { name: "Media, files, voice, links" }).click();
  await app.page.locator(".mediatab-cell").nth(3).waitFor();
  await draw(app, "files-light");
  await context.close();
});

test("the developer panel, light", async () => {
  const app = await tab({ viewport: { width: 1400, height: 800 } });
  await app.row("bob").click();
  await app.page.getByRole("button", { name: "Menu", exact: true }).click();
  await app.page.getByRole("menuitemradio", { name: "Developer panel" }).click();
  await app.page.getByRole("tab", { name: "Frames" }).click();
  await app.send("Watch the frames go by");
  await app.state("Watch the frames go by", "sent");
  await draw(app, "developer-light");
  await app.page.context().close();
});

for (const [name, options] of [
  ["phone-light", { locale: "en-GB", colorScheme: "light" }],
  ["phone-dark-zh", { locale: "zh-CN", colorScheme: "dark" }],
] as const) {
  test(`a phone, ${name}`, async () => {
    const app = await tab({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, ...options });
    await draw(app, `${name}-list`);
    await app.row(name === "phone-light" ? "bob" : "周末咖啡").tap();
    await app.page.locator("[data-message]").first().waitFor();
    await draw(app, `${name}-chat`);
    await app.page.context().close();
  });
}

test("signing in, light", async () => {
  const { context } = await profile(browser, { viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(`${server.url}/`);
  await page.getByRole("button", { name: "alice", exact: true }).waitFor();
  await draw(App.of(page), "sign-in");
  await context.close();
});

test("a call of four, light", async () => {
  const page = await browser.newPage();
  const films = [];
  for (const looks of four) films.push(await portrait(page, looks));
  await page.close();
  const browsers = await Promise.all(films.map((film) => launch(...fakeDevices, `--use-file-for-fake-video-capture=${film}`)));
  try {
    const [alice, ...others] = await Promise.all(
      ["alice", "bob", "carol", "王小明"].map(async (user, i) => {
        const { context } = await profile(browsers[i] ?? browser, { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
        return App.open(context, server, user);
      }),
    );
    if (!alice) throw new Error("four browsers were expected");
    await alice.row("Design team").click();
    await alice.page.getByRole("button", { name: "Video call", exact: true }).click();
    await alice.page.getByRole("button", { name: "Ring 3 people" }).click();
    for (const { page } of others) await page.getByRole("button", { name: "Answer", exact: true }).click();
    await alice.page.locator(".party[data-local=false] video").nth(2).waitFor();
    await others[0]?.page.keyboard.press("m");
    await alice.page.locator(".quality[data-quality=good]").nth(3).waitFor();
    // Until the large layers of all cameras are there.
    await alice.page.waitForTimeout(8000);
    await draw(alice, "call-light");
  } finally {
    await Promise.all(browsers.map((each) => each.close()));
  }
});
