// The developer panel: this connection's frames, and code that runs as it stands.
import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile, mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { App } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { shot } from "../src/look.ts";
import { Server } from "../src/server.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let server: Server;
let browser: Browser;
let alice: App;
let pageCode = "";
let elsewhere = "";
// A web server of the reader's own.
const pages = createServer((request, response) => {
  response.writeHead(request.url === "/" ? 200 : 204, { "Content-Type": "text/html; charset=utf-8" });
  response.end(request.url === "/" ? pageCode : "");
});

beforeAll(async () => {
  await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
  elsewhere = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  [server, browser] = await Promise.all([Server.start("--allowed-origins", elsewhere), launch()]);
  alice = await App.open((await profile(browser, { permissions: ["clipboard-read", "clipboard-write"] })).context, server, "alice");
  await alice.chatWith("bob");
  await alice.page.getByRole("button", { name: "Menu", exact: true }).click();
  await alice.page.getByRole("menuitemradio", { name: "Developer panel" }).click();
});

afterAll(async () => {
  await browser.close();
  await server.stop();
  pages.close();
});

async function outputFolder(): Promise<string> {
  const folder = join(root, "test/e2e/output");
  await mkdir(folder, { recursive: true });
  return folder;
}

const panel = () => alice.page.getByRole("complementary", { name: "Developer panel" });

async function code(tab: string): Promise<string> {
  await panel().getByRole("tab", { name: "Code" }).click();
  await panel().getByRole("tab", { name: tab }).click();
  return (await panel().locator("pre").textContent()) ?? "";
}

test("what an app keeps with a message is shown, set and taken away", async () => {
  await alice.send("Parcel 17");
  await alice.state("Parcel 17", "sent");
  const dialog = alice.page.getByRole("dialog", { name: "Extensions" });
  await alice.menu("Parcel 17", "Extensions");
  await dialog.getByLabel("Key").fill("status");
  await dialog.getByLabel("Value").fill("on its way");
  await dialog.getByRole("button", { name: "Set", exact: true }).click();
  await dialog.getByText("on its way").waitFor();
  await dialog.getByLabel("Key").fill("weight");
  await dialog.getByLabel("Value").fill("2 kg");
  await alice.page.keyboard.press("Enter");
  await dialog.getByText("2 kg").waitFor();
  await shot(alice.page, "extensions");
  await dialog.getByRole("button", { name: "Remove status" }).click();
  await dialog.getByText("on its way").waitFor({ state: "detached" });
  await alice.page.keyboard.press("Escape");
  await alice.menu("Parcel 17", "Extensions (1)");
  await dialog.getByText("2 kg").waitFor();
  await alice.page.keyboard.press("Escape");
});

test("it shows the app, the user and a token that works", async () => {
  await panel().getByRole("tab", { name: "Connection" }).click();
  await panel().getByText("demo", { exact: true }).waitFor();
  await panel().getByRole("button", { name: "Copy: Token" }).click();
  const token = await alice.page.evaluate(() => navigator.clipboard.readText());
  const response = await fetch(`${server.url}/skein.v1.DeviceService/ListDevices`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Skein-App": "demo", "Content-Type": "application/json" },
    body: "{}",
  });
  expect(response.status).toBe(200);
});

test("frames are seen as they go, can be filtered and stopped, and hold no token", async () => {
  await panel().getByRole("tab", { name: "Frames" }).click();
  await alice.send("watch me go");
  await panel().locator(".frame", { hasText: "watch me go" }).first().waitFor();
  const token = await server.token("alice");
  expect(await panel().textContent()).not.toContain(token.slice(0, 20));
  await panel().getByLabel("Filter").fill("ack");
  await panel().locator(".frame", { hasText: "watch me go" }).waitFor({ state: "detached" });
  await panel().getByLabel("Filter").fill("");
  await panel().getByRole("button", { name: "Pause" }).click();
  await alice.send("unseen");
  await alice.state("unseen", "sent");
  expect(await panel().locator(".frame", { hasText: "unseen" }).count()).toBe(0);
});

test("the Node program runs as it stands", async () => {
  const folder = await mkdtemp(join(tmpdir(), "skein-code-"));
  try {
    await mkdir(join(folder, "node_modules/@skein"), { recursive: true });
    await symlink(join(root, "sdk/js/client"), join(folder, "node_modules/@skein/client"));
    await writeFile(join(folder, "hello.mjs"), await code("Node"));
    const { stdout } = await promisify(execFile)(process.execPath, ["hello.mjs"], { cwd: folder, timeout: 30_000 });
    expect(stdout).toMatch(/stored as message \d+/);
    await alice.sees("Hello from Node");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("the web page runs as it stands, served from an origin that is allowed", async () => {
  pageCode = await code("Web page");
  const { context, problems } = await profile(browser);
  const page = await context.newPage();
  await page.goto(elsewhere);
  await page.getByPlaceholder("Write to bob").fill("Hello from a page");
  await page.keyboard.press("Enter");
  await page.getByText("alice: Hello from a page (sent)").waitFor();
  await alice.sees("Hello from a page");
  expect(problems).toEqual([]);
});

test("the Go program runs as it stands", { timeout: 120_000 }, async () => {
  // Inside the module, so that the SDK is the one of this tree.
  const folder = await mkdtemp(join(await outputFolder(), "go-"));
  try {
    await writeFile(join(folder, "main.go"), await code("Go"));
    const { stderr } = await promisify(execFile)("go", ["run", "."], { cwd: folder, timeout: 110_000 });
    expect(stderr).toMatch(/stored as message \d+/);
    await alice.sees("Hello from Go");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
