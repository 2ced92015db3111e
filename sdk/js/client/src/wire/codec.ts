// The protobuf binary format (https://protobuf.dev/programming-guides/encoding/) for the messages of
// schema.ts, and of the modules' schemas. Absent scalars read as their zero value. Fields that a table does not have are
// kept as they came in `rest`, and written again: what the core does not know a module decodes, and nothing is lost on
// the way through the store and the tabs. 64-bit values are numbers: seq, ord and microseconds stay far below 2^53, and
// a packet that passes it is refused rather than rounded.
import { type Messages, fieldTables } from "./schema.js";

/** What every message has beside its own fields: those that its table does not know, as they came. */
export interface Rest {
  rest?: Uint8Array | undefined;
}

/** A message to write: every field may be left out, also in nested messages. */
export type Init<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Init<Item>[]
    : T extends object
      ? { readonly [K in keyof T]?: Init<T[K]> | undefined }
      : T;

export interface Field {
  readonly number: number;
  /** s string, b bytes, u uint32, l uint64, i int64, o bool, e enum, m message. */
  readonly type: string;
  readonly repeated: boolean;
  readonly name: string;
  readonly ref: string;
}

export type Values = Record<string, unknown>;

/** The fields of messages, by the message's name. */
export type Schema = (name: string) => readonly Field[];

/** A schema of tables as scripts/gen-wire.mjs writes them; names that they lack are looked up in `base`. */
export function schemaOf(tables: Readonly<Record<string, string>>, base?: Schema): Schema {
  const parsed = new Map<string, readonly Field[]>();
  return (name) => {
    let fields = parsed.get(name);
    if (fields) return fields;
    const table = tables[name];
    if (table === undefined && base) return base(name);
    fields = [...(table ?? "").matchAll(/(\d+)(\w)(\w+):?(\w*)/g)].map((match) => {
      const letter = match[2] ?? "";
      return {
        number: Number(match[1]),
        type: letter.toLowerCase(),
        repeated: letter < "a",
        name: match[3] ?? "",
        ref: match[4] ?? "",
      };
    });
    parsed.set(name, fields);
    return fields;
  };
}

/** What the core knows. */
export const core = /* @__PURE__ */ schemaOf(fieldTables);

const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = /* @__PURE__ */ new TextEncoder();
const noBytes = /* @__PURE__ */ new Uint8Array(0);

class Reader {
  at = 0;

  constructor(readonly bytes: Uint8Array) {}

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError("truncated varint");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new RangeError("varint of more than 10 bytes");
  }

  unsigned(): number {
    const value = this.varint();
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError("integer past 2^53");
    return value;
  }

  /** A negative int64 is ten bytes of two's complement; so the top of the range means below zero. */
  signed(): number {
    const start = this.at;
    const value = this.varint();
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    let low = 0n;
    for (let i = start, shift = 0n; i < this.at; i++, shift += 7n) low |= BigInt((this.bytes[i] ?? 0) & 0x7f) << shift;
    const exact = Number(BigInt.asIntN(64, low));
    if (!Number.isSafeInteger(exact)) throw new RangeError("integer past 2^53");
    return exact;
  }

  chunk(): Uint8Array {
    const length = this.varint();
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError("truncated field");
    const chunk = this.bytes.subarray(this.at, end);
    this.at = end;
    return chunk;
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.at += 8;
    else if (wireType === 2) this.chunk();
    else if (wireType === 5) this.at += 4;
    else throw new RangeError(`wire type ${wireType}`);
    if (this.at > this.bytes.length) throw new RangeError("truncated field");
  }
}

function zero(field: Field): unknown {
  if (field.repeated) return [];
  if (field.type === "s") return "";
  if (field.type === "b") return noBytes;
  return field.type === "o" ? false : 0;
}

function readValue(schema: Schema, reader: Reader, field: Field, before: unknown): unknown {
  switch (field.type) {
    case "m":
      return decodeInto(schema, field.ref, reader.chunk(), (field.repeated ? undefined : before) as Values | undefined);
    case "s":
      return decoder.decode(reader.chunk());
    case "b":
      return reader.chunk().slice();
    case "o":
      return reader.varint() !== 0;
    case "u":
    case "l":
      return reader.unsigned();
    default:
      return reader.signed();
  }
}

