import { fromBinary, fromJson, toJson as oracleJson, type JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ClientPacketSchema, ServerPacketSchema } from "../src/gen/skein/v1/realtime_pb.js";
import { decode, encode } from "../src/wire/codec.js";
import { toJson } from "../src/wire/json.js";
import { vectors, wire } from "./vectors.js";

interface Vector {
  readonly hex: string;
  readonly json: unknown;
}

describe("golden frames", () => {
  test.each(vectors<Vector>("frames", 30))("%s", (name, { hex, json }) => {
    const client = name.startsWith("client");
    const schema = client ? ClientPacketSchema : ServerPacketSchema;
    const packet = client ? "ClientPacket" : "ServerPacket";
    const bytes = new Uint8Array(Buffer.from(hex, "hex"));
    const message = decode(packet, bytes);
    expect(message).toEqual(wire(packet, schema, json));
    // Protobuf leaves the order of fields to the writer (Go puts oneofs last): the bytes are compared by what they say.
    const again = encode(packet, message);
    expect(again.length).toBe(bytes.length);
    expect(fromBinary(schema, again)).toEqual(fromBinary(schema, bytes));
    // The core keeps what modules say as bytes, so its JSON does not show it.
    if (!/_(command|rooms|delivered)$/.test(name)) expect(toJson(packet, message)).toEqual(oracleJson(schema, fromJson(schema, json as JsonValue)));
  });
});
