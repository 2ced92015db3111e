// Writes src/wire/schema.ts from the generated descriptors in src/gen: the field tables and the types
// of those messages that the SDK speaks. The protobuf runtime with its descriptors is 24 KB gzip, which
// leaves no room for a client in 30; these tables with their codec are about 3.
//
//   node scripts/gen-wire.mjs           write the file
//   node scripts/gen-wire.mjs --check   exit 1 when the file is not what the descriptors say
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = new URL("../", import.meta.url);
const target = new URL("src/wire/schema.ts", root);

/** The calls that the SDK makes. What has a frame goes by the socket. */
const calls = {
  conversation: ["GetConversation", "CreateGroup", "UpdateGroup", "ListMembers", "AddMembers", "RemoveMember", "LeaveGroup", "SetRole"],
  device: ["ListDevices", "SignOutDevice"],
  message: ["EditMessage", "RecallMessage", "ReactToMessage", "ListMessages", "ListEdits"],
  presence: ["GetPresence"],
};
const services = Object.keys(calls);

/** Messages that the core keeps as their bytes: the module of their feature reads them. */
const opaque = new Set(["GroupSettings", "MemberAttrs", "ContactChange"]);

/** Bundles the generated files and imports them, since Node 20 reads no TypeScript. */
async function loadDescriptors() {
  const names = ["realtime", "error", ...services];
  const source = names.map((n) => `export * from "./src/gen/skein/v1/${n}_pb.ts";`).join("\n");
  const bundle = await rolldown({
    cwd: fileURLToPath(root),
    input: "virtual:gen",
    logLevel: "silent",
    plugins: [
      {
        name: "virtual",
        resolveId: (id) => (id === "virtual:gen" ? fileURLToPath(new URL("gen.virtual.ts", root)) : null),
        load: (id) => (id.endsWith("gen.virtual.ts") ? { code: source, moduleType: "ts" } : null),
      },
    ],
  });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  return import(`data:text/javascript;base64,${Buffer.from(output[0].code).toString("base64")}`);
}

/** Kinds of content and what goes with them: the core keeps their bytes, a module reads them. */
const ofModules = (desc, field) => desc.name === "Content" && field.number > 11;
const spoken = (desc) => desc.fields.filter((field) => !ofModules(desc, field));

/** Collects a message and everything that it refers to. */
function collect(desc, messages, enums) {
  if (messages.has(desc.name)) return;
  if (!desc.typeName.startsWith("skein.v1.")) throw new Error(`${desc.typeName} is not of the protocol`);
  messages.set(desc.name, desc);
  for (const field of spoken(desc)) {
    if (field.message && !opaque.has(field.message.name)) collect(field.message, messages, enums);
    if (field.enum) enums.set(field.enum.name, field.enum);
  }
}

// google.protobuf.FieldDescriptorProto.Type
const scalar = { 3: "i", 4: "l", 5: "i", 8: "o", 9: "s", 12: "b", 13: "u" };
const tsType = { i: "number", l: "number", u: "number", o: "boolean", s: "string", b: "Uint8Array", e: "number" };

/** What the codec must know about a field; throws on anything that it was not written for. */
function describe(message, field) {
  const where = `${message.name}.${field.name}`;
  const repeated = field.fieldKind === "list";
  if (field.fieldKind === "map") throw new Error(`${where}: the codec knows no maps`);
  let type;
  if (field.message && opaque.has(field.message.name)) return { number: field.number, type: "b", repeated, name: field.localName, optional: true };
  if (field.message) type = "m";
  else if (field.enum) type = "e";
  else type = scalar[field.scalar];
  if (!type) throw new Error(`${where}: the codec does not know scalar ${field.scalar}`);
  if (repeated && !["s", "b", "m"].includes(type)) throw new Error(`${where}: the codec knows no packed fields`);
  if (type !== "m" && (field.oneof || field.presence === 1)) throw new Error(`${where}: the codec knows no optional scalars`);
  return { number: field.number, type, repeated, name: field.localName, ref: (field.message ?? field.enum)?.name };
}

