// The vectors that every SDK runs; sdk/testdata describes them.
import { fromJson, toBinary, type DescMessage, type JsonValue } from "@bufbuild/protobuf";
import { readFileSync, readdirSync } from "node:fs";
import { decode } from "../src/wire/codec.js";
import type { Messages } from "../src/wire/schema.js";

const root = new URL("../../../testdata/", import.meta.url);

export function vectors<V>(folder: string, least: number): [string, V][] {
  const names = readdirSync(new URL(`${folder}/`, root)).filter((name) => name.endsWith(".json"));
  if (names.length < least) throw new Error(`${names.length} vectors in ${folder}, want at least ${least}`);
  return names.map((name) => [
    name.replace(/\.json$/, ""),
    JSON.parse(readFileSync(new URL(`${folder}/${name}`, root), "utf8")) as V,
  ]);
}

/** A message of the proto3 JSON mapping as the SDK's codec reads it. */
export function wire<Name extends keyof Messages>(name: Name, schema: DescMessage, json: unknown): Messages[Name] {
  return decode(name, toBinary(schema, fromJson(schema, json as JsonValue)));
}

/** The object without the fields that have their zero value, as the vectors write objects. */
export function sparse(object: Record<string, unknown>): Record<string, unknown> {
  const empty = (value: unknown): boolean =>
    !value ||
    (Array.isArray(value) && (value.length === 0 || (value.length === 2 && value[0] === 0 && value[1] === 0))) ||
    (typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(object).filter(([, value]) => !empty(value)));
}
