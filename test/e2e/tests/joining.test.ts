// Coming into groups: links with a QR code, requests, bans; and the board of a
// group: announcements and attributes.
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;
let carol: App;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  [alice, bob, carol] = await Promise.all(["alice", "bob", "carol"].map(async (user) => App.open((await profile(browser)).context, server, user))) as [App, App, App];
  await alice.page.getByRole("button", { name: "New chat" }).click();
  await alice.page.getByRole("menuitem", { name: "New group" }).click();
  await alice.page.getByLabel("Name of the group").fill("Knitters");
  await alice.page.getByRole("button", { name: "Create the group" }).click();
  await alice.page.locator(".thread-name", { hasText: "Knitters" }).waitFor();
  await alice.page.getByRole("button", { name: "Details" }).last().click();
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

const panel = (): Locator => alice.page.getByRole("complementary", { name: "Group details" });

/** Makes a link with the dialog, and closes it. */
async function makeLink(set: (dialog: Locator) => Promise<void>, name: string): Promise<string> {
  await panel().getByRole("button", { name: "Invite by link" }).click();
  const dialog = alice.page.getByRole("dialog", { name: "Invitation links" });
  await set(dialog);
  await dialog.getByRole("button", { name: "New link" }).click();
  await dialog.getByRole("img", { name: "QR code of the link" }).waitFor();
  const link = (await dialog.locator(".invite-link").textContent()) ?? "";
  expect(link.startsWith(`${server.url}/#/join/`)).toBe(true);
  await shot(alice.page, name);
  await dialog.getByRole("button", { name: "Close" }).click();
  return link;
}

test("a link for one person lets one in, and says what it is to before", async () => {
  const link = await makeLink(async (dialog) => {
    await dialog.getByLabel("How many may use it").selectOption("1");
    await dialog.getByLabel("Name of the link").fill("for carol");
  }, "invite-en");
  await carol.page.goto(link);
  const card = carol.page.getByRole("dialog", { name: "Join a group" });
  await card.getByText("Knitters").waitFor();
  await card.getByText("1 member").waitFor();
  await shot(carol.page, "join-en");
  await card.getByRole("button", { name: "Join", exact: true }).click();
  await carol.page.locator(".thread-name", { hasText: "Knitters" }).waitFor();
  await bob.page.goto(link);
  await bob.page.getByRole("dialog", { name: "Join a group" }).getByRole("alert").getByText("does not work").waitFor();
  await bob.page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await panel().getByRole("button", { name: "Invite by link" }).click();
  const dialog = alice.page.getByRole("dialog", { name: "Invitation links" });
  await dialog.locator(".invite-row", { hasText: "for carol" }).getByText("used 1 of 1").waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
});

test("who asks waits until somebody answers, who is told of it", async () => {
  const link = await makeLink((dialog) => dialog.getByLabel("Ask before they join").check(), "invite-asks-en");
  await bob.page.goto(link);
  const card = bob.page.getByRole("dialog", { name: "Join a group" });
  await card.getByLabel("Message to the group").fill("I knit, too");
  await card.getByRole("button", { name: "Ask to join" }).click();
  await alice.page.getByRole("button", { name: "Menu: 1 request to join" }).click();
  await alice.page.getByRole("menuitem", { name: "1 request to join" }).click();
  const requests = alice.page.getByRole("dialog", { name: "Requests to join" });
  await requests.getByText("I knit, too").waitFor();
  await shot(alice.page, "requests-en");
  await requests.getByRole("button", { name: "Let bob in" }).click();
  await requests.getByText("Nobody waits.").waitFor();
  await requests.getByRole("button", { name: "Close" }).click();
  await bob.row("Knitters").click();
});

test("a pinned announcement is seen by whoever opens the group, an attribute by developers", async () => {
  await panel().getByRole("button", { name: "Announcements" }).click();
  await alice.page.getByRole("button", { name: "New announcement" }).click();
  await alice.page.getByLabel("Title").fill("Meeting on Friday");
  await alice.page.getByLabel("Text").fill("At **seven**, in the library:\n- bring wool\n- bring cake");
  await alice.page.getByLabel("Show it to whoever opens the group").check();
  await alice.page.getByRole("button", { name: "Save" }).click();
  await bob.page.getByRole("region", { name: "Announcement" }).getByText("Meeting on Friday").click();
  const dialog = bob.page.getByRole("dialog", { name: "Announcements" });
  await dialog.locator("strong", { hasText: "seven" }).waitFor();
  await shot(bob.page, "announcements-en");
  expect(await dialog.getByRole("button", { name: /^Delete/ }).count()).toBe(0);
  await dialog.getByRole("button", { name: "Close" }).click();
  await shot(bob.page, "banner-en");
  await alice.page.getByRole("dialog", { name: "Announcements" }).getByRole("button", { name: "Close" }).click();
});

