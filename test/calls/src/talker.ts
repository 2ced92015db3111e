// A participant that speaks all the time, in a process of its own.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { CallAccess } from "@skein/client/calls";

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
