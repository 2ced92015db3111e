// Polls: made, voted in from two devices, closed; by keyboard and finger, at both sizes, in both languages.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { findings, shot } from "../src/look.ts";
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

test("a poll is made by keyboard, voted in on two devices, and closed", async () => {
  const desk = await profile(browser, { viewport: { width: 1280, height: 800 } });
  const phone = await profile(browser, { viewport: { width: 360, height: 740 }, locale: "zh-CN", hasTouch: true, isMobile: true });
  const alice = await App.open(desk.context, server, "alice");
  const bob = await App.open(phone.context, server, "bob");
  for (const { page } of [alice, bob]) page.setDefaultTimeout(10_000);
  await alice.chatWith("bob");
  await alice.page.getByRole("button", { name: "Attach" }).click();
  await alice.page.getByRole("menuitem", { name: "Poll" }).click();
  const making = alice.page.getByRole("dialog", { name: "Poll" });
  const keys = alice.page.keyboard;
  await making.getByLabel("Question").fill("Where do we eat?");
  await keys.press("Enter");
  await keys.type("Noodles");
  await keys.press("Enter");
  await keys.type("Noodles");
  await making.getByText("Two options are the same.").waitFor();
  expect(await making.getByRole("button", { name: "Send the poll" }).isDisabled()).toBe(true);
  await making.getByLabel("Option 2", { exact: true }).fill("Dumplings by the river");
  await keys.press("Enter");
  await making.getByLabel("Option 3", { exact: true }).waitFor();
  await keys.type("At home");
  await making.getByRole("button", { name: "Add an option" }).click();
  await making.getByRole("button", { name: "Remove option 4" }).click();
  await shot(alice.page, "poll-dialog");
  expect(await findings(alice.page)).toEqual([]);
  await making.getByRole("button", { name: "Send the poll" }).click();

  // By keyboard: the arrows go from option to option, Space chooses.
  const card = alice.page.getByRole("radiogroup", { name: "Where do we eat?" });
  const noodles = card.getByRole("radio", { name: "Noodles, 0 votes", disabled: false }); // once the poll is sent
  await noodles.waitFor();
  await noodles.focus();
  await keys.press("ArrowDown");
  await keys.press("Space");
  await card.getByRole("radio", { name: "Dumplings by the river, 1 vote", checked: true }).waitFor();

  await bob.row("alice").click();
  const small = bob.page.getByRole("radiogroup", { name: "Where do we eat?" });
  await small.getByRole("radio", { name: "Dumplings by the river, 1 票", checked: false }).waitFor();
  await small.getByRole("radio", { name: "At home, 0 票" }).tap();
  await card.getByRole("radio", { name: "At home, 1 vote", checked: false }).waitFor();
  await small.getByRole("radio", { name: /Noodles/ }).tap();
  await small.getByRole("radio", { name: "Noodles, 1 票", checked: true }).waitFor();
  await card.getByRole("radio", { name: "Noodles, 1 vote", checked: false }).waitFor();
  await card.getByRole("radio", { name: "At home, 0 votes" }).waitFor();
  await shot(alice.page, "poll-card");
  await shot(bob.page, "poll-card-phone");
  expect(await findings(bob.page)).toEqual([]);
  expect(await findings(alice.page)).toEqual([]);
  expect(await bob.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);

  await bob.page.getByRole("button", { name: "2 票", exact: true }).tap();
  const votes = bob.page.getByRole("dialog", { name: "投票情况" });
  await votes.getByRole("listitem").filter({ hasText: "bob" }).waitFor();
  await shot(bob.page, "poll-votes-phone");
  await alice.page.getByRole("button", { name: "Take my vote back" }).click();
  await expect.poll(() => votes.getByRole("listitem").filter({ hasText: "alice" }).count()).toBe(0);
  await bob.page.keyboard.press("Escape");

  // Only who made it closes it, between two.
  expect(await bob.page.getByRole("button", { name: "结束投票" }).count()).toBe(0);
  await alice.page.getByRole("button", { name: "Close the poll" }).click();
  await alice.page.getByRole("dialog").getByRole("button", { name: "Close the poll" }).click();
  await bob.page.locator(".poll-hint", { hasText: "已结束" }).waitFor();
  expect(await small.getByRole("radio", { name: /Noodles/ }).getAttribute("aria-disabled")).toBe("true");
  expect(await bob.page.getByText("已编辑").count()).toBe(0);
  await shot(bob.page, "poll-closed-phone");

  // On the phone: one with several answers, and an end.
  await bob.page.getByRole("button", { name: "附加" }).tap();
  await bob.page.getByRole("menuitem", { name: "投票" }).tap();
  const asking = bob.page.getByRole("dialog", { name: "投票" });
  await asking.getByLabel("问题").fill("哪几天有空？");
  await asking.getByLabel("选项 1", { exact: true }).fill("周五");
  await asking.getByLabel("选项 2", { exact: true }).fill("周六");
  await asking.getByLabel("可多选").check();
  await asking.getByLabel("结束时间").selectOption({ label: "1 天后" });
  await shot(bob.page, "poll-dialog-phone");
  await asking.getByRole("button", { name: "发送投票" }).tap();
  const days = bob.page.getByRole("group", { name: "哪几天有空？" });
  await days.getByRole("checkbox", { name: /周五/ }).tap();
  await days.getByRole("checkbox", { name: /周六/ }).tap();
  const seen = alice.page.getByRole("group", { name: "哪几天有空？" });
  await seen.getByRole("checkbox", { name: "周五, 1 vote" }).waitFor();
  await seen.getByRole("checkbox", { name: "周六, 1 vote" }).waitFor();
  await shot(bob.page, "poll-several-phone");
  expect([...desk.problems, ...phone.problems]).toEqual([]);
});