function shortEnumNames(desc) {
  const prefix = desc.values[0].name.replace(/UNSPECIFIED$/, "");
  // A number that is reserved for what is not there yet has no name.
  const names = [];
  for (const v of desc.values) {
    while (names.length < v.number) names.push("");
    names.push(v.name.slice(prefix.length));
  }
  return names;
}

function fail(why) {
  throw new Error(why);
}

async function generate() {
  const gen = await loadDescriptors();
  const messages = new Map();
  const enums = new Map();
  collect(gen.ClientPacketSchema, messages, enums);
  collect(gen.ServerPacketSchema, messages, enums);
  collect(gen.ErrorSchema, messages, enums);
  const methods = [];
  for (const service of services) {
    const desc = gen[`${service[0].toUpperCase()}${service.slice(1)}Service`];
    const made = calls[service].map((name) => desc.methods.find((m) => m.name === name) ?? fail(`no method ${name}`));
    for (const method of made) {
      collect(method.input, messages, enums);
      collect(method.output, messages, enums);
      methods.push([method.name, desc.name, method.input.name, method.output.name]);
    }
  }

  const out = [
    "// Written by scripts/gen-wire.mjs from src/gen; `npm run gen -w @skein/client` writes it again.",
    "// What the fields mean stands in proto/skein/v1.",
    "",
  ];
  const tables = [];
  const names = [...messages.keys()].sort();
  for (const name of names) {
    const fields = spoken(messages.get(name)).map((f) => describe(messages.get(name), f));
    out.push(`export interface ${name} {`);
    for (const f of fields) {
      const base = f.type === "m" ? f.ref : tsType[f.type];
      if (f.repeated) out.push(`  ${f.name}: readonly ${base}[];`);
      else if (f.type === "m" || f.optional) out.push(`  ${f.name}?: ${base} | undefined;`);
      else out.push(`  ${f.name}: ${base};`);
    }
    out.push("}", "");
    const table = fields.map((f) => `${f.number}${f.repeated ? f.type.toUpperCase() : f.type}${f.name}${f.ref ? `:${f.ref}` : ""}`);
    tables.push(`  ${name}: ${JSON.stringify(table.join(" "))},`);
  }
  out.push("/** Every message by its name. */", "export interface Messages {");
  for (const name of names) out.push(`  ${name}: ${name};`);
  out.push("}", "");
  out.push(
    "/** A message's fields: number, type (capital = repeated), name, and for messages and enums theirs. */",
    "export const fieldTables: Readonly<Record<keyof Messages, string>> = {",
    ...tables,
    "};",
    "",
    "/** The error codes by number, as the SDK names them. */",
    `export const errorCodes = ${JSON.stringify(shortEnumNames(enums.get("ErrorCode")).join(" ").toLowerCase())};`,
    "",
    "/** Enum values by number, without their prefix. */",
    "export const enumNames: Readonly<Record<string, string>> = {",
  );
  for (const name of [...enums.keys()].sort()) {
    out.push(`  ${name}: ${JSON.stringify(shortEnumNames(enums.get(name)).join(" "))},`);
  }
  out.push("};", "");
  out.push("/** A unary call: what it takes and what it answers. */", "export interface Methods {");
  for (const [method, , input, output] of methods) out.push(`  ${method}: { input: ${input}; output: ${output} };`);
  out.push("}", "");
  for (const [method, , input, output] of methods) {
    if (input !== `${method}Request` || output !== `${method}Response`) fail(`${method}: its messages are not named after it`);
  }
  const list = services.map((name) => {
    const service = `${name[0].toUpperCase()}${name.slice(1)}Service`;
    return `${service} ${methods.filter(([, s]) => s === service).map(([m]) => m).join(" ")}`;
  });
  out.push("/** Each service with its calls. */", `export const serviceMethods: readonly string[] = ${JSON.stringify(list, null, 2).replaceAll('"\n]', '",\n]')};`, "");
  return out.join("\n");
}

const text = await generate();
if (process.argv.includes("--check")) {
  const now = await readFile(target, "utf8").catch(() => "");
  if (now !== text) {
    console.error("sdk/js/client/src/wire/schema.ts is stale: npm run gen -w @skein/client");
    process.exit(1);
  }
} else {
  await writeFile(target, text);
}
