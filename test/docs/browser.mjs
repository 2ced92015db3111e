// What a check in the language "browser" has: pages in Debian's Chromium, each
// in a profile of its own, as another person's.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export { assert };

const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const problems = [];
process.on("exit", (code) => {
  if (code !== 0) console.error(problems);
});

/** Opens a page as somebody else; whatever goes wrong in it fails the check. */
export async function open(url, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`${url}: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !/favicon/.test(message.location().url) && !/ERR_CONNECTION/.test(message.text())) problems.push(`${url}: ${message.text()}`);
  });
  await page.goto(url);
  return page;
}

/** Stops or starts the page's server. */
export async function server(verb) {
  await fetch(`${process.env["SKEIN_CONTROL"]}/${verb}`, { method: "POST" });
}

/** Ends the check. */
export async function done() {
  await browser.close();
  assert.deepEqual(problems, []);
}
