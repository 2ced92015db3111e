// What a module's wire.ts is made of: messages that can be read and written by themselves, and unary calls.
import { type Init, type Schema, type Values, decodeAs, encodeAs } from "./codec.js";

/** A message of a schema. Of fields that the core leaves to modules: what of them is in a `rest`. */
export interface Piece<T> {
  /** Reads it. Throws when the bytes are not one; nothing reads as a message without fields. */
  read(bytes: Uint8Array | undefined): T;
  write(value: Init<T>): Uint8Array;
}

/** A unary call: `Service/Method`, and how its two messages are written and read. */
export interface Call<I, O> {
  readonly path: string;
  readonly input: Piece<I>;
  readonly output: Piece<O>;
  /** Fields of the answer that change the client's state: their numbers, and whether they are entries. */
  readonly takes: readonly Take[];
}

export interface Take {
  readonly number: number;
  readonly type: "Entry" | "Conversation";
}

export function piece<T>(schema: Schema, name: string): Piece<T> {
  return {
    read: (bytes) => decodeAs(schema, name, bytes ?? new Uint8Array(0)) as T,
    write: (value) => encodeAs(schema, name, value as Values),
  };
}

export function callOf<I, O>(schema: Schema, path: string): Call<I, O> {
  const method = path.slice(path.indexOf("/") + 1);
  return {
    path,
    input: piece(schema, `${method}Request`),
    output: piece(schema, `${method}Response`),
    get takes() {
      return schema(`${method}Response`).flatMap(({ number, ref }): readonly Take[] => (ref === "Entry" || ref === "Conversation" ? [{ number, type: ref }] : []));
    },
  };
}
