/**
 * Skein's client for browsers: conversations that you hold, an outbox that survives a reload, one connection for
 * all tabs of a browser profile.
 *
 * @packageDocumentation
 */
import { SkeinClient, systemRandom } from "./client.js";
import { browserEnvironment } from "./environment/browser.js";
import { indexedDBStore } from "./store/indexeddb.js";
import { memoryStore } from "./store/memory.js";
import { platformTabs } from "./tabs/browser.js";
import type { Crew, CrewHost } from "./tabs/crew.js";
import { sharedCrew } from "./tabs/shared.js";
import type { ClientOptions, ModuleOptions } from "./types/client.js";
import type { ClientWith, Modules } from "./types/module.js";
import { extras } from "./modules/extras/index.js";

export { SkeinError } from "./error.js";
export type * from "./types/index.js";

/** Tabs share a store that all of them see: without one each is on its own. */
function platformCrew(): ((host: CrewHost) => Crew) | undefined {
  const tabs = platformTabs(systemRandom);
  return tabs && sharedCrew(tabs);
}

/**
 * Makes a client for one user of an app. It does nothing until `connect` is called. Where there is an IndexedDB it
 * keeps everything there, and the tabs of a browser profile share one connection; with a store of your own, or
 * without an IndexedDB, each page is on its own.
 */
export function createClient<const M extends Modules = {}>(options: ClientOptions & ModuleOptions<M>): ClientWith<M> {
  const persistent = options.store === undefined && typeof indexedDB !== "undefined";
  return new SkeinClient({
    ...options,
    extras,
    store: options.store ?? (persistent ? indexedDBStore() : memoryStore()),
    environment: options.environment ?? browserEnvironment(),
    crew: persistent ? platformCrew() : undefined,
  }) as unknown as ClientWith<M>;
}
