// The proto3 JSON mapping (https://protobuf.dev/programming-guides/json/) of what crosses the wire. For eyes, in a
// developer's panel: nothing reads it back.
import { type Field, type Init, type Values, absent, core, toBase64 } from "./codec.js";
import { type Messages, enumNames } from "./schema.js";

function jsonValue(field: Field, value: unknown): unknown {
  if (field.type === "m") return jsonValues(field.ref, value as Values);
  if (field.type === "b") return toBase64(value as Uint8Array);
  if (field.type === "e") {
    const short = enumNames[field.ref]?.split(" ")[value as number];
    return short ? `${field.ref.replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase()}_${short}` : value;
  }
  // In the proto3 JSON mapping 64-bit integers are strings and 32-bit ones numbers.
  return field.type === "i" || field.type === "l" ? String(value) : value;
}

function jsonValues(name: string, values: Values): Values {
  const json: Values = {};
  for (const field of core(name)) {
    const value = values[field.name];
    if (field.repeated) {
      const items = value as readonly unknown[] | undefined;
      if (items?.length) json[field.name] = items.map((item) => jsonValue(field, item));
    } else if (!absent(field, value)) json[field.name] = jsonValue(field, value);
  }
  return json;
}

/** A message in the proto3 JSON mapping. */
export function toJson<Name extends keyof Messages>(name: Name, message: Init<Messages[Name]>): unknown {
  return jsonValues(name, message as Values);
}
