// What a message can be and how it is sent: marks, places, cards, stickers, links to files, forwards, and messages for some.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;
const problems: string[][] = [];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const [first, second] = await Promise.all([
    profile(browser, { viewport: { width: 1280, height: 800 }, geolocation: { latitude: 52.2053, longitude: 0.1218 }, permissions: ["geolocation"] }),
    profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN" }),
  ]);
  problems.push(first.problems, second.problems);
  alice = await App.open(first.context, server, "alice");
  bob = await App.open(second.context, server, "bob");
  await alice.page.getByRole("button", { name: "New chat" }).click();
  await alice.page.getByRole("menuitem", { name: "New group" }).click();
  const dialog = alice.page.getByRole("dialog", { name: "New group" });
  await dialog.getByLabel("Name of the group").fill("Club");
  await dialog.getByRole("button", { name: "bob", exact: true }).click();
  await dialog.getByRole("button", { name: "carol", exact: true }).click();
  await dialog.getByRole("button", { name: "Create the group" }).click();
  await alice.page.locator(".thread-name", { hasText: "Club" }).waitFor();
  await bob.row("Club").waitFor();
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("marks are set by keys and buttons, and shown as what they mean", async () => {
  await alice.field.fill("one word and code");
  await alice.field.evaluate((field: HTMLTextAreaElement) => field.setSelectionRange(4, 8));
  await alice.page.keyboard.press("Control+b");
  expect(await alice.field.inputValue()).toBe("one **word** and code");
  await alice.field.evaluate((field: HTMLTextAreaElement) => field.setSelectionRange(17, 21));
  await alice.page.getByRole("button", { name: "Code" }).click();
  await shot(alice.page, "toolbar");
  await alice.field.press("Enter");
  await bob.row("Club").click();
  await bob.page.locator(".md strong", { hasText: "word" }).waitFor();
  await bob.page.locator(".md code", { hasText: "code" }).waitFor();
  await alice.send("<b>no</b> **yes**\n> quoted\n- a\n- b\n```go\nx := 1\n```\n[site](https://a.example/x) [bad](javascript:alert(1))");
  await bob.page.locator(".md blockquote", { hasText: "quoted" }).waitFor();
  expect(await bob.page.locator(".md b").count()).toBe(0);
  expect(await bob.page.locator(".md a").evaluateAll((all) => all.map((a) => a.getAttribute("href")))).toEqual(["https://a.example/x"]);
  await shot(bob.page, "markdown-phone");
  await alice.send("plain 2 * 3");
  await bob.sees("plain 2 * 3");
});

