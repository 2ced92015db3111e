// The SFU in a process of its own, on free ports of loopback.
import { spawn, execFileSync, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { existsSync } from "node:fs";
import type { Host } from "./lab.js";
import { AccessToken, RoomServiceClient, type VideoGrant } from "livekit-server-sdk";

export const key = "calls-test";
export const secret = "a secret of calls that is long enough";

/** The program under test, built by `make build`, or named by SKEIN_BIN. */
export function binary(): string {
  const named = process.env["SKEIN_BIN"];
  if (named !== undefined) return named;
  const built = new URL("../../../bin/skein", import.meta.url).pathname;
  if (!existsSync(built)) execFileSync("make", ["build"], { cwd: new URL("../../..", import.meta.url).pathname });
  return built;
}

export interface SFU {
  readonly url: string;
  readonly http: string;
  readonly rtcPort: number;
  readonly rooms: RoomServiceClient;
  readonly process: ChildProcess;
  token(identity: string, room: string, grant?: VideoGrant): Promise<string>;
  stop(): Promise<void>;
}

/** Starts one and waits until it serves; on a host of a lab, under the address that clients know it by. */
export async function startSFU(args: string[] = [], listen = "127.0.0.1:0", on?: { host: Host; address: string }): Promise<SFU> {
  const line = [...(on?.host.enter ?? []), binary(), "sfu", "--listen", listen, "--rtc-port", "0", "--rtc-listen", on?.host.addr ?? "127.0.0.1", ...args];
  const child = spawn(line[0]!, line.slice(1), {
    env: { ...process.env, SKEIN_SFU_KEY: key, SKEIN_SFU_SECRET: secret },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ready = await new Promise<{ listen: string; rtc_port: number }>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the SFU ended with ${code}`)));
    createInterface({ input: child.stdout! }).once("line", (line) => resolve(JSON.parse(line) as { listen: string; rtc_port: number }));
  });
  const address = on?.address ?? ready.listen;
  const http = `http://${address}`;
  return {
    url: `ws://${address}`,
    http,
    rtcPort: ready.rtc_port,
    rooms: new RoomServiceClient(http, key, secret),
    process: child,
    async token(identity, room, grant = {}) {
      const t = new AccessToken(key, secret, { identity, name: identity.toUpperCase(), ttl: "1h" });
      t.addGrant({ roomJoin: true, room, ...grant });
      return t.toJwt();
    },
    stop() {
      if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
      return new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
      });
    },
  };
}
