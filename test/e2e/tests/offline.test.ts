// The page is loaded again while the server is stopped.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";
import { stored } from "../src/stored.ts";

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("a reload with the server stopped shows the last state, lets one type, and sends on return", async () => {
  const { context, problems } = await profile(browser);
  const alice = await App.open(context, server, "alice");
  await alice.chatWith("bob");
  await alice.send("kept in the store");
  await alice.state("kept in the store", "sent");
  await alice.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));

  await server.kill();
  await alice.page.reload();
  expect(await alice.page.title()).toContain("Skein");
  await alice.row("bob").waitFor();
  await alice.sees("kept in the store");
  await alice.away();
  await alice.send("written without a server");
  await alice.state("written without a server", "sending");
  await alice.row("bob").getByText("written without a server").waitFor();

  await eventually(() => stored(alice.page, "written without a server"), Boolean);

  // Once more: what was written is in the store as well.
  await alice.page.reload();
  await alice.state("written without a server", "sending");

  await server.restart();
  await alice.online();
  await alice.state("written without a server", "sent");
  const bob = await server.client("bob");
  const chat = bob.conversation.with("alice");
  await chat.open();
  expect(chat.messages.map((message) => message.text)).toEqual(["kept in the store", "written without a server"]);
  expect(problems).toEqual([]);
});

test("the strip at the top counts down, and the page catches up as soon as the server is back", async () => {
  const { context } = await profile(browser);
  const carol = await App.open(context, server, "carol");
  await carol.chatWith("bob");
  await server.kill();
  await carol.page.getByText(/No connection/).waitFor();
  await server.restart();
  const bob = await server.client("bob");
  await bob.conversation.with("carol").send({ text: "sent while carol was away" });
  await carol.sees("sent while carol was away", 40_000);
});
