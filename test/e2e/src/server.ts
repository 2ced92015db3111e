// The real server, as a child process on a folder of its own. It can be killed
// the hard way and started again on the same folder and port.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createClient, type Client } from "@skein/client";

const binary = process.env["SKEIN_BIN"] ?? fileURLToPath(new URL("../../../bin/skein", import.meta.url));

/** What a server in developer mode tells of itself. */
export interface DevInfo {
  readonly app: string;
  readonly users: readonly string[];
  /** Sockets that are open. */
  readonly connections: number;
}

/** A running server. */
export class Server {
  readonly url: string;
  readonly #data: string;
  readonly #flags: readonly string[];
  #child: ChildProcess;
  readonly #clients: Client[] = [];

  private constructor(url: string, data: string, flags: readonly string[], child: ChildProcess) {
    this.url = url;
    this.#data = data;
    this.#flags = flags;
    this.#child = child;
  }

  /** Starts a server in developer mode on a free port. */
  static async start(...flags: string[]): Promise<Server> {
    if (!existsSync(binary)) throw new Error(`${binary} is missing: run make build, or set SKEIN_BIN`);
    const data = await mkdtemp(join(tmpdir(), "skein-e2e-"));
    const { child, url } = await run(data, "127.0.0.1:0", flags);
    return new Server(url, data, flags, child);
  }

  /** Starts one whose options name the port that it listens on. */
  static async startOn(flags: (port: number) => readonly string[]): Promise<Server> {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const address = probe.address();
    if (address === null || typeof address === "string") throw new Error("no port is free");
    probe.close();
    await once(probe, "close");
    const data = await mkdtemp(join(tmpdir(), "skein-e2e-"));
    const { child, url } = await run(data, `127.0.0.1:${address.port}`, flags(address.port));
    return new Server(url, data, flags(address.port), child);
  }

  /** Kills it as a power cut would. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }

  /** Starts it again after `kill`, on the same folder and port. */
  async restart(): Promise<void> {
    const { child } = await run(this.#data, new URL(this.url).host, this.#flags);
    this.#child = child;
  }

  /** Its process. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  async info(): Promise<DevInfo> {
    return (await (await fetch(`${this.url}/dev/info`)).json()) as DevInfo;
  }

  /** A user's token. */
  async token(user: string): Promise<string> {
    const response = await fetch(`${this.url}/dev/token`, { method: "POST", body: JSON.stringify({ user }) });
    return ((await response.json()) as { token: string }).token;
  }

  /** A user without a browser: the same SDK in Node, connected. */
  async client(userId: string): Promise<Client> {
    const client = createClient({ endpoint: this.url, appId: "demo", userId, token: () => this.token(userId) });
    this.#clients.push(client);
    await client.connect();
    return client;
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.kill();
    await rm(this.#data, { recursive: true, force: true });
  }
}

async function run(data: string, listen: string, flags: readonly string[]): Promise<{ child: ChildProcess; url: string }> {
  // Tests of calls say --sfu; the others need no media server, and many run at once, so that each needs a port of its own.
  const given = (flag: string): boolean => flags.includes(flag);
  const sfu = given("--sfu") ? (given("--rtc-port") ? [] : ["--rtc-port", "0"]) : ["--sfu", "off"];
  const child = spawn(binary, ["serve", "--dev", "--listen", listen, "--data", data, ...sfu, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-8000)));
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`skein ended with ${code} before it listened:\n${log}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const match = /^listening (\S+)/.exec(line);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
  });
  return { child, url };
}
