/**
 * The client alone: it keeps its state in the store that it is given, and shares it with no other tab. For workers and
 * pages that count every kilobyte. The package root adds what a browser wants, and `./extras` what only some need.
 *
 * @packageDocumentation
 */
import { SkeinClient } from "./client.js";
import type { ClientOptions, ModuleOptions } from "./types/client.js";
import type { ClientWith, Modules } from "./types/module.js";

export { SkeinError } from "./error.js";
export type * from "./types/index.js";

/** Makes a client for one user of an app. It does nothing until `connect` is called. */
export function createClient<const M extends Modules = {}>(options: ClientOptions & ModuleOptions<M>): ClientWith<M> {
  return new SkeinClient(options) as unknown as ClientWith<M>;
}
