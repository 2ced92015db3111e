// Two people, two browsers, one server.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;
let problems: string[];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const one = await profile(browser);
  const two = await profile(browser);
  problems = one.problems;
  [alice, bob] = await Promise.all([App.open(one.context, server, "alice"), App.open(two.context, server, "bob")]);
  await alice.chatWith("bob");
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("the page's title has the product's name", async () => {
  expect(await alice.page.title()).toContain("Skein");
});

test("a message appears at once, is ticked twice when it is on the other's device, and on a ground when it is read", async () => {
  await alice.send("hello bob");
  await alice.sees("hello bob");
  await bob.row("alice").waitFor();
  await bob.row("alice").locator(".badge").waitFor();
  await alice.state("hello bob", "delivered");
  expect(await alice.row("bob").locator(".ticks").getAttribute("aria-label")).toBe("Delivered");
  await bob.row("alice").click();
  await bob.sees("hello bob");
  await alice.state("hello bob", "read");
  await bob.row("alice").locator(".badge").waitFor({ state: "detached" });
});

test("while one writes the other sees it", async () => {
  await bob.field.pressSequentially("I am wri");
  await alice.page.locator(".thread-typing").waitFor();
  await bob.field.fill("");
  await alice.page.locator(".thread-typing").waitFor({ state: "detached" });
});

test("an answer carries a quote, and the quote leads to the message", async () => {
  await bob.menu("hello bob", "Reply");
  await bob.send("hello alice");
  const quote = alice.message("hello alice").locator(".quote");
  await quote.waitFor();
  expect(await quote.textContent()).toContain("hello bob");
  await quote.click();
  await alice.flashed("hello bob");
});

test("Arrow Up edits the last own message, and every version can be read", async () => {
  await alice.send("teh first");
  await alice.state("teh first", "read");
  await alice.field.press("ArrowUp");
  expect(await alice.field.inputValue()).toBe("teh first");
  await alice.field.fill("the first");
  await alice.field.press("Enter");
  await bob.sees("the first");
  await bob.message("the first").getByRole("button", { name: "edited" }).click();
  const dialog = bob.page.getByRole("dialog", { name: "Earlier versions" });
  await dialog.getByText("teh first").waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  expect(await alice.texts()).not.toContain("teh first");
});

test("Escape stops an edit and brings back what was typed", async () => {
  await alice.field.fill("half a thought");
  await alice.menu("the first", "Edit");
  expect(await alice.field.inputValue()).toBe("the first");
  await alice.field.press("Escape");
  expect(await alice.field.inputValue()).toBe("half a thought");
  await alice.field.fill("");
});

test("a reaction is seen by both, and goes when it is taken back", async () => {
  await bob.message("the first").locator(".bubble").click({ button: "right" });
  await bob.page.getByRole("menuitem", { name: "React with 🎉" }).click();
  const chip = alice.message("the first").locator(".reaction");
  await chip.waitFor();
  expect(await chip.getAttribute("title")).toBe("🎉 from bob");
  await chip.click();
  await bob.message("the first").locator(".reaction", { hasText: "2" }).waitFor();
  await chip.click();
  await bob.message("the first").locator(".reaction").click();
  await alice.message("the first").locator(".reaction").waitFor({ state: "detached" });
});

test("a recalled message disappears at both, and its writer may write it again", async () => {
  await alice.send("not what I meant");
  await bob.sees("not what I meant");
  await alice.menu("not what I meant", "Recall");
  await alice.page.getByRole("dialog").getByRole("button", { name: "Recall" }).click();
  await bob.message("not what I meant").waitFor({ state: "detached" });
  await bob.page.getByText("alice recalled a message").first().waitFor();
  await alice.page.getByRole("button", { name: "Write it again" }).click();
  expect(await alice.field.inputValue()).toBe("not what I meant");
  await alice.field.fill("");
});

test("a link is a link, and a script is text", async () => {
  await bob.send('see https://example.com/a?b=1. <img src=x onerror="alert(1)"> javascript:alert(1)');
  await alice.sees("see https://example.com");
  const link = alice.message("see https://example.com").locator("a");
  expect(await link.count()).toBe(1);
  expect(await link.getAttribute("href")).toBe("https://example.com/a?b=1");
  expect(await link.getAttribute("rel")).toContain("noopener");
  expect(await alice.page.locator(".bubble-text img").count()).toBe(0);
});

test("Shift+Enter makes a line", async () => {
  await alice.field.fill("line one");
  await alice.field.press("Shift+Enter");
  await alice.field.pressSequentially("line two");
  await alice.field.press("Enter");
  await bob.sees("line two");
  expect(await bob.texts()).toContain("line one\nline two");
});

test("a draft stays with its conversation, also through a reload", async () => {
  await alice.field.fill("for bob only");
  await alice.chatWith("carol");
  expect(await alice.field.inputValue()).toBe("");
  await alice.row("bob").locator(".chat-draft").waitFor();
  await alice.page.reload();
  await alice.row("bob").click();
  await alice.page.waitForFunction(() => document.querySelector<HTMLTextAreaElement>(".composer-field")?.value === "for bob only");
  await alice.field.fill("");
});

test("a search finds a word in the chat, marks it and goes to it", async () => {
  await alice.page.getByRole("button", { name: "Search in this chat" }).click();
  await alice.page.getByPlaceholder("Search in this chat").fill("first");
  await alice.page.locator(".bubble-text mark", { hasText: "first" }).waitFor();
  await alice.page.getByText("1 of 1").waitFor();
  await alice.page.keyboard.press("Escape");
  await alice.page.locator("mark").waitFor({ state: "detached" });
});

test("Ctrl+K finds chats and messages, with the keyboard alone", async () => {
  await alice.page.keyboard.press("Control+k");
  await alice.page.keyboard.type("hello");
  await alice.page.locator(".hit mark").first().waitFor();
  await alice.page.keyboard.press("ArrowDown");
  await alice.page.keyboard.press("Enter");
  await alice.flashed("hello");
});

test("what came while one was elsewhere is counted, in the title too, and begins below a line", async () => {
  await alice.chatWith("carol");
  const hidden = await server.client("bob");
  for (const text of ["first unread", "second unread"]) await hidden.conversation.with("alice").send({ text });
  await alice.row("bob").locator(".badge", { hasText: "2" }).waitFor();
  await alice.page.waitForFunction(() => document.title === "(2) Skein");
  await alice.row("bob").click();
  await alice.message("first unread").locator(".unread-line").waitFor();
  expect(await alice.message("second unread").locator(".unread-line").count()).toBe(0);
  await alice.page.waitForFunction(() => document.title === "Skein");
});

test("a note to self is seen by oneself", async () => {
  await alice.page.getByRole("button", { name: "Menu", exact: true }).click();
  await alice.page.getByRole("menuitem", { name: "Notes to self" }).click();
  await alice.send("buy yarn");
  await alice.state("buy yarn", "sent");
});

test("no page had an error", () => {
  expect(problems).toEqual([]);
});
