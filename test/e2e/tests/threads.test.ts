// Threads and topics: answered beside the conversation, on a phone above it; in English and in Chinese.
import { createClient, type Conversation } from "@skein/client";
import { threads } from "@skein/client/threads";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { findings, shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;
let group: Conversation;

const pane = (app: App) => app.page.locator(".thread-pane");
const paneField = (app: App) => pane(app).locator(".composer-field");
const line = (app: App) => app.page.locator("main .thread-line");

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const client = await server.client("alice");
  group = await client.conversation.createGroup({ title: "Harbour", members: ["bob", "carol"] });
  alice = await App.open((await profile(browser, { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" })).context, server, "alice");
  bob = await App.open((await profile(browser, { locale: "zh-CN", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, reducedMotion: "reduce" })).context, server, "bob");
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("a message is answered in its thread, and the answers stay out of the conversation", async () => {
  await alice.row("Harbour").click();
  await alice.send("Who repairs the crane?");
  await alice.state("Who repairs the crane?", "sent");
  await alice.menu("Who repairs the crane?", "Reply in thread");
  await pane(alice).getByText("No replies yet").waitFor();
  await paneField(alice).fill("The one at the north quay");
  await paneField(alice).press("Enter");
  await pane(alice).locator(".bubble-text", { hasText: "The one at the north quay" }).waitFor();
  await line(alice).getByText("1 reply").waitFor();
  expect(await alice.page.locator("main [data-message]", { hasText: "The one at the north quay" }).count()).toBe(0);

  await bob.row("Harbour").tap();
  await line(bob).tap();
  await pane(bob).getByText("The one at the north quay").waitFor();
  await paneField(bob).fill("我明天来修");
  await pane(bob).getByRole("button", { name: "发送", exact: true }).tap();
  await pane(alice).getByText("我明天来修").waitFor();
  await line(alice).getByText("2 replies").waitFor();
  await shot(alice.page, "thread-pane-en");
  await shot(bob.page, "thread-pane-zh");
  expect(await bob.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  expect(await findings(alice.page), "pane").toEqual([]);
  expect(await findings(bob.page), "pane on a phone").toEqual([]);
});

test("what one follows is unread until its thread is open, and replies change where they are seen", async () => {
  // Back leads from the thread to its conversation.
  await bob.page.goBack();
  await pane(bob).waitFor({ state: "detached" });
  await paneField(alice).fill("Bring the big wrench");
  await paneField(alice).press("Enter");
  await line(bob).getByText("1 条未读").waitFor({ state: "attached" });
  await shot(bob.page, "thread-line-zh");
  await bob.page.locator(".thread-head").getByRole("button", { name: "聊天菜单" }).or(bob.page.locator(".thread-head [aria-haspopup=menu]")).first().tap();
  await bob.page.getByRole("menuitem", { name: "讨论串" }).tap();
  const list = bob.page.getByRole("dialog", { name: "讨论串" });
  await list.getByText("3 条回复").waitFor();
  await list.getByText("1 条未读").waitFor({ state: "attached" });
  await shot(bob.page, "threads-zh");
  expect(await findings(bob.page), "list of threads").toEqual([]);
  await list.getByRole("button", { name: /crane/ }).tap();
  await pane(bob).getByText("Bring the big wrench").waitFor();

  // Up in the empty field edits the last own reply; a recalled one says so.
  await paneField(alice).press("ArrowUp");
  await paneField(alice).fill("Bring the small wrench");
  await paneField(alice).press("Enter");
  await pane(bob).getByText("Bring the small wrench").waitFor();
  await pane(bob).getByText("已编辑").waitFor();
  await pane(alice).locator(".bubble", { hasText: "The one at the north quay" }).click({ button: "right" });
  await alice.page.getByRole("menuitem", { name: "Recall" }).click();
  await alice.page.getByRole("dialog").getByRole("button", { name: "Recall" }).click();
  await pane(bob).locator(".event-line").waitFor();
  expect(await pane(bob).getByText("The one at the north quay").count()).toBe(0);
  await pane(bob).getByRole("button", { name: "返回" }).tap();
  await line(bob).waitFor();
  expect(await line(bob).locator(".badge").count()).toBe(0);

  // A link leads into the thread; who does not follow it hears no more of it.
  const follow = pane(alice).getByRole("button", { name: "Follow this thread" });
  await follow.click();
  await pane(alice).locator(".thread-follow[aria-pressed=false]").waitFor();
  const tab = App.of(await alice.page.context().newPage());
  await tab.page.goto(alice.page.url());
  await pane(tab).getByText("Bring the small wrench").waitFor();
  await pane(tab).locator(".thread-follow[aria-pressed=false]").waitFor();
  await tab.page.close();
  await pane(alice).getByRole("button", { name: "Close thread" }).click();
  await pane(alice).waitFor({ state: "detached" });
});

test("a reply that the server found is shown in its thread, with what came before and after it", async () => {
  const carol = await server.client("carol");
  const there = carol.conversation.get(group.id);
  const root = await there.send({ text: "What do you see?" });
  const said = Array.from({ length: 130 }, (_, i) => (i === 39 ? "A lighthouse" : `Wave ${i} came`));
  await Promise.all(said.map((text) => there.send({ text, options: { threadSeq: root.seq ?? 0 } })));
  const { context, problems } = await profile(browser, { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  const dora = await App.open(context, server, "carol");
  const found = dora.page.locator("section.found .hit");
  await dora.page.getByRole("searchbox").fill("lighthouse");
  await found.click();
  await dora.flashed("A lighthouse");
  const shown = pane(dora).locator("[data-message]", { hasText: "A lighthouse" });
  expect(await shown.evaluate((row) => row.getBoundingClientRect().top > 0 && row.getBoundingClientRect().bottom < innerHeight)).toBe(true);
  await pane(dora).getByText("Wave 38 came").waitFor();
  expect(await pane(dora).getByText("Wave 129 came").count()).toBe(0);
  await pane(dora).getByRole("button", { name: "Later replies" }).click();
  await pane(dora).getByText("Wave 100 came").waitFor({ state: "attached" });
  // What one writes oneself stands at the end.
  await paneField(dora).fill("Land!");
  await paneField(dora).press("Enter");
  await pane(dora).getByText("Land!").waitFor();
  await pane(dora).getByText("Wave 129 came").waitFor();
  expect(await pane(dora).getByRole("button", { name: "Later replies" }).count()).toBe(0);
  // The find bar of the conversation leads there too, and again.
  await pane(dora).getByRole("button", { name: "Close thread" }).click();
  await dora.page.getByRole("button", { name: "Search in this chat" }).click();
  await dora.page.locator(".findbar input").fill("lighthouse");
  await shown.waitFor();
  expect(problems).toEqual([]);
  await context.close();
});

test("earlier replies come when they are asked for", async () => {
  const client = createClient({ endpoint: server.url, appId: "demo", userId: "carol", token: () => server.token("carol"), modules: { threads: threads() } });
  await client.connect();
  const there = client.conversation.get(group.id);
  const root = await there.send({ text: "Counting" });
  for (let i = 1; i <= 55; i++) await there.send({ text: `number ${i} of 55`, options: { threadSeq: root.seq ?? 0 } });
  await alice.page.goto(`${server.url}/#/c/${encodeURIComponent(group.id)}/thread/${root.seq ?? 0}`);
  await pane(alice).getByText("number 55 of 55").waitFor();
  expect(await pane(alice).getByText("number 5 of 55").count()).toBe(0);
  await pane(alice).getByRole("button", { name: "Earlier replies" }).click();
  await pane(alice).getByText("number 1 of 55").waitFor();
  expect(await pane(alice).getByRole("button", { name: "Earlier replies" }).count()).toBe(0);
  await client.close();
});

test("a community has topics", async () => {
  await alice.page.keyboard.press("Escape");
  await alice.page.getByRole("button", { name: "Details" }).last().click();
  await alice.page.getByRole("button", { name: "Group settings" }).click();
  const settings = alice.page.getByRole("dialog", { name: "Group settings" });
  await settings.getByLabel("Type").selectOption("community");
  await settings.getByRole("button", { name: "Save" }).click();
  await settings.waitFor({ state: "detached" });
  await alice.page.getByRole("button", { name: "New topic" }).click();
  const form = alice.page.getByRole("dialog", { name: "New topic" });
  await form.getByLabel("Emoji").fill("⛵");
  await form.getByLabel("Name").fill("Regatta");
  await form.getByRole("button", { name: "Create" }).click();
  await pane(alice).getByRole("heading", { name: "⛵ Regatta" }).waitFor();
  await paneField(alice).fill("It begins at ten");
  await paneField(alice).press("Enter");

  await bob.page.getByRole("navigation", { name: "话题" }).getByRole("button", { name: /Regatta/ }).tap();
  await pane(bob).getByText("It begins at ten").waitFor();
  await shot(bob.page, "topic-zh");
  await pane(bob).getByRole("button", { name: "返回" }).tap();
  await bob.page.getByRole("button", { name: "返回" }).tap();
  await bob.page.getByRole("searchbox").fill("begins at ten");
  const found = bob.page.locator("section.found");
  await found.getByRole("button", { name: "筛选" }).tap();
  await found.getByRole("button", { name: "文字", exact: true }).tap();
  await found.locator(".hit").tap();
  await bob.flashed("It begins at ten");
  await pane(bob).getByText("It begins at ten").first().waitFor();
  await pane(alice).getByRole("button", { name: "About this thread" }).click();
  await alice.page.getByRole("menuitem", { name: "Rename topic" }).click();
  await alice.page.getByRole("dialog", { name: "Rename topic" }).getByLabel("Name").fill("Race");
  await alice.page.getByRole("dialog", { name: "Rename topic" }).getByRole("button", { name: "Save" }).click();
  await pane(bob).getByRole("heading", { name: "⛵ Race" }).waitFor();
  await pane(alice).getByRole("button", { name: "About this thread" }).click();
  await alice.page.getByRole("menuitem", { name: "Close topic" }).click();
  await pane(bob).getByText("此话题已关闭。").waitFor();
  expect(await paneField(bob).count()).toBe(0);
  await shot(alice.page, "topic-en");
  expect(await findings(alice.page), "topics").toEqual([]);
  await pane(bob).getByRole("button", { name: "返回" }).tap();
  await bob.page.getByText(/Race/).first().waitFor();
  await shot(bob.page, "topics-bar-zh");
  expect(await findings(bob.page), "topics on a phone").toEqual([]);
});
