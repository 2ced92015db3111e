// A new version of the app: offered, and taken when the person agrees.
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App, eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";

let server: Server;
let browser: Browser;
let front: HttpServer;
let version = 1;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  // The real server's files; of a later version the service worker differs, as every build's does.
  front = createServer((request, response) => {
    const answer = async () => {
      const real = await fetch(server.url + (request.url ?? "/"), { headers: { accept: request.headers.accept ?? "*/*" } });
      const body = Buffer.from(await real.arrayBuffer());
      const type = real.headers.get("content-type") ?? "application/octet-stream";
      response.writeHead(real.status, { "Content-Type": type, "Cache-Control": "no-cache" });
      response.end(request.url === "/sw.js" ? `${body.toString()}\n// version ${version}` : body);
    };
    answer().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  await browser.close();
  front.closeAllConnections();
  front.close();
  await server.stop();
});

test("a new version waits until the person agrees, then the page is loaded anew with it", async () => {
  const { context } = await profile(browser);
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(front.address() as AddressInfo).port}/`);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await eventually(() => page.evaluate(() => navigator.serviceWorker.controller !== null), Boolean);

  version = 2;
  await page.evaluate(() => navigator.serviceWorker.getRegistration().then((registration) => registration?.update()).then(() => undefined));
  const offer = page.getByRole("button", { name: "Reload" });
  await offer.waitFor();
  expect(await page.evaluate(() => navigator.serviceWorker.getRegistration().then((r) => r?.waiting?.state))).toBe("installed");

  const loaded = page.waitForEvent("load");
  await offer.click();
  await loaded;
  await page.getByRole("button", { name: "alice", exact: true }).waitFor();
  await eventually(
    () => page.evaluate(() => navigator.serviceWorker.getRegistration().then((r) => [r?.waiting ?? null, r?.active?.state])),
    ([waiting, state]) => waiting === null && state === "activated",
  );
});

test("an address that leads to no conversation says so, and leads back to the list", async () => {
  const { context } = await profile(browser);
  const alice = await App.open(context, server, "alice");
  await alice.page.evaluate(() => (location.hash = "#/c/no-such-group"));
  await alice.page.getByText("There is nothing here").waitFor();
  expect(await alice.field.count()).toBe(0);
  await alice.page.keyboard.press("Escape");
  await alice.page.getByText("Choose a chat").waitFor();
});
