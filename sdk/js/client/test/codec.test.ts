import { create, fromBinary, toBinary, toJson as oracleJson, type DescMessage } from "@bufbuild/protobuf";
import fc from "fast-check";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as conversation from "../src/gen/skein/v1/conversation_pb.js";
import * as message from "../src/gen/skein/v1/message_pb.js";
import * as realtime from "../src/gen/skein/v1/realtime_pb.js";
import { chunksIn, core, decode, encode, fromBase64, toBase64 } from "../src/wire/codec.js";
import { toJson } from "../src/wire/json.js";
import type { Messages } from "../src/wire/schema.js";

const oracles: [keyof Messages, DescMessage][] = [
  ["ClientPacket", realtime.ClientPacketSchema],
  ["ServerPacket", realtime.ServerPacketSchema],
  ["ListMessagesResponse", message.ListMessagesResponseSchema],
  ["GetConversationResponse", conversation.GetConversationResponseSchema],
];

/** Any valid message of the descriptor, in the plain form that `create` takes; with `known` only what the core knows. */
function arbitrary(desc: DescMessage, known = false, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const shape: Record<string, fc.Arbitrary<unknown>> = {};
  const knows = (field: string): boolean => !known || core(desc.name).some(({ name }) => name === field);
  for (const member of desc.members) {
    if (member.kind === "field" && !knows(member.localName)) continue;
    if (member.kind === "oneof") {
      const cases = member.fields.filter((field) => knows(field.localName)).map((field) => {
        if (!field.message) throw new Error(`${field.name} is no message`);
        return arbitrary(field.message, known, depth + 1).map((value) => ({ case: field.localName, value }));
      });
      shape[member.localName] = depth > 5 ? fc.constant({ case: undefined }) : fc.oneof(fc.constant({ case: undefined }), ...cases);
      continue;
    }
    const single = (): fc.Arbitrary<unknown> => {
      if (member.message) return arbitrary(member.message, known, depth + 1);
      if (member.enum) return fc.nat(member.enum.values.length - 1);
      switch (member.scalar) {
        case 9:
          return fc.string({ unit: "grapheme", maxLength: 200 });
        case 12:
          return fc.uint8Array({ maxLength: 300 });
        case 8:
          return fc.boolean();
        case 13:
          return fc.nat({ max: 2 ** 31 - 1 });
        case 5:
        case 17:
          return fc.integer();
        case 3:
          return fc.maxSafeInteger().map(BigInt);
        default:
          return fc.maxSafeNat().map(BigInt);
      }
    };
    if (member.fieldKind === "list") shape[member.localName] = fc.array(single(), { maxLength: 3 });
    else if (member.message) shape[member.localName] = depth > 5 ? fc.constant(undefined) : fc.option(single(), { nil: undefined });
    else shape[member.localName] = single();
  }
  return fc.record(shape);
}

describe.each(oracles)("%s", (name, schema) => {
  test("what the codec reads and writes again is what the protobuf runtime wrote", () => {
    fc.assert(
      fc.property(arbitrary(schema), (value) => {
        const bytes = toBinary(schema, create(schema, value));
        const again = encode(name, decode(name, bytes));
        expect(again).toHaveLength(bytes.length);
        // Fields that only modules know come last, so that the order may differ.
        expect(toBase64(toBinary(schema, fromBinary(schema, again)))).toBe(toBase64(bytes));
      }),
      { numRuns: 150 },
    );
  });

  test("the JSON for eyes is the proto3 JSON mapping", () => {
    fc.assert(
      fc.property(arbitrary(schema, true), (value) => {
        const bytes = toBinary(schema, create(schema, value));
        expect(toJson(name, decode(name, bytes))).toEqual(oracleJson(schema, fromBinary(schema, bytes)));
      }),
      { numRuns: 50 },
    );
  });

  test("bytes that are no message are refused with an error, and never hang", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decode(name, bytes);
        } catch (error) {
          expect(error instanceof RangeError || error instanceof TypeError).toBe(true);
        }
      }),
    );
  });
});

test("unknown fields are kept as they came, and written again", () => {
  const known = encode("Pong", { serverTimeUs: 5 });
  const unknown = Uint8Array.from([...known, 0xf8, 0x07, 0x01, 0xfa, 0x07, 0x02, 1, 2, 0xfd, 0x07, 1, 2, 3, 4, 0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8]);
  const message = decode("Pong", unknown);
  expect(message).toEqual({ serverTimeUs: 5, rest: unknown.slice(known.length) });
  expect(encode("Pong", message)).toEqual(unknown);
  expect(chunksIn(message.rest)).toEqual([[127, Uint8Array.from([1, 2])]]);
});

test("a field that comes twice is merged when it is a message, and the last one wins when it is not", () => {
  const first = encode("Welcome", { session: "a", limits: { maxTextBytes: 1 } });
  const second = encode("Welcome", { session: "b", limits: { maxBodyBytes: 2 } });
  const both = decode("Welcome", Uint8Array.from([...first, ...second]));
  expect(both.session).toBe("b");
  expect(both.limits).toMatchObject({ maxTextBytes: 1, maxBodyBytes: 2 });
});

test.each([
  ["text that is not UTF-8", [0x0a, 0x02, 0xc3, 0x28]],
  ["a field that ends too early", [0x0a, 0x05, 0x61]],
  ["a varint without an end", [0x18, ...Array<number>(10).fill(0xff)]],
  ["a seq past 2^53", [0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
  ["field number 0", [0x00, 0x00]],
])("%s is refused", (_, bytes) => {
  expect(() => decode("Entry", Uint8Array.from(bytes))).toThrow();
});

test("base64 is read in both alphabets, with and without padding", () => {
  expect([...fromBase64("-_8")]).toEqual([251, 255]);
  expect([...fromBase64("+/8=")]).toEqual([251, 255]);
});

test("the tables are what the descriptors say", () => {
  const script = fileURLToPath(new URL("../scripts/gen-wire.mjs", import.meta.url));
  expect(execFileSync(process.execPath, [script, "--check"], { encoding: "utf8" })).toBe("");
});
