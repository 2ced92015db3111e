// A participant in a page of Chromium: livekit-client as it is published, with
// a camera and a microphone that the browser makes up.
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
import { createServer, type Server } from "node:http";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { wrapper, type Host } from "./lab.js";
import type { SFU } from "./sfu.js";

const require = createRequire(import.meta.url);
const dist = require.resolve("livekit-client").replace(/[^/]*$/, "");
const client = require.resolve("@skein/client/package.json").replace(/[^/]*$/, "dist/");

/** What is behind a path: the clients, or an empty page that loads them. */
function file(path: string): { contentType: string; body: string } {
  const files: Record<string, () => string> = {
    "/page.js": () => readFileSync(new URL("page.js", import.meta.url), "utf8"),
    "/livekit.js": () => readFileSync(dist + "livekit-client.umd.js", "utf8"),
    "/e2ee.js": () => readFileSync(dist + "livekit-client.e2ee.worker.js", "utf8"),
  };
  const module = /^\/client\/([\w/-]+\.js)$/.exec(path)?.[1];
  const body = module !== undefined && existsSync(client + module) ? readFileSync(client + module, "utf8") : files[path]?.();
  const page = '<!doctype html><title>call</title><script src="/livekit.js"></script><script src="/page.js"></script><body></body>';
  return { contentType: body === undefined ? "text/html" : "text/javascript", body: body ?? page };
}

/** Gives a browser the pages without a network, as one on another host has none to this process. */
export async function pagesInside(context: BrowserContext): Promise<string> {
  await context.route("http://127.0.0.1/**", (route) => route.fulfill(file(new URL(route.request().url()).pathname)));
  return "http://127.0.0.1/";
}

/** An empty page and what it loads. */
export interface Pages {
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves an empty page and the client: a camera needs a secure origin, which loopback is. */
export async function startPages(): Promise<Pages> {
  const server: Server = createServer((req, res) => {
    const { contentType, body } = file(req.url ?? "");
    res.setHeader("Content-Type", contentType);
    res.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no address");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    stop: () => new Promise((resolve) => { server.closeAllConnections(); server.close(() => resolve()); }),
  };
}

/** A sound that rises and falls as a voice does: the made-up microphone beeps too shortly to count as speech. */
function voice(): string {
  const rate = 48_000;
  const samples = Buffer.alloc(rate * 4 * 2);
  let phase = 0;
  for (let i = 0; i < rate * 4; i++) {
    const t = (i / rate) % 0.8;
    phase += (2 * Math.PI * (150 + 900 * Math.abs(Math.sin(t * 9)))) / rate;
    const loud = t < 0.65 ? 0.5 * (0.6 + 0.4 * Math.sin(t * 40)) : 0;
    samples.writeInt16LE(Math.round(32_000 * loud * (0.7 * Math.sin(phase) + 0.3 * Math.sin(3 * phase))), i * 2);
  }
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.length, 40);
  const file = join(mkdtempSync(join(tmpdir(), "skein-voice-")), "voice.wav");
  writeFileSync(file, Buffer.concat([head, samples]));
  return file;
}

/** Starts Chromium, here or on a host of a lab. */
export function launch(host?: Host): Promise<Browser> {
  const program = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  return chromium.launch({
    executablePath: host === undefined ? program : wrapper(host, program),
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
      "--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${voice()}`, "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
      "--disable-features=WebRtcHideLocalIpsWithMdns", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
    ],
  });
}

export interface JoinOptions {
  room?: Record<string, unknown>;
  publish?: "both" | "audio" | "video" | "none";
  v0?: boolean;
  connect?: Record<string, unknown>;
  e2ee?: string;
  /** A codec that the browser is to know nothing of. */
  without?: string;
}

/** What a page tells of the videos and audios that it gets, by identity of the sender. */
export interface Heard {
  identity: string;
  kind: string;
  framesDecoded: number;
  frameWidth: number;
  energy: number;
  freezes: number;
  bytes: number;
}

/** Opens the empty page in a context of its own. */
export async function open(browser: Browser, pages: string | typeof pagesInside, name: string): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  if (process.env["CALLS_LOG"] !== undefined) page.on("console", (m) => console.log(name, m.text()));
  await page.goto(typeof pages === "string" ? pages : await pages(context));
  return page;
}

