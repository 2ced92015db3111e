// Three nodes on one PostgreSQL behind a balancer, each with a media server of its
// own: what `make cluster` starts, on a folder of its own.
import { execFile, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { type Device, Devices } from "./chat.js";
import { binary } from "./sfu.js";

export interface Node {
  readonly name: string;
  readonly url: string;
  pid: number; // of its newest life
  readonly log: string;
}

export interface Nodes {
  /** The balancer's address. */
  readonly url: string;
  readonly all: Node[];
  device(user: string, name: string): Promise<Device>;
  /** The node that the newest room is on. */
  holder(): Promise<Node>;
  stop(): Promise<void>;
}

/** Starts them. A node that ends stays away, or is started again so long after as `again` says, such as "2s". */
export async function startNodes(again = "0"): Promise<Nodes> {
  const folder = mkdtempSync(join(tmpdir(), "skein-calls-nodes-"));
  chmodSync(folder, 0o711); // PostgreSQL runs as a user of its own
  const program = join(folder, "up");
  execFileSync("go", ["build", "-o", program, "./test/cluster/up"], { cwd: new URL("../../..", import.meta.url).pathname });
  const child = spawn(program, ["--listen", "127.0.0.1:0", "--data", join(folder, "data"), "--skein", binary(), "--again", again, "--", "--rtc-listen", "127.0.0.1"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const all: Node[] = [];
  let database = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the nodes ended with ${code}`)));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      if (process.env["CALLS_LOG"] !== undefined) console.log(line);
      const node = /^(node \d+) {2}(\S+) {2}pid (\d+) {2}log (.*)/.exec(line);
      if (node) all.push({ name: node[1]!, url: node[2]!, pid: Number(node[3]), log: node[4]! });
      const back = /^(node \d+) {2}\S+ {2}pid (\d+)$/.exec(line);
      const old = all.find((n) => n.name === back?.[1]);
      if (old) old.pid = Number(back?.[2]);
      database = /^database {2}(.*)/.exec(line)?.[1] ?? database;
      const at = /^cluster (\S+)/.exec(line)?.[1];
      if (at !== undefined) resolve(at);
    });
  });
  const devices = new Devices(url);
  return {
    url,
    all,
    device: (user, name) => devices.connect(user, name),
    async holder() {
      const { stdout } = await promisify(execFile)("psql", [database, "-Atc", "SELECT n.url FROM sfu_room r JOIN sfu_node n ON n.node = r.node AND n.incarnation = r.incarnation ORDER BY r.placed DESC LIMIT 1"]);
      const node = all.find((n) => readFileSync(n.log, "utf8").includes(`other servers" url=${stdout.trim()}`));
      if (!node || stdout.trim() === "") throw new Error(`the room is at ${JSON.stringify(stdout)}`);
      return node;
    },
    async stop() {
      await devices.close();
      await new Promise<void>((resolve) => {
        child.removeAllListeners("exit").once("exit", () => resolve());
        child.kill("SIGTERM");
      });
      if (process.env["CALLS_LOG"] === undefined) rmSync(folder, { recursive: true }); // else somebody wants to read the logs
    },
  };
}
