// Three nodes on one PostgreSQL behind a balancer: what `make cluster` starts,
// on a folder of its own.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DevInfo } from "./server.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** A node of the cluster. */
export interface ClusterNode {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

/** A running cluster. Browsers go to `url`, which is the balancer. */
export class Cluster {
  readonly url: string;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #nodes: Map<string, ClusterNode>;

  private constructor(url: string, folder: string, child: ChildProcess, nodes: Map<string, ClusterNode>) {
    this.url = url;
    this.#folder = folder;
    this.#child = child;
    this.#nodes = nodes;
  }

  /** Builds the program and starts it on a free port. */
  static async start(): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), "skein-e2e-cluster-"));
    await chmod(folder, 0o711); // PostgreSQL runs as a user of its own
    const program = join(folder, "cluster");
    await promisify(execFile)("go", ["build", "-o", program, "./test/cluster/up"], { cwd: root });
    const binary = process.env["SKEIN_BIN"] ?? join(root, "bin/skein");
    const args = ["--listen", "127.0.0.1:0", "--data", join(folder, "data"), "--skein", binary, "--again", "1s", "--", "--sfu", "off"];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    const nodes = new Map<string, ClusterNode>();
    const url = await new Promise<string>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`the cluster ended with ${code} before it listened`)));
      createInterface({ input: child.stdout }).on("line", (line) => {
        const node = /^(node \d+) {2}(\S+) {2}pid (\d+)/.exec(line);
        if (node?.[1] !== undefined && node[2] !== undefined) nodes.set(node[1], { name: node[1], url: node[2], pid: Number(node[3]) });
        const all = /^cluster (\S+)/.exec(line);
        if (all?.[1] !== undefined) resolve(all[1]);
      });
    });
    return new Cluster(url, folder, child, nodes);
  }

  /** The nodes as they are now: one that was started again has another process. */
  get nodes(): readonly ClusterNode[] {
    return [...this.#nodes.values()];
  }

  /** How many devices are signed in with each node, by its name; a node that is away has none. */
  async sessions(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const node of this.nodes) {
      const info = await fetch(`${node.url}/dev/info`).catch(() => undefined);
      counts.set(node.name, info ? ((await info.json()) as DevInfo & { sessions: number }).sessions : 0);
    }
    return counts;
  }

  /** Kills a node as a power cut would. It comes back by itself. */
  kill(node: ClusterNode): void {
    process.kill(node.pid, "SIGKILL");
  }

  /** Ends all of it and removes its folder. */
  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await gone;
    await rm(this.#folder, { recursive: true, force: true });
  }
}
