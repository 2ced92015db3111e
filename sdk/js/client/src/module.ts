/**
 * For whoever writes a module: `defineModule`, and pieces of protobuf without a generator.
 *
 * @packageDocumentation
 */
export { defineModule } from "./modules.js";
export { schemaOf } from "./wire/codec.js";
export { callOf, piece } from "./wire/piece.js";
export type * from "./types/index.js";
