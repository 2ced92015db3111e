// Devices, signing out from afar, and signing in with a token.
import type { Browser } from "playwright-core";
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

test("a device that is signed out from another one says so within a second", async () => {
  const laptop = await App.open((await profile(browser)).context, server, "alice");
  const desktop = await App.open((await profile(browser)).context, server, "alice");
  await laptop.page.getByRole("button", { name: "Menu", exact: true }).click();
  await laptop.page.getByRole("menuitem", { name: "Devices" }).click();
  const dialog = laptop.page.getByRole("dialog", { name: "Devices" });
  await dialog.locator(".device").nth(1).waitFor();
  expect(await dialog.locator(".device").first().textContent()).toContain("This device");
  await dialog.locator(".device").nth(1).getByRole("button").click();
  const begin = performance.now();
  await laptop.page.getByRole("dialog", { name: /^Sign out “/ }).getByRole("button", { name: "Sign out" }).click();
  await desktop.page.getByText("This device was signed out.").waitFor();
  expect(performance.now() - begin).toBeLessThan(1500);
  await dialog.locator(".device").nth(1).waitFor({ state: "detached" });

  await desktop.page.getByRole("button", { name: "Sign in again" }).click();
  await desktop.page.getByRole("heading", { name: "Sign in to Skein" }).waitFor();
});

test("signing out leaves nothing of the user behind", async () => {
  const { context } = await profile(browser);
  const bob = await App.open(context, server, "bob");
  await bob.chatWith("carol");
  await bob.send("secret");
  await bob.state("secret", "sent");
  await bob.page.getByRole("button", { name: "Menu", exact: true }).click();
  await bob.page.getByRole("menuitem", { name: "Sign out" }).click();
  await bob.page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await bob.page.getByRole("heading", { name: "Sign in to Skein" }).waitFor();
  await bob.page.reload();
  await bob.page.getByRole("heading", { name: "Sign in to Skein" }).waitFor();
  expect(await bob.page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("skein.web.session")))).toEqual([]);
});

test("a pasted token signs in, and what is none is refused with a reason", async () => {
  const { context } = await profile(browser);
  const page = await context.newPage();
  await page.goto(`${server.url}/`);
  await page.getByRole("button", { name: "Sign in with a token" }).click();
  await page.getByLabel("User token").fill("not a token");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("alert").getByText(/three parts/).waitFor();
  await page.getByLabel("User token").fill(await server.token("王小明"));
  await page.getByRole("button", { name: "Continue" }).click();
  const app = App.of(page);
  await app.page.locator("nav.inbox").waitFor();
  await app.chatWith("alice");
  await app.send("你好");
  await app.state("你好", "sent");
});
