import { test } from "vitest";
import { App } from "./src/app.ts";
import { launch, profile } from "./src/browser.ts";
import { Server } from "./src/server.ts";
test("dbg", async () => {
  const [server, browser] = await Promise.all([Server.start(), launch()]);
  const alice = await App.open((await profile(browser)).context, server, "alice");
  const bob = await App.open((await profile(browser)).context, server, "bob");
  await alice.chatWith("bob"); await alice.send("hello bob"); await bob.row("alice").click(); await bob.sees("hello bob"); await alice.state("hello bob", "read");
  await bob.menu("hello bob", "Reply"); await bob.send("hello alice"); await alice.sees("hello alice");
  const q = alice.message("hello alice").locator(".quote"); await q.click(); await alice.page.waitForTimeout(300);
  await alice.send("teh first"); await alice.page.waitForTimeout(1500);
  await alice.page.screenshot({ path: "/tmp/skein-shots/dbg-a.png" }); await bob.page.screenshot({ path: "/tmp/skein-shots/dbg-b.png" });
  console.log(await bob.page.evaluate(() => [document.hasFocus(), document.visibilityState]), await alice.texts(), await bob.texts());
  await browser.close(); await server.stop();
});
