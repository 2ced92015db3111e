import { chromium } from "playwright-core"; import axe from "axe-core";
const base = process.argv[2];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--headless","--no-sandbox","--disable-gpu"] });
for (const colorScheme of ["light","dark"]) {
const ctx = await browser.newContext({ viewport: { width: 1400, height: 850 }, colorScheme, reducedMotion: "reduce" });
const page = await ctx.newPage();
page.on("pageerror", (e) => console.log("pageerror", e.message));
const f = async (n) => { await page.waitForTimeout(150); await page.evaluate(axe.source); const r = await page.evaluate("axe.run(document,{resultTypes:['violations']})"); for (const v of r.violations) console.log(colorScheme, n, v.impact, v.id, v.nodes.length, v.nodes.slice(0,3).map((x) => x.html.slice(0, 200) + " :: " + x.any.concat(x.all,x.none).map(a=>a.message).join("; ").slice(0, 220))); };
await page.goto(base); await page.waitForSelector(".signin-user"); await f("signin");
await page.click(".signin-user"); await page.waitForSelector(".chat-row"); await f("list");
await page.click('.chat-row:has-text("bob")'); await page.waitForTimeout(300); await page.fill(".composer-field", "this fail"); await page.keyboard.press("Enter"); await page.waitForTimeout(700); await f("chat");
await page.locator(".bubble").nth(2).click({ button: "right" }); await f("menu"); await page.click('.menu-item:has-text("Recall")'); await f("confirm"); await page.keyboard.press("Escape");
await page.click('.composer-row button[aria-label="Emoji"]'); await f("emoji"); await page.keyboard.press("Escape");
await page.click('.chat-row:has-text("Design")'); await page.waitForTimeout(200); await page.click(".thread-info"); await f("group");
await page.click('button[aria-label="Menu"]'); await f("mainmenu"); await page.click('.menu-item:has-text("Developer")'); await f("dev");
await page.click('.developer [role=tab]:has-text("Frames")'); await f("frames"); await page.click('.developer [role=tab]:has-text("Code")'); await f("code");
await page.click('button[aria-label="New chat"]'); await page.click('.menu-item:has-text("New group")'); await f("newgroup"); await page.keyboard.press("Escape");
await page.fill(".searchbox-input", "o"); await page.waitForTimeout(400); await f("search");
await ctx.close(); }
await browser.close();
