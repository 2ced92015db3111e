/**
 * The client for Node: in memory unless it is given a store, over the platform's WebSocket where there is one
 * (Node 22 and newer), else over the `ws` package.
 *
 * @packageDocumentation
 */
import WebSocketClient from "ws";
import { SkeinClient } from "./client.js";
import { type WebSocketLike, platformTransport, socketTransport } from "./transport.js";
import type { ClientOptions, ModuleOptions } from "./types/client.js";
import type { ClientWith, Modules } from "./types/module.js";
import type { Transport } from "./types/transport.js";
import { extras } from "./modules/extras/index.js";

export { SkeinError } from "./error.js";
export type * from "./types/index.js";

/** The transport that fits this version of Node. */
export function nodeTransport(): Transport {
  if (typeof WebSocket !== "undefined") return platformTransport();
  const options = { perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 };
  return socketTransport((url, protocol) => new WebSocketClient(url, protocol, options) as unknown as WebSocketLike);
}

/** Makes a client for one user of an app. It does nothing until `connect` is called. */
export function createClient<const M extends Modules = {}>(options: ClientOptions & ModuleOptions<M>): ClientWith<M> {
  return new SkeinClient({
    ...options,
    extras,
    platform: options.platform ?? "server",
    transport: options.transport ?? nodeTransport(),
  }) as unknown as ClientWith<M>;
}
