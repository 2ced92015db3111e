// The proto3 JSON mapping (https://protobuf.dev/programming-guides/json/) of what crosses the wire, by the tables of
// wire.ts: 64-bit numbers are strings there, bytes base64, enums their full names, and what is zero is left out.
import { SkeinError } from "./error.js";
import { enumPrefixes, fieldTables } from "./wire.js";

/** What a call takes: what is left out is zero, or unchanged. */
export type Input<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer U)[]
    ? readonly Input<U>[]
    : T extends object
      ? { readonly [K in keyof T]?: Input<T[K]> | undefined }
      : T;

/** What a call takes, of which `Needed` has to be there. */
export type Needs<T, Needed extends keyof T> = Input<T> & { readonly [K in Needed]-?: Exclude<Input<T[K]>, undefined> };

interface Field {
  readonly name: string;
  /** b bytes, e enum, l 64 bits, m message, n number, o boolean, s text. */
  readonly type: string;
  readonly list: boolean;
  readonly optional: boolean;
  /** Of a message or an enum: its name. */
  readonly ref: string;
}

const parsed = new Map<string, readonly Field[]>();

function fieldsOf(message: string): readonly Field[] {
  let fields = parsed.get(message);
  if (!fields) {
    const table = fieldTables[message];
    if (table === undefined) throw new Error(`${message} is not of the server API`);
    fields = table.split(" ").filter(Boolean).map((text): Field => {
      const [name = "", ref = ""] = text.slice(1).split(":");
      const letter = text.charAt(0);
      const type = letter.toLowerCase();
      return { name: name.replace("?", ""), type, list: letter !== type, optional: name.endsWith("?") || type === "m", ref };
    });
    parsed.set(message, fields);
  }
  return fields;
}

function writeOne(field: Field, value: unknown): unknown {
  switch (field.type) {
    case "m":
      return toJson(field.ref, value as object);
    case "b":
      return Buffer.from(value as Uint8Array).toString("base64");
    case "l":
      if (!Number.isSafeInteger(value)) throw new SkeinError("invalid_argument", `${field.name} is not a whole number below 2^53`);
      return String(value);
    case "e":
      return (enumPrefixes[field.ref] ?? "") + String(value).toUpperCase();
  }
  return value;
}

/** A message for the wire. A field that the message has not is refused: it is a slip of the pen. */
export function toJson(message: string, value: object): Record<string, unknown> {
  const fields = fieldsOf(message);
  const json: Record<string, unknown> = {};
  for (const [name, v] of Object.entries(value)) {
    if (v === undefined) continue;
    const field = fields.find((f) => f.name === name);
    if (!field) throw new SkeinError("invalid_argument", `${message} has no ${name}`);
    json[name] = field.list ? (v as readonly unknown[]).map((item) => writeOne(field, item)) : writeOne(field, v);
  }
  return json;
}

const zero: Readonly<Record<string, unknown>> = { s: "", n: 0, l: 0, o: false, e: "unspecified" };

function readOne(field: Field, json: unknown): unknown {
  switch (field.type) {
    case "m":
      return fromJson(field.ref, json);
    case "b":
      return new Uint8Array(Buffer.from(String(json), "base64"));
    case "l":
      return Number(json);
    case "e": {
      // A number is a value that this SDK is too old to know.
      const prefix = enumPrefixes[field.ref] ?? "";
      return typeof json === "string" && json.startsWith(prefix) ? json.slice(prefix.length).toLowerCase() : "unspecified";
    }
  }
  return json;
}

/** A message of the wire; fields that this SDK does not know are left out. */
export function fromJson(message: string, json: unknown): Record<string, unknown> {
  const values = (json ?? {}) as Readonly<Record<string, unknown>>;
  const out: Record<string, unknown> = {};
  for (const field of fieldsOf(message)) {
    const value = values[field.name];
    if (field.list) out[field.name] = Array.isArray(value) ? value.map((item) => readOne(field, item)) : [];
    else if (value !== undefined && value !== null) out[field.name] = readOne(field, value);
    else if (!field.optional) out[field.name] = field.type === "b" ? new Uint8Array() : zero[field.type];
  }
  return out;
}
