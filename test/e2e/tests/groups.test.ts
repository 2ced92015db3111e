// What a group is like: settings, roles, mutes, slow mode, its end; as the
// owner does it and as a member sees it, in English and in Chinese on a phone.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;

const panelOf = (app: App) => app.page.getByRole("complementary", { name: /Group details|群组详情|群组信息/ });

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  alice = await App.open((await profile(browser)).context, server, "alice");
  bob = await App.open((await profile(browser, { locale: "zh-CN", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true })).context, server, "bob");
  const client = await server.client("alice");
  await client.conversation.createGroup({ title: "Harbour", members: ["bob", "carol", "dave", "erin", "frank", "grace", "heidi"] });
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("the owner changes what the group is like, and its members see it", async () => {
  await alice.row("Harbour").click();
  await alice.page.getByRole("button", { name: "Details" }).last().click();
  const panel = panelOf(alice);
  await panel.getByRole("button", { name: "Group settings" }).click();
  const dialog = alice.page.getByRole("dialog", { name: "Group settings" });
  await dialog.getByLabel("Description").fill("Boats and tides");
  await dialog.getByLabel("Type").selectOption("public");
  await dialog.getByLabel("Joining").selectOption("approval");
  await dialog.getByLabel("Mention everybody").first().check();
  await shot(alice.page, "settings-en");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  await panel.getByText("Boats and tides").waitFor();
  await bob.row("Harbour").click();
  await bob.page.locator(".event-line", { hasText: "alice 修改了群组设置" }).first().waitFor();
});

test("a role is made and given, and its bearer mutes somebody", async () => {
  const panel = panelOf(alice);
  await panel.getByRole("button", { name: "Roles", exact: true }).click();
  await alice.page.getByRole("dialog", { name: "Roles", exact: true }).getByRole("button", { name: "New role" }).click();
  const form = alice.page.getByRole("dialog", { name: "New role" });
  await form.getByRole("textbox", { name: "Name" }).fill("Pilot");
  await form.getByLabel("Mute members").check();
  await shot(alice.page, "role-en");
  await form.getByRole("button", { name: "Save" }).click();
  const roles = alice.page.getByRole("dialog", { name: "Roles", exact: true });
  await roles.getByText("Pilot").waitFor();
  await roles.getByRole("button", { name: "Close" }).click();
  await panel.getByRole("button", { name: "Options for bob" }).click();
  await alice.page.getByRole("menuitem", { name: "Roles", exact: true }).click();
  await alice.page.getByRole("dialog", { name: "Roles of bob" }).getByLabel("Pilot").check();
  await alice.page.getByRole("dialog", { name: "Roles of bob" }).getByRole("button", { name: "Save" }).click();
  await panel.locator(".person", { hasText: "bob" }).getByText("Pilot").waitFor();
  await shot(alice.page, "members-en");

  await bob.page.locator(".thread-who").click();
  const his = panelOf(bob);
  await his.getByRole("button", { name: "carol 的操作" }).click();
  await shot(bob.page, "menu-zh");
  await bob.page.getByRole("menuitem", { name: "禁言 1 小时" }).click();
  await his.locator(".person", { hasText: "carol" }).getByText("已禁言").waitFor();
  await shot(bob.page, "members-zh");
});

test("who is muted sees it where they would write, and for how long", async () => {
  const carol = await App.open((await profile(browser)).context, server, "carol");
  await carol.row("Harbour").click();
  await carol.page.getByText(/^You are muted until/).waitFor();
  expect(await carol.field.count()).toBe(0);
  await shot(carol.page, "muted-en");
  const panel = panelOf(alice);
  await panel.getByRole("button", { name: "Options for carol" }).click();
  await alice.page.getByRole("menuitem", { name: "Unmute" }).click();
  await carol.field.waitFor();
  await carol.send("thanks");
  await carol.state("thanks", "sent");
});

test("members are found by name, and named for the group", async () => {
  const panel = panelOf(alice);
  await panel.getByRole("searchbox", { name: "Search members" }).fill("hei");
  await panel.locator(".person", { hasText: "bob" }).waitFor({ state: "detached" });
  await panel.getByRole("button", { name: "Options for heidi" }).click();
  await alice.page.getByRole("menuitem", { name: "Nickname in this group" }).click();
  await alice.page.getByRole("dialog", { name: "Nickname of heidi" }).getByLabel("Nickname in this group").fill("Captain");
  await alice.page.keyboard.press("Enter");
  await panel.locator(".person", { hasText: "Captain" }).waitFor();
  await panel.getByRole("searchbox", { name: "Search members" }).fill("");
});

test("in slow mode one waits, and a channel is written by its admins", async () => {
  const panel = panelOf(alice);
  await panel.getByRole("button", { name: "Group settings" }).click();
  const dialog = alice.page.getByRole("dialog", { name: "Group settings" });
  await dialog.getByLabel("Slow mode").selectOption("30");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  await panelOf(bob).getByRole("button", { name: "关闭" }).click();
  await bob.field.fill("one");
  await bob.page.getByRole("button", { name: "发送", exact: true }).click();
  await bob.page.getByText(/^慢速模式：\d+ 秒后可以发言。$/).waitFor();
  await shot(bob.page, "slow-zh");
  await panel.getByRole("button", { name: "Group settings" }).click();
  await dialog.getByLabel("Type").selectOption("broadcast");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  await bob.page.getByText("仅群主和管理员可以发言。").waitFor();
  await shot(bob.page, "channel-zh");
});

test("the owner dissolves the group, after being asked", async () => {
  await panelOf(alice).getByRole("button", { name: "Dissolve group" }).click();
  const dialog = alice.page.getByRole("dialog", { name: "Dissolve this group?" });
  await shot(alice.page, "dissolve-en");
  await dialog.getByRole("button", { name: "Dissolve group" }).click();
  await bob.page.locator(".event-line", { hasText: "解散了群组" }).waitFor();
  expect(await bob.field.count()).toBe(0);
  await alice.page.locator(".event-line", { hasText: "dissolved the group" }).waitFor();
  expect(await alice.field.count()).toBe(0);
});
