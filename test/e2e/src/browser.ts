// Debian's Chromium, without anything that it would do by itself.
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";

/** For `launch`: a camera and a microphone of Chromium's own, which nobody is asked for. */
export const fakeDevices = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] as const;

/**
 * Errors on the console that some tests are about: a server that is away, and what livekit-client says of others who
 * have ended the call, or have left it while one was being connected to them.
 */
const expected = /Failed to load resource|WebSocket connection|ERR_CONNECTION|data channel .* closed unexpectedly|Tried to add a track for a participant, that's not present/;

/** Starts a browser. */
export function launch(...more: readonly string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...more,
    ],
  });
}

/** A profile of its own, as another person's browser. Errors of its pages are kept in `problems`. */
export async function profile(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ context: BrowserContext; problems: string[] }> {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1200, height: 760 }, ...options });
  await context.addInitScript(noteFlashes);
  const problems: string[] = [];
  context.on("page", (page: Page) => {
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !expected.test(message.text())) {
        problems.push(message.text());
      }
    });
  });
  return { context, problems };
}

/** Notes, in a page, the texts of messages that light up: each does so for a moment, which who asks now and then may miss. */
function noteFlashes(): void {
  const flashed: string[] = [];
  Object.assign(window, { flashed });
  const note = (row: Element) => flashed.push(row.textContent ?? "");
  new MutationObserver((changes) => {
    for (const { target, addedNodes, oldValue, type } of changes) {
      if (type === "attributes") {
        if ((target as Element).classList.contains("row-flash") && !oldValue?.includes("row-flash")) note(target as Element);
      } else {
        for (const node of addedNodes) {
          if (!(node instanceof Element)) continue;
          if (node.classList.contains("row-flash")) note(node);
          node.querySelectorAll(".row-flash").forEach(note);
        }
      }
    }
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"], attributeOldValue: true });
}