test("a place, a card, a sticker and files by link", async () => {
  const attach = async (item: string) => {
    await alice.page.getByRole("button", { name: "Attach" }).click();
    await alice.page.getByRole("menuitem", { name: item }).click();
    return alice.page.getByRole("dialog", { name: item });
  };
  const place = await attach("Location");
  await place.getByRole("button", { name: "Use where I am" }).click();
  await eventually(() => place.getByLabel("Latitude").inputValue(), (value) => value === "52.205300");
  await place.getByLabel(/Name of the place/).fill("King's Parade");
  await shot(alice.page, "location-dialog");
  await place.getByRole("button", { name: "Send" }).click();
  await bob.page.locator(".card-location", { hasText: "King's Parade" }).waitFor();

  const card = await attach("Contact card");
  await card.getByLabel("User id").fill("carol");
  await card.getByLabel(/Shown name/).fill("Carol C");
  await card.getByRole("button", { name: "Send" }).click();
  await bob.page.locator(".card-contact", { hasText: "Carol C" }).waitFor();

  const stickers = await attach("Sticker");
  await shot(alice.page, "sticker-dialog");
  await stickers.getByRole("button", { name: "Sticker 🚀" }).click();
  await bob.page.getByRole("img", { name: "🚀" }).waitFor();

  const files = await attach("Files by link");
  await files.getByLabel("Links, one a line").fill("http://a.example/a.png");
  expect(await files.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
  await files.getByLabel("Links, one a line").fill("https://a.example/plan.pdf\nhttps://a.example/photo.png");
  await files.getByLabel(/Caption/).fill("the plan");
  await files.getByRole("button", { name: "Send" }).click();
  await bob.page.locator(".card-file", { hasText: "plan.pdf" }).waitFor();
  await shot(alice.page, "cards");
  await shot(bob.page, "cards-phone");
  await bob.page.getByRole("button", { name: "发消息" }).click();
  await bob.page.locator(".thread-name", { hasText: "carol" }).waitFor();
  await bob.page.getByRole("button", { name: "返回" }).click();
  await bob.row("Club").click();
});

test("several messages go on as one, which opens", async () => {
  await alice.send("lunch at one?");
  await alice.send("by the river");
  await alice.state("by the river", "sent");
  await alice.menu("lunch at one?", "Select");
  await alice.message("by the river").getByRole("checkbox", { name: "Select this message" }).check();
  await alice.page.getByText("2 messages selected").waitFor();
  await shot(alice.page, "select");
  await alice.page.getByRole("button", { name: "Forward", exact: true }).click();
  const dialog = alice.page.getByRole("dialog", { name: "Forward to" });
  await dialog.getByRole("searchbox").fill("not");
  await dialog.getByRole("radio", { name: /Notes/ }).click();
  await dialog.getByLabel("Add a comment").fill("remember");
  await shot(alice.page, "forward-dialog");
  await dialog.getByRole("button", { name: "Forward" }).click();
  await alice.page.getByText(/Forwarded to/).waitFor();
  await alice.row("Notes to self").or(alice.row("Notes")).or(alice.row("Saved messages")).first().click();
  await alice.sees("remember");
  await alice.page.locator(".card-merged").click();
  const merged = alice.page.getByRole("dialog", { name: "Chat history of Club" });
  await merged.getByText("by the river").waitFor();
  await shot(alice.page, "merged-dialog");
  await merged.getByRole("button", { name: "Close" }).click();
  await alice.row("Club").click();
  await alice.menu("by the river", "Forward");
  await alice.page.getByRole("radio", { name: "Club" }).click();
  await alice.page.getByRole("dialog").getByRole("button", { name: "Forward" }).click();
  await bob.page.getByText("转发自 alice").waitFor();
  await shot(bob.page, "forwarded-phone");
});

test("all are called, and it shows in the list of who was away", async () => {
  await bob.page.getByRole("button", { name: "返回" }).click();
  await alice.row("Club").click();
  await alice.field.pressSequentially("@al");
  await alice.page.getByRole("option", { name: /Everybody in the group/ }).waitFor();
  await shot(alice.page, "mention-list");
  await alice.page.keyboard.press("Enter");
  expect(await alice.field.inputValue()).toBe("@all ");
  await alice.field.pressSequentially("fire drill");
  await alice.page.keyboard.press("Enter");
  await bob.page.getByRole("img", { name: "有人提到你" }).waitFor();
  await shot(bob.page, "inbox-mention-phone");
  await bob.row("Club").click();
  await bob.page.locator(".calls-me .mention", { hasText: "@all" }).waitFor();
});

test("silently, with high priority, and only to some", async () => {
  const how = async (text: string, item: string) => {
    await alice.field.fill(text);
    await alice.page.getByRole("button", { name: "How to send" }).click();
    if (item === "Send silently") await shot(alice.page, "send-menu");
    await alice.page.getByRole("menuitem", { name: item }).click();
  };
  await how("psst", "Send silently");
  await bob.message("psst").getByRole("img", { name: "静默发送" }).waitFor();
  await how("fire!", "Send with high priority");
  await bob.message("fire!").getByText("高优先级").waitFor();
  await how("for bob", "Only to…");
  const dialog = alice.page.getByRole("dialog", { name: "Only to…" });
  await dialog.getByRole("button", { name: "bob", exact: true }).click();
  await dialog.getByRole("button", { name: "Send" }).click();
  await bob.message("for bob").getByText(/可见/).waitFor();
  await alice.message("for bob").getByText("Only for bob").waitFor();
  await shot(alice.page, "marks");
  await shot(bob.page, "marks-phone");
  expect(problems.flat()).toEqual([]);
});
