// A small internet (test/calls/netlab) for tests: hosts, NATs, bad links. What
// runs on a host is started by a command line that enters its namespace.
import { chmodSync, existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Quality {
  loss?: number;
  reorder?: number;
  twice?: number;
  /** In milliseconds. */
  delay?: number;
  jitter?: number;
  /** In bits a second. */
  rate?: number;
  /** In bytes. */
  queue?: number;
}

export interface LinkCounts { Sent: number; Bytes: number; Passed: number; Lost: number; Overflowed: number }

export interface Host {
  readonly name: string;
  readonly addr: string;
  /** What goes before a command line, so that it runs on the host. */
  readonly enter: readonly string[];
}

const root = new URL("../../..", import.meta.url).pathname;

/** Whether this machine lets namespaces be made. */
export const mayLab = process.getuid?.() === 0 && existsSync("/dev/net/tun");

export class Lab {
  readonly #process: ChildProcess;
  readonly #waiting: ((line: string) => void)[] = [];

  private constructor(process: ChildProcess) {
    this.#process = process;
    createInterface({ input: process.stdout! }).on("line", (line) => this.#waiting.shift()?.(line));
  }

  static start(): Lab {
    const bin = join(mkdtempSync(join(tmpdir(), "skein-lab-")), "lab");
    execFileSync("go", ["build", "-o", bin, "./test/calls/netlab/up"], { cwd: root });
    return new Lab(spawn(bin, [], { stdio: ["pipe", "pipe", "inherit"] }));
  }

  async #do(command: Record<string, unknown>): Promise<Record<string, unknown>> {
    const answer = new Promise<string>((resolve) => this.#waiting.push(resolve));
    this.#process.stdin!.write(JSON.stringify(command) + "\n");
    const got = JSON.parse(await answer) as Record<string, unknown>;
    if (typeof got["error"] === "string") throw new Error(got["error"]);
    return got;
  }

  /** A NAT with one public address, by what it looks at. */
  async nat(name: string, addr: string, mapping: "any" | "address" | "port", filtering: "any" | "address" | "port"): Promise<void> {
    await this.#do({ do: "nat", name, addr, mapping, filtering });
  }

  /** A NAT that gives its public address to one machine inside, which does not have it. */
  async oneToOne(name: string, addr: string, inside: string): Promise<void> {
    await this.#do({ do: "oneToOne", name, addr, inside });
  }

  async host(name: string, addr: string, behind = ""): Promise<Host> {
    const { ns } = await this.#do({ do: "host", name, addr, behind });
    return { name, addr, enter: ["nsenter", `--net=${String(ns)}`] };
  }

  async link(host: Host, way: "up" | "down" | "both", q: Quality): Promise<void> {
    await this.#do({ do: "link", name: host.name, way, ...q });
  }

  /** Lets nothing of UDP through, nothing of TCP to one port, neither, or nothing but that TCP. */
  async block(host: Host, drop: "nothing" | "udp" | "tcp" | "udp and tcp" | "all but", port = 0): Promise<void> {
    await this.#do({ do: "block", name: host.name, drop, port });
  }

  async counts(): Promise<Record<string, { up: LinkCounts; down: LinkCounts; blocked: number }>> {
    return (await this.#do({ do: "counts" })) as Record<string, { up: LinkCounts; down: LinkCounts; blocked: number }>;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#process.exitCode !== null) return resolve();
      this.#process.once("exit", () => resolve());
      this.#process.stdin!.end();
    });
  }
}

/** A program that starts another one on a host, for those who want the path of a program. */
export function wrapper(host: Host, program: string): string {
  const file = join(mkdtempSync(join(tmpdir(), "skein-on-")), "run");
  writeFileSync(file, `#!/bin/sh\nexec ${host.enter.join(" ")} ${program} "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}
