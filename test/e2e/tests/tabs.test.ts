// The tabs of one browser are one device: one connection, one outbox.
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let context: BrowserContext;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  ({ context } = await profile(browser));
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** Whether this tab holds the connection, as the developer panel says. */
async function role(app: App): Promise<string> {
  return (await app.page.locator(".developer .facts dd").first().textContent()) ?? "";
}

test("three tabs have one connection; when the one that holds it dies with 100 messages queued, each arrives once", async () => {
  const first = await App.open(context, server, "alice");
  await first.page.getByRole("button", { name: "Menu", exact: true }).click();
  await first.page.getByRole("menuitemradio", { name: "Developer panel" }).click();
  const tabs = [first, await App.open(context, server, "alice"), await App.open(context, server, "alice")];
  for (const tab of tabs) {
    await tab.page.bringToFront();
    await tab.chatWith("bob");
  }
  await first.send("before");
  for (const tab of tabs) await tab.sees("before");
  expect((await server.info()).connections).toBe(1);
  const devices = await (await server.client("alice")).devices.list();
  expect(devices.filter((device) => device.platform === "web")).toHaveLength(1);

  const roles = await Promise.all(tabs.map(role));
  expect(roles.filter((text) => text.includes("leader"))).toHaveLength(1);
  const leader = tabs[roles.findIndex((text) => text.includes("leader"))];
  const others = tabs.filter((tab) => tab !== leader);
  const [second, third] = others;
  if (!leader || !second || !third) throw new Error("three tabs were expected");

  await server.kill();
  await second.away();
  const wanted = ["before"];
  for (const [tab, from] of [[second, 1], [third, 51]] as const) {
    await tab.page.bringToFront();
    for (let i = from; i < from + 50; i++) {
      const text = `queued ${String(i).padStart(3, "0")}`;
      wanted.push(text);
      await tab.send(text);
    }
  }
  await third.sees("queued 100");

  // As a crash does it: no goodbye, no event.
  const crashed = new Promise((resolve) => leader.page.once("crash", resolve));
  const session = await context.newCDPSession(leader.page);
  session.send("Page.crash").catch(() => undefined);
  await crashed;
  await server.restart();
  await Promise.all(others.map((tab) => tab.online()));
  await third.state("queued 100", "sent", 30_000);

  const bob = await server.client("bob");
  const chat = bob.conversation.with("alice");
  await eventually(() => chat.head.ord, (ord) => ord >= wanted.length);
  await chat.open({ limit: 200 });
  const arrived = chat.messages.map((message) => message.text ?? "");
  expect(arrived).toHaveLength(wanted.length);
  expect([...arrived].sort()).toEqual([...wanted].sort());

  // Every tab shows the same, in the server's order.
  const end = arrived.slice(-10);
  for (const tab of others) {
    await tab.page.bringToFront();
    await eventually(() => tab.texts(), (texts) => JSON.stringify(texts.slice(-10)) === JSON.stringify(end));
  }
  // Alice in Node and Bob in Node have a connection each, and come back in their own time.
  await eventually(() => server.info(), ({ connections }) => connections === 3);
});

test("when the tab that holds the connection is closed another takes over within a second", async () => {
  const { context: own } = await profile(browser);
  const tabs = [await App.open(own, server, "carol"), await App.open(own, server, "carol")];
  const [a, b] = tabs;
  if (!a || !b) throw new Error("two tabs were expected");
  await a.page.getByRole("button", { name: "Menu", exact: true }).click();
  await a.page.getByRole("menuitemradio", { name: "Developer panel" }).click();
  await a.page.getByText("online · leader").waitFor();
  await b.page.bringToFront();
  await b.chatWith("bob");
  const begin = performance.now();
  await a.page.close();
  await b.page.getByText("online · leader").waitFor();
  expect(performance.now() - begin).toBeLessThan(1000);
  await b.send("still here");
  await b.state("still here", "sent");
});
