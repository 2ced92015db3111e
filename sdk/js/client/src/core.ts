/**
 * The client alone: it keeps its state in memory unless it is given a store, and shares it with no other tab.
 * For workers, tests, and pages that count every kilobyte. The package root adds what a browser wants.
 *
 * @packageDocumentation
 */
import { SkeinClient } from "./client.js";
import type { Client, ClientOptions } from "./types/client.js";

export { SkeinError } from "./error.js";
export type * from "./types/index.js";

/** Makes a client for one user of an app. It does nothing until `connect` is called. */
export function createClient(options: ClientOptions): Client {
  return new SkeinClient(options);
}