function decodeInto(schema: Schema, name: string, bytes: Uint8Array, into: Values | undefined): Values {
  const fields = schema(name);
  const values: Values = into ?? {};
  if (!into) for (const field of fields) if (field.repeated || field.type !== "m") values[field.name] = zero(field);
  const reader = new Reader(bytes);
  let rest: Writer | undefined;
  while (reader.at < bytes.length) {
    const start = reader.at;
    const tag = reader.unsigned();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    const field = fields.find((f) => f.number === number);
    if (!field || wireType !== (/[sbm]/.test(field.type) ? 2 : 0)) {
      if (number === 0) throw new RangeError("field number 0");
      reader.skip(wireType);
      if (!field) (rest ??= new Writer(values.rest as Uint8Array | undefined)).raw(bytes.subarray(start, reader.at));
      continue;
    }
    const value = readValue(schema, reader, field, values[field.name]);
    if (field.repeated) (values[field.name] as unknown[]).push(value);
    else values[field.name] = value;
  }
  if (rest) values.rest = rest.done();
  return values;
}

/** Reads a message of a schema. Throws RangeError or TypeError when the bytes are not one. */
export function decodeAs(schema: Schema, name: string, bytes: Uint8Array): unknown {
  return decodeInto(schema, name, bytes, undefined);
}

/** Reads a message of the core's. Throws RangeError or TypeError when the bytes are not one. */
export function decode<Name extends keyof Messages>(name: Name, bytes: Uint8Array): Messages[Name] {
  return decodeInto(core, name, bytes, undefined) as unknown as Messages[Name];
}

/** The fields that `rest` holds, in the order in which they came: their numbers, and the bytes of those that have a length. */
export function chunksIn(rest: Uint8Array | undefined): readonly (readonly [number: number, bytes: Uint8Array])[] {
  const chunks: [number, Uint8Array][] = [];
  const reader = new Reader(rest ?? noBytes);
  while (reader.at < reader.bytes.length) {
    const tag = reader.unsigned();
    if (tag % 8 === 2) chunks.push([Math.floor(tag / 8), reader.chunk()]);
    else reader.skip(tag % 8);
  }
  return chunks;
}

class Writer {
  #bytes = new Uint8Array(256);
  #length = 0;

  constructor(start: Uint8Array = noBytes) {
    this.raw(start);
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }

  varint(value: number): void {
    this.#room(10);
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      value = Number(rest);
    }
    for (; value > 0x7f; value = Math.floor(value / 128)) this.#bytes[this.#length++] = (value % 128) | 0x80;
    this.#bytes[this.#length++] = value;
  }

  chunk(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

function writeValue(schema: Schema, writer: Writer, field: Field, value: unknown): void {
  writer.varint(field.number * 8 + (/[sbm]/.test(field.type) ? 2 : 0));
  if (field.type === "m") writer.chunk(encodeAs(schema, field.ref, value as Values));
  else if (field.type === "s") writer.chunk(encoder.encode(value as string));
  else if (field.type === "b") writer.chunk(value as Uint8Array);
  else writer.varint(Number(value));
}

/** Zero values are not written; a message that is there is, be it empty. */
export function absent(field: Field, value: unknown): boolean {
  if (value === undefined) return true;
  if (field.type === "b") return (value as Uint8Array).length === 0;
  return field.type !== "m" && !value;
}

/** Writes a message of a schema, fields in the order of their numbers and `rest` last: the same value always gives the same bytes. */
export function encodeAs(schema: Schema, name: string, values: Values): Uint8Array {
  const writer = new Writer();
  for (const field of schema(name)) {
    const value = values[field.name];
    if (field.repeated) for (const item of (value ?? []) as unknown[]) writeValue(schema, writer, field, item);
    else if (!absent(field, value)) writeValue(schema, writer, field, value);
  }
  if (values.rest) writer.raw(values.rest as Uint8Array);
  return writer.done();
}

/** Writes a message of the core's. */
export function encode<Name extends keyof Messages>(name: Name, message: Init<Messages[Name]>): Uint8Array {
  return encodeAs(core, name, message as Values);
}

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Reads base64 in the standard or the URL alphabet, padded or not. Throws on other characters. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}
