// The user's own order among their conversations, at a desk and on a phone, in both languages.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let desk: App;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  for (const name of ["dave", "carol", "bob"]) {
    const one = await server.client(name);
    for (const text of ["one", "two", "three"]) await one.conversation.with("alice").send({ text: `${text} of ${name}` });
  }
  desk = await App.open((await profile(browser)).context, server, "alice");
  await desk.row("dave").waitFor();
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

const rows = (page: Page): Promise<string[]> => page.locator(".chat-row .chat-name").allTextContents();

async function menu(app: App, name: string, item: string): Promise<void> {
  await app.row(name).click({ button: "right" });
  await app.page.getByRole("menuitem", { name: item, exact: true }).click();
}

test("pinned, muted, marked and archived conversations are so on the other device", async () => {
  const { page } = desk;
  await menu(desk, "dave", "Pin");
  await eventually(() => rows(page), (names) => names[0] === "dave");
  await menu(desk, "bob", "Mute…");
  await page.getByRole("menuitem", { name: "1 hour" }).click();
  await desk.row("bob").getByLabel("Muted").waitFor();
  await menu(desk, "bob", "Mark as read");
  await menu(desk, "bob", "Mark as unread");
  await desk.row("bob").getByLabel("Marked as unread").waitFor();
  await menu(desk, "carol", "Archive");
  await desk.row("carol").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).last().click();
  await desk.row("carol").waitFor();
  await menu(desk, "carol", "Archive");
  await shot(page, "own-desk");

  const { context } = await profile(browser, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, locale: "zh-CN" });
  const phone = await App.open(context, server, "alice");
  await eventually(() => rows(phone.page), (names) => names.join() === "dave,bob");
  await phone.row("bob").getByLabel("免打扰").waitFor();
  await shot(phone.page, "own-phone-zh");
  await phone.page.getByRole("button", { name: "归档（1）" }).tap();
  await phone.row("carol").waitFor();
  await shot(phone.page, "own-archive-phone-zh");
  await phone.row("carol").click({ button: "right" });
  await shot(phone.page, "own-menu-phone-zh");
  await phone.page.getByRole("menuitem", { name: "取消归档" }).tap();
  await desk.row("carol").waitFor();
  await context.close();
});

test("folders hold conversations, and several are dealt with at once", async () => {
  const { page } = desk;
  await menu(desk, "bob", "Folders…");
  const dialog = page.getByRole("dialog", { name: "In which folders?" });
  await dialog.getByLabel("Emoji").fill("🧶");
  await dialog.getByLabel("Name of the folder").last().fill("Knitting");
  await dialog.getByRole("button", { name: "Add a folder" }).click();
  await dialog.getByRole("checkbox", { name: "Knitting", checked: true }).waitFor();
  await shot(page, "own-folders-desk");
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.getByRole("tab", { name: "Knitting" }).click();
  await eventually(() => rows(page), (names) => names.join() === "bob");
  await shot(page, "own-folder-desk");
  await page.getByRole("tab", { name: "All" }).click();
  await menu(desk, "carol", "Select chats");
  await desk.row("dave").click();
  await page.getByText("2 selected").waitFor();
  await shot(page, "own-select-desk");
  await page.getByRole("toolbar").getByRole("button", { name: "Hide until the next message" }).click();
  await eventually(() => rows(page), (names) => names.join() === "bob");
  const carol = await server.client("carol");
  await carol.conversation.with("alice").send({ text: "are you there?" });
  await eventually(() => rows(page), (names) => names.includes("carol"));
});

test("a draft shows on the other device, and goes with the message", async () => {
  const second = await App.open((await profile(browser)).context, server, "alice");
  await desk.chatWith("bob");
  await desk.field.fill("half a thought");
  await second.row("bob").locator(".chat-draft").waitFor();
  await second.chatWith("bob");
  expect(await second.field.inputValue()).toBe("half a thought");
  await desk.send("half a thought, and the rest");
  await desk.state("half a thought, and the rest", "sent");
  await eventually(() => second.page.evaluate(() => localStorage.length && JSON.stringify(localStorage)), (all) => !String(all).includes("half a thought"));
  await second.page.close();
});

test("what is deleted for oneself goes, and comes back when that is undone", async () => {
  const { page } = desk;
  await desk.menu("two of bob", "Delete for me");
  await desk.message("two of bob").waitFor({ state: "detached" });
  await page.getByText("Deleted for you").waitFor();
  await shot(page, "own-deleted-desk");
  await page.getByRole("button", { name: "Undo" }).last().click();
  await desk.sees("two of bob");
  await page.locator(".thread-head").getByRole("button", { name: "What to do with this chat" }).click();
  await page.getByRole("menuitem", { name: "Clear history…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Clear" }).click();
  await page.getByText("No messages yet").waitFor();
  await shot(page, "own-cleared-desk");
  const bob = await server.client("bob");
  await bob.conversation.with("alice").send({ text: "a new beginning" });
  await desk.sees("a new beginning");
  expect(await desk.texts()).toEqual(["a new beginning"]);
});

test("the notes to oneself are a chat like any other", async () => {
  const { page } = desk;
  await page.getByRole("button", { name: "Menu", exact: true }).click();
  await page.getByRole("menuitem", { name: "Notes to self" }).click();
  await desk.send("buy wool");
  await desk.sees("buy wool");
  await menu(desk, "Notes to self", "Pin");
  await eventually(() => rows(page), (names) => names[0] === "Notes to self");
});
