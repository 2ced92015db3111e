// The SDK's files where they are meant to be: in a browser, with its requests, its database and its tabs, and without the app.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Client } from "@skein/client";
import type { Files } from "@skein/client/files";
import type {} from "@skein/client/messages";
import { eventually } from "../src/app.ts";
import { launch, profile } from "../src/browser.ts";
import { Server } from "../src/server.ts";

declare global {
  var im: Client & { readonly files: Files };
  var helpers: typeof import("@skein/client/files/browser");
}

/** A page that has only the SDK in it, as alice. */
const html = `<!doctype html><title>SDK</title><script type="module">
  import { createClient } from "/sdk/index.js";
  import { files } from "/sdk/modules/files/index.js";
  import * as helpers from "/sdk/modules/files/browser/index.js";
  import { messages } from "/sdk/modules/messages/index.js";
  const token = async () => (await (await fetch("/dev/token", { method: "POST", body: JSON.stringify({ user: "alice" }) })).json()).token;
  const modules = { files: files({ describe: helpers.describe }), messages: messages() };
  const im = createClient({ endpoint: location.origin, appId: "demo", userId: "alice", token, modules });
  await im.connect();
  Object.assign(globalThis, { im, helpers });
</script>`;

let server: Server;
let browser: Browser;
let context: BrowserContext;
let problems: string[];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  ({ context, problems } = await profile(browser, { serviceWorkers: "block" }));
  // A page that the test answers for has no address of its own, and the browser asks before it lets such a page in.
  await context.grantPermissions(["local-network-access"]);
  const dist = fileURLToPath(new URL("../../../sdk/js/client/dist/", import.meta.url));
  await context.route(`${server.url}/sdk/**`, async (route) => {
    const path = new URL(route.request().url()).pathname.slice("/sdk/".length);
    if (path === "page") await route.fulfill({ contentType: "text/html", body: html });
    else await route.fulfill({ contentType: "text/javascript", body: await readFile(dist + path) });
  });
});

afterAll(async () => {
  expect(problems).toEqual([]);
  await browser.close();
  await server.stop();
});