test("a banned user is out, and their link opens nothing any more", async () => {
  const link = await makeLink(async () => undefined, "invite-again-en");
  await panel().getByRole("button", { name: "Banned and allowed" }).click();
  const dialog = alice.page.getByRole("dialog", { name: "Banned and allowed" });
  await dialog.getByLabel("People").first().fill("carol");
  await alice.page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Ban", exact: true }).click();
  await dialog.getByRole("list", { name: "Banned" }).getByText("carol").waitFor();
  await shot(alice.page, "banned-en");
  await dialog.getByRole("button", { name: "Close" }).click();
  await carol.page.goto(link);
  await carol.page.getByRole("dialog", { name: "Join a group" }).getByRole("alert").waitFor();
});

test("a link is read from a QR code, by the camera or from a picture, where the browser reads them", async () => {
  const link = await makeLink(async () => undefined, "invite-scan-en");
  const { context } = await profile(browser, { viewport: { width: 360, height: 740 } });
  // Chromium has the reader on the systems that bring one; here it is a stand-in that knows the text.
  await context.addInitScript((text) => {
    class Detector {
      static getSupportedFormats = () => Promise.resolve(["qr_code"]);
      detect = () => Promise.resolve([{ rawValue: text }]);
    }
    Object.assign(window, { BarcodeDetector: Detector });
  }, link);
  const app = await App.open(context, server, "erin");
  const { page } = app;
  const scan = page.getByRole("dialog", { name: "Scan a QR code" });
  const begin = async () => {
    await page.getByRole("button", { name: "Menu", exact: true }).click();
    await page.getByRole("menuitem", { name: "Join a group" }).click();
    await page.getByRole("button", { name: "Scan a QR code" }).click();
  };
  await begin();
  await scan.getByText("The camera cannot be used here.").waitFor();
  await shot(page, "scan-en-phone");
  await scan.locator("input").setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture") });
  await scan.getByText("No QR code was found in the picture.").waitFor();
  await scan.locator("input").setInputFiles({ name: "code.png", mimeType: "image/png", buffer: await page.screenshot() });
  await page.getByRole("dialog", { name: "Join a group" }).getByText("Knitters").waitFor();
  await page.keyboard.press("Escape");
  await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    const draw = canvas.getContext("2d");
    setInterval(() => draw?.fillRect(0, 0, Math.random() * 99, 9), 50);
    navigator.mediaDevices.getUserMedia = () => Promise.resolve(canvas.captureStream(10));
  });
  await begin();
  await page.getByRole("dialog", { name: "Join a group" }).getByText("Knitters").waitFor();
  await context.close();
});

test("on a phone, in Chinese, everything fits", async () => {
  const link = await makeLink(async () => undefined, "invite-more-en");
  const { context } = await profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN" });
  const phone = await App.open(context, server, "dave");
  const fits = async () => expect(await phone.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await phone.page.goto(link);
  await phone.page.getByRole("dialog", { name: "加入群组" }).getByText("位成员").waitFor();
  await fits();
  await shot(phone.page, "join-zh-phone");
  await phone.page.getByRole("button", { name: "加入", exact: true }).click();
  await phone.page.getByRole("region", { name: "公告" }).waitFor();
  await fits();
  await shot(phone.page, "banner-zh-phone");
  await alice.page.getByRole("button", { name: "Options for dave" }).click();
  await alice.page.getByRole("menuitem", { name: "Make admin" }).click();
  await phone.page.locator(".thread-who").click();
  for (const [button, name] of [["用链接邀请", "invite-zh-phone"], ["封禁与准入", "banned-zh-phone"], ["群公告", "announcements-zh-phone"], ["入群申请", "requests-zh-phone"]] as const) {
    await phone.page.getByRole("complementary").getByRole("button", { name: button }).click();
    const dialog = phone.page.getByRole("dialog");
    if (button === "用链接邀请") {
      await dialog.getByRole("button", { name: "新建链接" }).click();
      await dialog.getByRole("img", { name: "链接的二维码" }).waitFor();
    }
    await fits();
    await shot(phone.page, name);
    await dialog.getByRole("button", { name: "关闭" }).click();
  }
});
