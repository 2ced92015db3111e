// The server is killed while two people chat. They miss nothing.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
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

test("two people chat, lose the server, get it back, and miss nothing", async () => {
  const alice = await App.open((await profile(browser)).context, server, "alice");
  const bob = await App.open((await profile(browser)).context, server, "bob");
  await alice.chatWith("bob");
  await bob.chatWith("alice");
  const wanted: string[] = [];
  const say = async (who: App, text: string) => {
    wanted.push(text);
    await who.send(text);
  };
  await say(alice, "one");
  await say(bob, "two");
  await bob.sees("one");
  await alice.sees("two");
  const online = alice.page.locator(".thread-online");
  await online.waitFor();

  await server.kill();
  await Promise.all([alice.away(), bob.away()]);
  // Nobody can tell who is online.
  await online.waitFor({ state: "detached" });
  await say(alice, "written while it is away, by alice");
  await say(bob, "written while it is away, by bob");
  await say(alice, "and another one");
  await alice.state("and another one", "sending");

  await server.restart();
  await Promise.all([alice.online(), bob.online()]);
  await alice.state("and another one", "read");
  await say(bob, "we are back");
  await alice.sees("we are back");
  await online.waitFor();

  const [a, b] = await Promise.all([
    eventually(() => alice.texts(), (texts) => texts.length === wanted.length),
    eventually(() => bob.texts(), (texts) => texts.length === wanted.length),
  ]);
  expect(a).toEqual(b);
  expect([...a].sort()).toEqual([...wanted].sort());
  // What one person wrote stays in the order in which they wrote it.
  expect(a.indexOf("written while it is away, by alice")).toBeLessThan(a.indexOf("and another one"));
});

test("three crashes in a row, in the middle of sending, lose nothing and double nothing", async () => {
  const carol = await App.open((await profile(browser)).context, server, "carol");
  const dave = await server.client("dave");
  await carol.chatWith("dave");
  const wanted: string[] = [];
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 6; i++) {
      const text = `round ${round}, message ${i}`;
      wanted.push(text);
      await carol.send(text);
      if (i === 2) await server.kill();
    }
    await server.restart();
    await carol.state(`round ${round}, message 5`, "sent", 40_000);
  }
  const chat = dave.conversation.with("carol");
  await eventually(() => chat.head.ord, (ord) => ord >= wanted.length, 40_000);
  await chat.open({ limit: 200 });
  expect(chat.messages.map((message) => message.text)).toEqual(wanted);
});