async function open(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${server.url}/sdk/page`);
  await page.waitForFunction(() => "im" in globalThis);
  return page;
}

/** Sends a file of random bytes to the user's notes; what it is called is what it says. */
function send(page: Page, size: number, caption: string): Promise<string> {
  return page.evaluate(
    ([bytes, text]) => {
      const blocks = Array.from({ length: Math.ceil(bytes / 65_536) }, (_, i) => crypto.getRandomValues(new Uint8Array(Math.min(65_536, bytes - i * 65_536))));
      return globalThis.im.files.send(`~${globalThis.im.userId}`, { files: [new File(blocks, `${text}.bin`)], caption: text }).clientId;
    },
    [size, caption] as const,
  );
}

function transfers(page: Page): Promise<{ state: string; sent: number; size: number; kept: boolean; offline: boolean; blob: number | undefined }[]> {
  return page.evaluate(() =>
    globalThis.im.files.transfers().map(({ state, sent, size, kept, offline, items }) => ({ state, sent, size, kept, offline, blob: items[0]?.blob?.size })),
  );
}

/** The newest message of the notes, with the SHA-256 of its file as it is read and as the message says. */
function newest(page: Page): Promise<{ caption: string; clientId: string; said: string; read: string }> {
  return page.evaluate(async () => {
    const { lastMessage } = globalThis.im.conversation.self();
    const content = lastMessage?.content;
    const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    // On its way it has no place yet, and its file none from which others could read it.
    if (!lastMessage?.seq || content?.type !== "attachments" || !content.items[0]) return { caption: "", clientId: "", said: "", read: "" };
    const { file, sha256 } = content.items[0];
    await globalThis.im.files.ready();
    const url = globalThis.im.files.url({ conversation: lastMessage.conversation, seq: lastMessage.seq, file }) ?? "";
    const answer = await fetch(url);
    const bytes = await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`the file is answered by ${answer.status}: ${new TextDecoder().decode(bytes)}`);
    return { caption: content.caption, clientId: lastMessage.id, said: hex(sha256 ?? new Uint8Array()), read: hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))) };
  });
}

const consoles = new WeakMap<Page, CDPSession>();

/** Slows the network of a tab down, to bytes a second; 0 = as fast as it is. Or takes it away. */
async function slow(page: Page, bytesPerSecond: number, offline = false): Promise<void> {
  const devtools = consoles.get(page) ?? (await context.newCDPSession(page));
  consoles.set(page, devtools);
  const uploadThroughput = bytesPerSecond || -1;
  await devtools.send("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput });
}

test("an upload goes on after a reload in the middle and a server that died, with smooth progress, and is one message", async () => {
  const page = await open();
  await slow(page, 2_000_000);
  const id = await send(page, 6_000_000, "reloaded");
  const seen = new Set<number>();
  await eventually(() => transfers(page), ([transfer]) => {
    if (transfer?.state === "uploading") seen.add(transfer.sent);
    return (transfer?.sent ?? 0) > 2_000_000 && transfer?.kept === true;
  });
  expect(seen.size).toBeGreaterThan(5);
  await server.kill();
  await page.close();
  await server.restart();
  const again = await open();
  await eventually(() => transfers(again), ([transfer]) => transfer?.blob === 6_000_000);
  await eventually(() => newest(again), ({ caption }) => caption === "reloaded");
  const message = await newest(again);
  expect(message.clientId).toBe(id);
  expect(message.read).toBe(message.said);
  await eventually(() => transfers(again), (left) => left.length === 0);
  await again.close();
});

test("another tab goes on when the one that works is closed, and every tab shows it", async () => {
  const tabs = [await open(), await open()] as const;
  for (const page of tabs) await slow(page, 2_000_000);
  const id = await send(tabs[1], 5_000_000, "two tabs");
  for (const page of tabs) await eventually(() => transfers(page), ([transfer]) => transfer?.state === "uploading" && transfer.sent > 0 && transfer.blob === 5_000_000);
  await tabs[0].close();
  await eventually(() => newest(tabs[1]), ({ caption }) => caption === "two tabs");
  const message = await newest(tabs[1]);
  expect([message.clientId, message.read]).toEqual([id, message.said]);
  await tabs[1].close();
});

test("without a network it waits and says so, and goes on when there is one", async () => {
  const page = await open();
  await slow(page, 2_000_000);
  await send(page, 5_000_000, "offline");
  await eventually(() => transfers(page), ([transfer]) => (transfer?.sent ?? 0) > 200_000);
  await slow(page, 0, true);
  await eventually(() => transfers(page), ([transfer]) => transfer?.state === "waiting" && transfer.offline);
  await slow(page, 0);
  await eventually(() => newest(page), ({ caption }) => caption === "offline");
  const message = await newest(page);
  expect(message.read).toBe(message.said);
  await page.close();
});

test("it is paused, resumed and given up", async () => {
  const page = await open();
  await slow(page, 1_000_000);
  const id = await send(page, 5_000_000, "paused");
  await eventually(() => transfers(page), ([transfer]) => (transfer?.sent ?? 0) > 200_000);
  await page.evaluate((one) => globalThis.im.files.pause(one), id);
  await eventually(() => transfers(page), ([transfer]) => transfer?.state === "paused");
  await slow(page, 0);
  await page.evaluate((one) => globalThis.im.files.resume(one), id);
  await eventually(() => newest(page), ({ caption }) => caption === "paused");
  await slow(page, 1_000_000);
  const second = await send(page, 5_000_000, "never");
  await eventually(() => transfers(page), ([transfer]) => transfer?.state === "uploading");
  await page.evaluate((one) => globalThis.im.files.cancel(one), second);
  await eventually(() => transfers(page), (left) => left.length === 0);
  expect((await newest(page)).caption).toBe("paused");
  await page.close();
});

test("pictures, films and sounds are looked into before they are sent, and shown by their URLs", async () => {
  const page = await open();
  const found = await page.evaluate(async () => {
    const { dimensionsOf, posterOf, waveformOf } = globalThis.helpers;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [320, 200];
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas");
    const picture = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    // A second of film, made here.
    const stream = canvas.captureStream(25);
    const recorder = new MediaRecorder(stream, { mimeType: "video/webm;codecs=vp8" });
    const pieces: Blob[] = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    for (let i = 0; i < 25; i++) {
      context.fillStyle = `rgb(${i * 10} 200 0)`;
      context.fillRect(0, 0, 320, 200);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    recorder.stop();
    await stopped;
    const film = new Blob(pieces, { type: "video/webm" });
    // Two seconds of sound, the second one louder: WAV, 8,000 a second, 16 bits.
    const samples = Int16Array.from({ length: 16_000 }, (_, i) => (i < 8000 ? 8000 : 32_000) * Math.sin(i / 3));
    const header = new DataView(new ArrayBuffer(44));
    const text = (at: number, word: string): void => [...word].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
    text(0, "RIFF");
    header.setUint32(4, 36 + samples.byteLength, true);
    text(8, "WAVEfmt ");
    for (const [at, value] of [[16, 16], [24, 8000], [28, 16_000], [40, samples.byteLength]] as const) header.setUint32(at, value, true);
    for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]] as const) header.setUint16(at, value, true);
    text(36, "data");
    const sound = new Blob([header, samples], { type: "audio/wav" });

    const { poster, ...looked } = await posterOf(film);
    const { waveform, durationMs } = await waveformOf(sound);
    const broken = await posterOf(new Blob(["no film"], { type: "video/mp4" })).then(
      () => "played",
      (error: unknown) => String(error),
    );
    const self = globalThis.im.conversation.self();
    const message = await self.send({ files: [new File([picture ?? ""], "a.png", { type: "image/png" }), new File([film], "b.webm", { type: "video/webm" })] });
    const items = message.content?.type === "attachments" ? message.content.items : [];
    await globalThis.im.files.ready();
    const shown: string[] = [];
    for (const id of [items[0]?.file ?? "", items[1]?.poster ?? ""]) {
      const image = new Image();
      image.src = globalThis.im.files.url({ conversation: self.id, seq: message.seq, file: id }) ?? "";
      await image.decode();
      shown.push(`${image.naturalWidth}x${image.naturalHeight}`);
    }
    return {
      picture: picture && (await dimensionsOf(picture)),
      film: looked,
      poster: poster && { type: poster.type, ...(await dimensionsOf(poster)) },
      sound: { durationMs, bars: waveform.length, quiet: waveform[10], loud: waveform[50] },
      broken,
      items: items.map(({ mime, width, height }) => ({ mime, width, height })),
      shown,
    };
  });
  expect(found.picture).toEqual({ width: 320, height: 200 });
  expect(found.film).toMatchObject({ width: 320, height: 200 });
  expect(found.poster).toEqual({ type: "image/jpeg", width: 320, height: 200 });
  expect(found.sound).toMatchObject({ durationMs: 2000, bars: 64, loud: 255 });
  expect(found.sound.quiet).toBeGreaterThan(50);
  expect(found.sound.quiet).toBeLessThan(80);
  expect(found.broken).toContain("can not be decoded");
  expect(found.items).toEqual([
    { mime: "image/png", width: 320, height: 200 },
    { mime: "video/webm", width: 320, height: 200 },
  ]);
  expect(found.shown).toEqual(["320x200", "320x200"]);
  await page.close();
});

test("when the user signs out nothing of an upload stays in the browser", async () => {
  const page = await open();
  await slow(page, 500_000);
  await send(page, 5_000_000, "secret");
  await eventually(() => transfers(page), ([transfer]) => (transfer?.sent ?? 0) > 100_000 && transfer?.kept === true);
  const kept = (): Promise<number> =>
    page.evaluate(async () => {
      let rows = 0;
      for (const { name = "" } of await indexedDB.databases()) {
        const db = await new Promise<IDBDatabase>((resolve, reject) => {
          const request = indexedDB.open(name);
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error ?? new Error("the database"));
        });
        for (const table of ["uploads", "uploadBlobs"]) {
          if (!db.objectStoreNames.contains(table)) continue;
          rows += await new Promise<number>((resolve) => {
            const request = db.transaction(table).objectStore(table).count();
            request.onsuccess = () => resolve(request.result);
          });
        }
        db.close();
      }
      return rows;
    });
  expect(await kept()).toBe(2);
  await page.evaluate(() => globalThis.im.signOut());
  await eventually(kept, (rows) => rows === 0);
  await page.close();
});
