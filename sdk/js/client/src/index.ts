/**
 * Skein's client: conversations that you hold, an outbox that survives a reload, one connection for all
 * tabs of a browser.
 *
 * @packageDocumentation
 */
export { SkeinError } from "./error.js";
export type * from "./types/index.js";
