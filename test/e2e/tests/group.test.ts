// Groups: making one, who is in it, and what a role allows.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";
import { stored } from "../src/stored.ts";

let server: Server;
let browser: Browser;
let alice: App;
let bob: App;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  alice = await App.open((await profile(browser)).context, server, "alice");
  bob = await App.open((await profile(browser)).context, server, "bob");
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("a new group appears at its members, with who made it", async () => {
  await alice.page.getByRole("button", { name: "New chat" }).click();
  await alice.page.getByRole("menuitem", { name: "New group" }).click();
  const dialog = alice.page.getByRole("dialog", { name: "New group" });
  await dialog.getByLabel("Name of the group").fill("Knitters");
  await dialog.getByRole("button", { name: "bob", exact: true }).click();
  await dialog.getByLabel("Members").fill("carol");
  await alice.page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Create the group" }).click();
  await alice.page.locator(".thread-name", { hasText: "Knitters" }).waitFor();
  await alice.page.getByText("3 members").waitFor();
  await bob.row("Knitters").click();
  await bob.page.locator(".event-line", { hasText: /alice added you and carol|alice added/i }).first().waitFor();
});

test("an @ offers the members, and the mentioned one sees it marked", async () => {
  await alice.field.pressSequentially("hi @bo");
  await alice.page.getByRole("option", { name: "bob" }).waitFor();
  await alice.page.keyboard.press("Enter");
  expect(await alice.field.inputValue()).toBe("hi @bob ");
  await alice.field.pressSequentially("look");
  await alice.page.keyboard.press("Enter");
  await bob.page.locator(".mention-me", { hasText: "@bob" }).waitFor();
});

test("who has read a message is told when asked", async () => {
  await alice.menu("hi @bob", /^Read by/);
  const dialog = alice.page.getByRole("dialog", { name: "Read by" });
  await dialog.locator(".person-name", { hasText: "bob" }).waitFor();
  await dialog.getByText("Not yet").waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
});

test("the owner renames, makes an admin, adds and removes", async () => {
  await alice.page.getByRole("button", { name: "Details" }).last().click();
  const panel = alice.page.getByRole("complementary", { name: "Group details" });
  await panel.getByRole("button", { name: "Rename" }).click();
  await panel.getByLabel("Name of the group").fill("Night knitters");
  await alice.page.keyboard.press("Enter");
  await bob.row("Night knitters").waitFor();
  await bob.page.getByText("alice named the group “Night knitters”").first().waitFor();

  await panel.getByRole("button", { name: "Options for bob" }).click();
  await alice.page.getByRole("menuitem", { name: "Make admin" }).click();
  await panel.locator(".person", { hasText: "bob" }).locator(".role-admin").waitFor();

  await panel.getByRole("button", { name: "Add members" }).click();
  await alice.page.getByRole("dialog").getByLabel("Members").fill("dave");
  await alice.page.keyboard.press("Enter");
  await alice.page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).last().click();
  await panel.locator(".person", { hasText: "dave" }).waitFor();

  await panel.getByRole("button", { name: "Options for carol" }).click();
  await alice.page.getByRole("menuitem", { name: "Remove carol" }).click();
  await alice.page.getByRole("dialog").getByRole("button", { name: "Remove carol" }).click();
  await panel.locator(".person", { hasText: "carol" }).waitFor({ state: "detached" });
});

test("one who was removed keeps nothing to write with", async () => {
  await alice.page.getByRole("complementary", { name: "Group details" }).getByRole("button", { name: "Options for bob" }).click();
  await alice.page.getByRole("menuitem", { name: "Remove bob" }).click();
  await alice.page.getByRole("dialog").getByRole("button", { name: "Remove bob" }).click();
  await bob.page.getByText("You are no longer a member of this group.").waitFor();
  await alice.send("bob does not see this");
  await alice.state("bob does not see this", "sent");
  expect(await bob.message("bob does not see this").count()).toBe(0);
});

test("a message that is refused says why, and can be discarded", async () => {
  const carol = await server.client("carol");
  const group = await carol.conversation.createGroup({ title: "Short lived", members: ["dave"] });
  const { context } = await profile(browser);
  const dave = await App.open(context, server, "dave");
  await dave.row("Short lived").click();
  await dave.send("in time");
  await dave.state("in time", "sent");
  await server.kill();
  await dave.away();
  await dave.send("too late");
  await dave.state("too late", "sending");
  await eventually(() => stored(dave.page, "too late"), Boolean);
  await dave.page.close();
  await server.restart();
  await eventually(() => carol.state, (state) => state === "online");
  await group.removeMember("dave");

  const again = await App.open(context, server, "dave");
  await again.row("Short lived").click();
  await again.message("too late").locator(".failed", { hasText: "Not sent" }).waitFor();
  await again.message("too late").getByRole("button", { name: "Discard" }).click();
  await again.message("too late").waitFor({ state: "detached" });
});

test("the owner is told to hand over before leaving", async () => {
  const panel = alice.page.getByRole("complementary", { name: "Group details" });
  await panel.getByRole("button", { name: "Leave the group" }).click();
  const dialog = alice.page.getByRole("dialog");
  await dialog.getByText("Make somebody else the owner first").waitFor();
  await dialog.getByRole("button", { name: "Leave the group" }).click();
  await alice.page.locator(".toast-bad").waitFor();
});
