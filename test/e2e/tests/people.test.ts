// Profiles, contacts, blocks, status and privacy, at both sizes and in both languages.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

async function menu(page: Page, button: RegExp, item: RegExp): Promise<void> {
  await page.getByRole("button", { name: button }).first().click();
  await page.getByRole("menuitem", { name: item }).click();
}

const dialog = (page: Page) => page.getByRole("dialog").last();

test("people find, add, name and block one another", async () => {
  const alice = await App.open((await profile(browser)).context, server, "alice");
  const bob = await App.open((await profile(browser)).context, server, "bob");

  await menu(bob.page, /^Menu/, /My profile/);
  await dialog(bob.page).getByLabel("Name", { exact: true }).fill("Bob Stone");
  await dialog(bob.page).getByLabel("About").fill("Likes rivers");
  await dialog(bob.page).getByRole("button", { name: "Save" }).click();
  await dialog(bob.page).waitFor({ state: "detached" });

  await menu(alice.page, /^Menu/, /^Contacts/);
  await alice.page.getByRole("tab", { name: "Find people" }).click();
  await alice.page.getByRole("searchbox", { name: "Find people" }).fill("bob st");
  await alice.page.getByRole("button", { name: "Find", exact: true }).click();
  await alice.page.locator('.person[data-user="bob"] button').click();
  await dialog(alice.page).getByText("Likes rivers").waitFor();
  await dialog(alice.page).getByRole("button", { name: "Follow", exact: true }).click();
  await dialog(alice.page).getByText("1 follower").waitFor();
  await dialog(alice.page).getByLabel("Greeting").fill("It is alice");
  await dialog(alice.page).getByRole("button", { name: "Add contact" }).click();
  await dialog(alice.page).getByText("Request sent").waitFor();

  await bob.page.getByRole("button", { name: "Menu: 1 request waits" }).click();
  await bob.page.getByRole("menuitem", { name: /^Contacts/ }).click();
  await bob.page.getByText("It is alice").waitFor();
  await bob.page.getByRole("button", { name: "Accept: alice" }).click();
  await bob.page.getByText("No requests.").waitFor();

  await dialog(alice.page).getByLabel("Remark").fill("Bobby");
  await dialog(alice.page).getByLabel("Labels").fill("work, friends");
  await dialog(alice.page).getByRole("button", { name: "Save" }).click();
  await dialog(alice.page).getByText("Bobby", { exact: true }).first().waitFor();
  await dialog(alice.page).getByRole("button", { name: "Write" }).click();
  await alice.page.locator(".thread-name").getByText("Bobby").waitFor();
  await alice.send("hello Bobby");
  await alice.state("hello Bobby", "sent");
  await alice.page.locator(".chat-name").getByText("Bobby").waitFor();

  await bob.page.keyboard.press("Escape");
  await menu(bob.page, /^Menu/, /My profile/);
  await dialog(bob.page).getByPlaceholder("What are you up to?").fill("by the river");
  await dialog(bob.page).getByRole("button", { name: "Set status" }).click();
  await alice.page.locator(".thread-sub").getByText("by the river").waitFor();
  await bob.page.keyboard.press("Escape");

  await alice.page.locator(".thread-who").click();
  await alice.page.getByRole("button", { name: "Profile", exact: true }).click();
  await dialog(alice.page).getByRole("button", { name: "Block", exact: true }).click();
  await dialog(alice.page).getByRole("button", { name: "Block", exact: true }).click();
  await alice.page.getByText("You have blocked this user.").waitFor();
  await bob.chatWith("alice");
  await bob.send("are you there?");
  await bob.page.locator(".bubble-failed").getByText("are you there?").waitFor();
  await alice.page.keyboard.press("Escape");
  await menu(alice.page, /^Menu/, /^Contacts/);
  await alice.page.getByRole("tab", { name: "Blocked" }).click();
  await alice.page.getByRole("button", { name: /^Unblock/ }).click();
  await alice.page.getByText("You have blocked nobody.").waitFor();
});

test("on a phone, in Chinese, privacy is set and kept", async () => {
  const { context } = await profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN", hasTouch: true });
  const carol = await App.open(context, server, "carol");
  await menu(carol.page, /^菜单/, /隐私/);
  await carol.page.getByLabel("我的在线状态").selectOption("nobody");
  await carol.page.getByLabel("谁可以添加我").selectOption("anyone");
  await carol.page.keyboard.press("Escape");
  await menu(carol.page, /^菜单/, /隐私/);
  expect(await carol.page.getByLabel("我的在线状态").inputValue()).toBe("nobody");
  expect(await carol.page.getByLabel("谁可以添加我").inputValue()).toBe("anyone");
  // Who sends no receipts has read, and nobody sees it.
  await carol.page.getByLabel("已读回执").selectOption("hide");
  const box = await dialog(carol.page).boundingBox();
  expect(box?.width).toBeLessThanOrEqual(360);
  await carol.page.keyboard.press("Escape");
  const bob = await server.client("bob");
  const chat = bob.conversation.with("carol");
  const sent = await chat.send({ text: "Read this" });
  await carol.row("Bob Stone").tap();
  await carol.sees("Read this");
  await carol.page.goBack();
  await carol.row("Bob Stone").locator(".badge").waitFor({ state: "detached" });
  const again = await server.client("bob");
  await again.conversation.with("carol").open();
  for (const client of [bob, again]) expect(client.conversation.with("carol").readBy(sent)).toEqual([]);
});

test("a device is signed in by another one's approval, and a guest looks around", async () => {
  const alice = await App.open((await profile(browser)).context, server, "alice");
  const other = await (await profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN" })).context.newPage();
  await other.goto(`${server.url}/`);
  await other.getByRole("button", { name: "用其他设备登录" }).click();
  await other.getByRole("img", { name: "登录二维码" }).waitFor();
  const code = await other.locator(".signin-code-text").textContent();
  await menu(alice.page, /^Menu/, /^Devices/);
  await alice.page.getByRole("button", { name: "Link a device" }).click();
  await alice.page.getByLabel("Code or address").fill(`${server.url}/#/link/${code ?? ""}`);
  await alice.page.getByRole("button", { name: "Continue" }).click();
  await alice.page.getByText("Sign this device in as you?").waitFor();
  await alice.page.getByText("127.0.0.1").waitFor();
  await alice.page.getByRole("button", { name: "Sign it in" }).click();
  await other.locator("nav.inbox").waitFor();
  await other.reload();
  await other.locator("nav.inbox").waitFor();
  await alice.page.goto(`${server.url}/#/link/${code ?? ""}`);
  await alice.page.getByText("This code has expired or was used.").waitFor();

  const visitor = await (await profile(browser)).context.newPage();
  await visitor.goto(`${server.url}/`);
  await visitor.getByRole("button", { name: "Look around as a guest" }).click();
  await visitor.locator("nav.inbox").waitFor();
});
