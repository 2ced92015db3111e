// A server with files, a clock and clients for each test of a file that imports
// this.
import { afterEach, beforeEach } from "vitest";
import type { FullOptions } from "../../src/client.js";
import type { SkeinError } from "../../src/error.js";
import { type Files, type FilesOptions, type HttpRequest, files } from "../../src/modules/files/index.js";
import { type Messages, messages } from "../../src/modules/messages/index.js";
import type { Client } from "../../src/types/client.js";
import type { Message } from "../../src/types/message.js";
import { FakeFiles } from "./files.js";
import { World, alicesBob } from "./world.js";

export type WithFiles = Client & { readonly files: Files; readonly messages: Messages };

export const mib = 1024 * 1024;
/** What a first request brings. */
export const chunk = 4 * mib;

export let world: World;
export let server: FakeFiles;

beforeEach(() => {
  world = new World();
  server = new FakeFiles(world.server, () => world.clock.now());
});
afterEach(() => world.close());

export const modules = (given: FilesOptions = {}) => ({ files: files({ http: server.http, ...given }), messages: messages() });

export function client(options: Partial<FullOptions> = {}, given: FilesOptions = {}): WithFiles {
  return world.client("alice", { modules: modules(given), ...options }) as WithFiles;
}

export async function online(options: Partial<FullOptions> = {}, given: FilesOptions = {}): Promise<WithFiles> {
  const alice = client(options, given);
  await alice.connect();
  return alice;
}

export const bytes = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, i) => i % 251);
export const file = (length: number, name = "cat.png", type = "image/png"): File => new File([bytes(length)], name, { type });
export const entries = (): readonly unknown[] => world.server.log(alicesBob).entries;
export const patches = (): readonly HttpRequest[] => server.requests.filter(({ method }) => method === "PATCH");
export const states = (alice: WithFiles): string[] => alice.files.transfers().map(({ state }) => state);

/** What it becomes, before its promise is looked at. */
export function settled(promise: Promise<Message>): Promise<Message | SkeinError> {
  return promise.catch((error: unknown) => error as SkeinError);
}

/** Waits with the clock moving. */
export async function outcome<T>(promise: Promise<T>): Promise<T> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  promise.then(end, end);
  await world.until(() => over, "the outcome");
  return promise;
}

/** Holds every PATCH until it is called. */
export function hold(): () => void {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  server.before = ({ method }) => (method === "PATCH" ? gate : undefined);
  return () => {
    server.before = () => undefined;
    release();
  };
}
