// The server as a stranger starts it: with a media server of its own, in a process beside it.
import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, hkdfSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createClient } from "@skein/client";
import { type Device, freePort, modules, until } from "./chat.js";
import { binary } from "./sfu.js";

export interface Own {
  readonly url: string;
  readonly process: ChildProcess;
  /** The lives of the media server so far: process id, and the address of its HTTP. */
  readonly lives: readonly { readonly pid: number; readonly http: string }[];
  /** What the server has logged. */
  readonly log: readonly string[];
  device(user: string, name: string): Promise<Device>;
  /** A token of the server's, signed again with other times: seconds from now. */
  resign(token: string, expires: number): string;
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** Starts the server; its media is on loopback, on a port of its own that is the same after a restart of the media server. */
export async function startOwn(...args: string[]): Promise<Own> {
  const data = mkdtempSync(join(tmpdir(), "skein-own-"));
  const port = await freePort();
  const server = spawn(binary(), ["serve", "--dev", "--listen", "127.0.0.1:0", "--data", data, "--rtc-port", String(port), "--rtc-listen", "127.0.0.1", "--log-format", "json", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log: string[] = [];
  const lives: { pid: number; http: string }[] = [];
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
  const derive = (purpose: string): Buffer => {
    const text = readFileSync(join(data, "secret.key"), "utf8").trim();
    const key = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64");
    return Buffer.from(hkdfSync("sha256", key, "", `skein ${purpose}`, 32));
  };
  const devices: Device[] = [];
  return {
    url,
    process: server,
    lives,
    log,
    async device(user, name) {
      const token = async (): Promise<string> => {
        const answer = await fetch(`${url}/dev/token`, { method: "POST", body: JSON.stringify({ user }) });
        return ((await answer.json()) as { token: string }).token;
      };
      const made = createClient({ endpoint: url, appId: "demo", token, deviceId: name, modules });
      devices.push(made);
      await made.connect();
      return made;
    },
    resign(token, expires) {
      const [head = "", body = ""] = token.split(".");
      const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as { exp: number };
      claims.exp = Math.floor(Date.now() / 1000) + expires;
      const text = `${head}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
      return `${text}.${createHmac("sha256", derive("sfu secret").toString("hex")).update(text).digest("base64url")}`;
    },
    async stop(signal = "SIGTERM") {
      for (const device of devices) await device.close();
      server.kill(signal);
      await ended;
      await until("the media server to end with it", () => lives.every(({ pid }) => !alive(pid)));
      rmSync(data, { recursive: true });
    },
  };
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
