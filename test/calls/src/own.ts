// The server as a stranger starts it: with a media server of its own, in a process beside it.
import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, hkdfSync } from "node:crypto";
import { createServer } from "node:net";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Device, Devices, until } from "./chat.js";
import { binary } from "./sfu.js";

export interface Own {
  readonly url: string;
  /** Its data folder. */
  readonly data: string;
  /** The lives of the media server so far: process id, and the address of its HTTP. */
  readonly lives: readonly { readonly pid: number; readonly http: string }[];
  /** What the server has logged. */
  readonly log: readonly string[];
  device(user: string, name: string): Promise<Device>;
  /** A token of the server's, signed again with other times: seconds from now. */
  resign(token: string, expires: number): string;
  /** Ends it, in good order or not, and starts it on the same ports and folder. */
  restart(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Kills it, and waits until nothing of it is left. */
  stop(): Promise<void>;
}

/** Starts the server; its media is on loopback, on a port of its own that is the same after a restart of the media server. */
export async function startOwn(...args: string[]): Promise<Own> {
  const data = mkdtempSync(join(tmpdir(), "skein-own-"));
  const port = await lowPort();
  const log: string[] = [];
  const lives: { pid: number; http: string }[] = [];
  const start = async (listen: string): Promise<{ server: ChildProcess; ended: Promise<void>; url: string }> => {
    const server = spawn(binary(), ["serve", "--dev", "--listen", listen, "--data", data, "--rtc-port", String(port), "--rtc-listen", "127.0.0.1", "--log-format", "json", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    createInterface({ input: server.stderr }).on("line", (line) => {
      log.push(line);
      if (process.env["CALLS_LOG"] !== undefined) console.log(line);
      const said = JSON.parse(line) as { msg?: string; pid?: number; at?: { listen: string } };
      if (said.msg === "the SFU answers" && said.at) lives.push({ pid: said.pid ?? 0, http: `http://${said.at.listen}` });
    });
    const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
    const url = await new Promise<string>((resolve, reject) => {
      server.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${log.join("\n")}`)));
      createInterface({ input: server.stdout }).once("line", (line) => resolve(line.replace("listening ", "")));
    });
    return { server, ended, url };
  };
  let run = await start("127.0.0.1:0");
  const { url } = run;
  const derive = (purpose: string): Buffer => {
    const text = readFileSync(join(data, "secret.key"), "utf8").trim();
    const key = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64");
    return Buffer.from(hkdfSync("sha256", key, "", `skein ${purpose}`, 32));
  };
  const devices = new Devices(url);
  return {
    url,
    data,
    lives,
    log,
    device: (user, name) => devices.connect(user, name),
    resign(token, expires) {
      const [head = "", body = ""] = token.split(".");
      const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as { exp: number };
      claims.exp = Math.floor(Date.now() / 1000) + expires;
      const text = `${head}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
      return `${text}.${createHmac("sha256", derive("sfu secret").toString("hex")).update(text).digest("base64url")}`;
    },
    async restart(signal = "SIGTERM") {
      run.server.kill(signal);
      await run.ended;
      run = await start(new URL(url).host);
    },
    async stop() {
      await devices.close();
      run.server.kill("SIGKILL");
      await run.ended;
      await until("the media server to end with it", () => lives.every(({ pid }) => !alive(pid)));
      rmSync(data, { recursive: true });
    },
  };
}

/** A free port below those that connections get, so that none takes it while the media server is started again. */
async function lowPort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer().once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** Whether a process is there. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
