// A client that others wrote uploads out of a page of another origin, through a death of the server, a cut of the network and a
// reload of the page.
import { createHash, randomBytes } from "node:crypto";
import { readFile, rm, mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type Server as Pages } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, profile } from "../src/browser.ts";
import { Relay } from "../src/relay.ts";
import { Server } from "../src/server.ts";

const library = fileURLToPath(new URL("../../../node_modules/tus-js-client/dist/tus.min.js", import.meta.url));
const size = 40_000_000;

// What an upload loses at most: a part of 8 MiB, and what the network held.
const lost = (8 << 20) + (4 << 20);

let server: Server;
let relay: Relay;
let pages: Pages;
let origin: string;
let browser: Browser;
let folder: string;

const page = (endpoint: string, token: string) => `<!doctype html><title>uploads</title>
<script src="/tus.min.js"></script>
<input type="file">
<script>
  document.querySelector("input").onchange = async ({ target }) => {
    const upload = new tus.Upload(target.files[0], {
      endpoint: ${JSON.stringify(endpoint)} + "/v1/uploads/",
      headers: { Authorization: "Bearer " + ${JSON.stringify(token)}, "Skein-App": "demo" },
      metadata: { filename: target.files[0].name, filetype: target.files[0].type },
      retryDelays: Array.from({ length: 200 }, () => 200),
      onShouldRetry: () => true,
      onError: (error) => { document.title = "failed: " + error; },
      onSuccess: () => { document.title = "done " + upload.url; },
    });
    const previous = await upload.findPreviousUploads();
    document.body.dataset.previous = previous.length;
    if (previous.length > 0) upload.resumeFromPreviousUpload(previous[0]);
    upload.start();
  };
</script>`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "skein-e2e-tus-"));
  let html = "";
  const script = await readFile(library);
  pages = createServer((request, response) => {
    const js = request.url === "/tus.min.js";
    response.setHeader("Content-Type", js ? "text/javascript" : "text/html");
    response.end(js ? script : html);
  });
  await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  [server, browser] = await Promise.all([Server.start("--allowed-origins", origin), launch()]);
  relay = await Relay.open(server.url);
  html = page(relay.url, await server.token("alice"));
});

afterAll(async () => {
  await browser.close();
  await relay.close();
  await server.stop();
  await new Promise((resolve) => pages.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const pick = async (tab: Page, file: string) => {
  await tab.goto(origin);
  await tab.locator("input").setInputFiles(file);
};

test("tus-js-client in Chromium uploads through a dead server, a cut network and a reload", async () => {
  const file = join(folder, "film.bin");
  const bytes = randomBytes(size);
  await writeFile(file, bytes);
  const { context } = await profile(browser);
  const tab = await context.newPage();
  const reached = relay.until(size * 0.25);
  await pick(tab, file);
  await reached;

  await server.kill();
  await server.restart();
  await relay.until(size * 0.5);

  relay.cut();
  await relay.until(size * 0.75);

  // The page goes, with all that it knew but the address of the upload; the same file is chosen again.
  await tab.close();
  relay.open();
  const again = await context.newPage();
  await pick(again, file);
  await again.waitForFunction(() => /^(done|failed)/.test(document.title), undefined, { timeout: 60_000 });
  expect(await again.title()).toMatch(/^done /);
  expect(await again.locator("body").getAttribute("data-previous")).toBe("1");

  const id = (await again.title()).split("/").at(-1);
  const read = await fetch(`${server.url}/v1/files/${id}`, { headers: { Authorization: `Bearer ${await server.token("alice")}`, "Skein-App": "demo" } });
  const sum = (b: Uint8Array) => createHash("sha256").update(b).digest("hex");
  expect(sum(new Uint8Array(await read.arrayBuffer()))).toBe(sum(bytes));
  expect(relay.passed).toBeLessThan(size + 3 * lost);
});

test("a page of an origin that nobody allowed uploads nothing", async () => {
  const { context } = await profile(browser);
  const tab = await context.newPage();
  await tab.goto(origin.replace("127.0.0.1", "localhost"));
  const said = await tab.evaluate(
    ([endpoint, token]) =>
      fetch(`${endpoint}/v1/uploads/`, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Skein-App": "demo", "Tus-Resumable": "1.0.0", "Upload-Length": "1" },
      }).then(
        (response) => String(response.status),
        (error: unknown) => String(error),
      ),
    [relay.url, await server.token("alice")] as const,
  );
  expect(said).toContain("Failed to fetch");
});