export class Party {
  protected constructor(readonly page: Page, readonly identity: string) {}

  static async join(browser: Browser, pages: string | typeof pagesInside, sfu: Pick<SFU, "url" | "token">, identity: string, room: string, o: JoinOptions = {}): Promise<Party> {
    const page = await open(browser, pages, identity);
    const token = await sfu.token(identity, room);
    const options = { ...o, log: process.env["CALLS_LOG"] !== undefined };
    await page.evaluate(`window.joinRoom(${JSON.stringify({ url: sfu.url, token, options })})`);
    return new Party(page, identity);
  }

  /** Runs a function body in the page, where `room` is the Room. */
  run<T>(body: string): Promise<T> {
    return this.page.evaluate(`(async () => { const room = window.room, w = window, L = window.LivekitClient; ${body} })()`) as Promise<T>;
  }

  heard(): Promise<Heard[]> {
    return this.run(`
      const out = [];
      for (const p of room.remoteParticipants.values()) {
        for (const pub of p.trackPublications.values()) {
          if (!pub.track) continue;
          const stats = await pub.track.getRTCStatsReport();
          for (const s of stats ? stats.values() : []) {
            if (s.type !== "inbound-rtp") continue;
            out.push({ identity: p.identity, kind: s.kind, source: pub.source, framesDecoded: s.framesDecoded ?? 0, frameWidth: s.frameWidth ?? 0,
              energy: s.totalAudioEnergy ?? 0, freezes: s.freezeCount ?? 0, bytes: s.bytesReceived ?? 0 });
          }
        }
      }
      return out;`);
  }

  /** The way that media takes: kinds of the candidates, protocols, and the server's address. */
  way(): Promise<{ local: string; protocol: string; relay: string; remote: string; roundTrip: number }> {
    return this.run(`
      const stats = [...(await room.engine.pcManager.publisher.getStats()).values()];
      const t = stats.find((s) => s.type === "transport" && s.selectedCandidatePairId);
      const pair = stats.find((s) => s.id === t?.selectedCandidatePairId);
      const of = (id) => stats.find((s) => s.id === id) ?? {};
      const l = of(pair?.localCandidateId), r = of(pair?.remoteCandidateId);
      return { local: l.candidateType ?? "", protocol: l.protocol ?? "", relay: l.relayProtocol ?? "", remote: r.address + ":" + r.port, roundTrip: pair?.currentRoundTripTime ?? -1 };`);
  }

  events(): Promise<unknown[][]> {
    return this.run("return w.events;");
  }

  /** Waits until a sender's voice is heard. */
  async hears(identity: string, timeout = 15_000): Promise<void> {
    const end = Date.now() + timeout;
    while (!(await this.heard()).some((h) => h.kind === "audio" && h.identity === identity && h.energy > 0.001)) {
      if (Date.now() > end) throw new Error(`${this.identity} does not hear ${identity} for ${timeout} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits until a function body returns true in the page. */
  async until(body: string, timeout = 20_000): Promise<void> {
    const end = Date.now() + timeout;
    while (!(await this.run<boolean>(body))) {
      if (Date.now() > end) throw new Error(`${this.identity} waited ${timeout} ms in vain for: ${body}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits until so many more frames of a sender are decoded. */
  async decodes(identity: string, frames = 10, timeout = 20_000): Promise<void> {
    await this.until(
      `for (const p of room.remoteParticipants.values()) {
        if (p.identity !== ${JSON.stringify(identity)}) continue;
        for (const pub of p.trackPublications.values()) {
          if (pub.kind !== "video" || !pub.track) continue;
          const stats = await pub.track.getRTCStatsReport();
          for (const s of stats ? stats.values() : []) {
            if (s.type === "inbound-rtp") {
              const k = "from" + pub.trackSid + ${frames};
              if (w[k] === undefined || s.framesDecoded < w[k]) w[k] = s.framesDecoded;
              if (s.framesDecoded - w[k] >= ${frames}) { delete w[k]; return true; }
            }
          }
        }
      }
      return false;`,
      timeout,
    );
  }

  async leave(): Promise<void> {
    await this.run("await room.disconnect();");
    await this.page.context().close();
  }
}
