export type * from "./client.js";
export type * from "./conversation.js";
export type * from "./environment.js";
export type * from "./message.js";
export type * from "./module.js";
export type * from "./store.js";
export type * from "./transport.js";
export type { ErrorCode, SkeinErrorDetails } from "../error.js";
