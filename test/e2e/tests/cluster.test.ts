// The web app on three nodes: two people on different nodes, one of which is killed.
import { get } from "node:http";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Cluster, type ClusterNode } from "../src/cluster.ts";

let cluster: Cluster;
let browser: Browser;

beforeAll(async () => {
  [cluster, browser] = await Promise.all([Cluster.start(), launch()]);
});

afterAll(async () => {
  await browser.close();
  await cluster.stop();
});

/** Opens the app for a user and tells which node serves them. */
async function enter(user: string, options: BrowserContextOptions = {}): Promise<{ app: App; node: ClusterNode; problems: string[] }> {
  const before = await cluster.sessions();
  const { context, problems } = await profile(browser, options);
  const app = await App.open(context, cluster, user);
  const more = (counts: Map<string, number>) => [...counts].find(([name, n]) => n > (before.get(name) ?? 0))?.[0];
  const name = more(await eventually(() => cluster.sessions(), (counts) => more(counts) !== undefined));
  const node = cluster.nodes.find((n) => n.name === name);
  if (!node) throw new Error(`${user} is on no node`);
  return { app, node, problems };
}

/** Makes one connection to the balancer, which gives the next one to the next node. */
function shift(): Promise<void> {
  return new Promise((resolve, reject) => {
    get(`${cluster.url}/healthz`, { agent: false }, (response) => response.resume().once("end", resolve)).once("error", reject);
  });
}

/** The same, on another node than that one: which it is hangs on the connections before. */
async function elsewhere(user: string, than: ClusterNode, options: BrowserContextOptions = {}) {
  for (let i = 0; i < 12; i++) {
    const entered = await enter(user, options);
    if (entered.node.name !== than.name) return entered;
    const before = await cluster.sessions();
    await entered.app.page.context().close();
    await eventually(() => cluster.sessions(), (now) => (now.get(than.name) ?? 0) < (before.get(than.name) ?? 0));
    if (i % 2 === 0) await shift(); // a page may make as many as there are nodes
  }
  throw new Error(`${user} is always on ${than.name}`);
}

/** Milliseconds from the kill until a message that was sent meanwhile is seen by whom the node was for. */
async function killUnder(victim: { app: App; node: ClusterNode }, other: App, text: string): Promise<number> {
  const begin = performance.now();
  cluster.kill(victim.node);
  await other.send(text);
  await victim.app.sees(text);
  await victim.app.online();
  return performance.now() - begin;
}

test("two people on different nodes chat live; the node of one is killed, and she is back and current in 10 s with nothing lost", async () => {
  const alice = await enter("alice");
  const bob = await elsewhere("bob", alice.node);
  await alice.app.chatWith("bob");
  await bob.app.chatWith("alice");

  await alice.app.send("across the nodes");
  await bob.app.sees("across the nodes");
  await alice.app.state("across the nodes", "read");
  await bob.app.send("and back");
  await alice.app.sees("and back");

  expect(await killUnder(alice, bob.app, "are you still there?")).toBeLessThan(10_000);
  await alice.app.send("yes, on another node");
  await bob.app.sees("yes, on another node");
  await alice.app.state("yes, on another node", "read");

  const wanted = ["across the nodes", "and back", "are you still there?", "yes, on another node"];
  for (const { app, problems } of [alice, bob]) {
    expect(await eventually(() => app.texts(), (texts) => texts.length >= wanted.length)).toEqual(wanted);
    expect(problems).toEqual([]);
  }
  // The killed node comes back and takes part again.
  await eventually(() => cluster.nodes.find((n) => n.name === alice.node.name)?.pid, (pid) => pid !== alice.node.pid);
});

test("on a phone the same: the node goes, the chat stays", async () => {
  const phone = { viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true };
  const carol = await enter("carol", phone);
  const alice = await elsewhere("alice", carol.node);
  await alice.app.chatWith("carol");
  await alice.app.send("hello carol");
  await carol.app.row("alice").tap();
  await carol.app.sees("hello carol");

  expect(await killUnder(carol, alice.app, "and now?")).toBeLessThan(10_000);
  await carol.app.field.fill("here I am");
  await carol.app.page.getByRole("button", { name: "Send", exact: true }).tap(); // Enter makes a line here
  await alice.app.sees("here I am");
  expect(await eventually(() => carol.app.texts(), (texts) => texts.length >= 3)).toEqual(["hello carol", "and now?", "here I am"]);
  expect(await carol.app.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
});
