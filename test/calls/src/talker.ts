// A participant that speaks all the time, in a process of its own.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { CallAccess } from "@skein/client/calls";
import { until } from "./chat.js";

export interface Talker {
  /** How many milliseconds ago it heard somebody; much when it never did. */
  quiet(): number;
  readonly gone: Promise<void>;
  stop(): Promise<void>;
}

export function talk(access: CallAccess | undefined): Talker {
  const child = spawn(process.execPath, [new URL("talker.mjs", import.meta.url).pathname, access?.url ?? "", access?.token ?? ""], {
    stdio: ["pipe", "pipe", process.env["CALLS_LOG"] === undefined ? "ignore" : "inherit"],
  });
  let last = 0;
  createInterface({ input: child.stdout! }).on("line", (line) => {
    if (line.startsWith("heard ")) last = Number(line.slice(6));
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    quiet: () => Date.now() - last,
    gone,
    async stop() {
      child.stdin!.end();
      const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await gone;
      clearTimeout(late);
    },
  };
}

/**
 * What happens to two who talk when a node ends: when both hear each other again,
 * from when it is told to, and how long one of them heard nothing.
 */
export async function gap(who: Talker[], end: () => void): Promise<{ again: number; silence: number }> {
  const began = performance.now();
  let again = 0;
  let silence = 0;
  end();
  await until("both to hear each other again", () => {
    const now = performance.now();
    const quiet = Math.max(...who.map((t) => t.quiet()));
    silence = Math.max(silence, quiet);
    if (quiet > 300) again = 0;
    else if (again === 0) again = now - began;
    return again > 0 && now - began > again + 500 && (silence > 300 || now - began > 3_000);
  }, 30_000);
  return { again: Math.round(again), silence: Math.round(silence) };
}
