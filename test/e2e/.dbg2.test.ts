import { test } from "vitest";
import { App } from "./src/app.ts";
import { launch, profile } from "./src/browser.ts";
import { Server } from "./src/server.ts";
test("dbg", async () => {
  const [server, browser] = await Promise.all([Server.start(), launch()]);
  const bob = await server.client("bob"); const al = await server.client("alice");
  const b = bob.conversation.with("alice"); const a = al.conversation.with("bob");
  await b.open(); await a.open();
  for (let i = 0; i < 12; i++) await b.send({ text: "message number " + i + (i % 3 ? " which is rather long, so that it breaks on a phone and takes several lines" : "") });
  const r = await a.send({ text: "reply", replyTo: 3 }); await b.react(b.messages.at(-1)!, "👍"); a.read();
  const { context } = await profile(browser, { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, reducedMotion: "reduce" });
  const alice = await App.open(context, server, "alice");
  await alice.page.waitForTimeout(600);
  await alice.page.evaluate(() => { const d = Object.getOwnPropertyDescriptor(Element.prototype, "scrollTop")!; Object.defineProperty(Element.prototype, "scrollTop", { get() { return d.get!.call(this); }, set(v) { d.set!.call(this, v); console.log("set", v, "->", d.get!.call(this), this.scrollHeight, this.clientHeight); } }); document.addEventListener("scroll", (e) => { const t = e.target as HTMLElement; console.log("scroll event", t.className, t.scrollTop, t.scrollHeight, t.clientHeight); }, true); });
  alice.page.on("console", (m) => console.log("C", m.text()));
  await alice.row("bob").tap();
  for (let i = 0; i < 6; i++) { await alice.page.waitForTimeout(i * 100); console.log(await alice.page.evaluate(() => { const m = document.querySelector(".messages")!; return [m.scrollTop, m.scrollHeight, m.clientHeight, document.querySelector<HTMLElement>(".messages-content")!.style.height, document.querySelector<HTMLElement>(".messages-rows")!.getBoundingClientRect().height, document.querySelectorAll("[data-message]").length]; })); }
  await browser.close(); await server.stop();
});
