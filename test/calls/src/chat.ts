// The server beside an SFU of its own, and users of it: who rings whom.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type ClientWith, createClient } from "@skein/client";
import { calls } from "@skein/client/calls";
import { messages } from "@skein/client/messages";
import { binary, key, type SFU, secret, startSFU } from "./sfu.js";

const modules = { calls: calls(), messages: messages() };

/** A device of a user, with its calls. */
export type Device = ClientWith<typeof modules>;

export interface Chat {
  readonly url: string;
  readonly sfu: SFU;
  /** Signs a user in. */
  token(user: string): Promise<string>;
  device(user: string, name: string): Promise<Device>;
  stop(): Promise<void>;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      if (address === null || typeof address === "string") reject(new Error("no address"));
      else probe.close(() => resolve(address.port));
    });
  });
}

/** A user's token, which a server gives that was started for development. */
export async function devToken(endpoint: string, user: string): Promise<string> {
  const answer = await fetch(`${endpoint}/dev/token`, { method: "POST", body: JSON.stringify({ user }) });
  return ((await answer.json()) as { token: string }).token;
}

/** Devices that sign in with a server, and close together. */
export class Devices {
  readonly #endpoint: string;
  readonly #made: Device[] = [];

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  async connect(user: string, name: string): Promise<Device> {
    const made = createClient({ endpoint: this.#endpoint, appId: "demo", token: () => devToken(this.#endpoint, user), deviceId: name, modules });
    this.#made.push(made);
    await made.connect();
    return made;
  }

  async close(): Promise<void> {
    for (const device of this.#made) await device.close();
  }
}

/** Starts both; each knows the other. */
export async function startChat(...args: string[]): Promise<Chat> {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const sfu = await startSFU(["--webhook", `${endpoint}/v1/calls/webhook`]);
  const data = mkdtempSync(join(tmpdir(), "skein-calls-"));
  const server = spawn(binary(), ["serve", "--dev", "--listen", endpoint.slice(7), "--data", data, "--calls-url", sfu.url, "--calls-key", key, ...args], {
    env: { ...process.env, SKEIN_CALLS_SECRET: secret },
    stdio: ["ignore", "pipe", process.env["CALLS_LOG"] === undefined ? "ignore" : "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface({ input: server.stdout! }).once("line", () => resolve());
  });
  const devices = new Devices(endpoint);
  return {
    url: endpoint,
    sfu,
    token: (user) => devToken(endpoint, user),
    device: (user, name) => devices.connect(user, name),
    async stop() {
      await devices.close();
      await new Promise<void>((resolve) => {
        server.removeAllListeners("exit").once("exit", () => resolve());
        server.kill("SIGTERM");
      });
      await sfu.stop();
      rmSync(data, { recursive: true });
    },
  };
}

/** Waits until something holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeout = 20_000): Promise<void> {
  const end = Date.now() + timeout;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${timeout} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
