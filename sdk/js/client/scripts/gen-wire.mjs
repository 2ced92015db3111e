// Writes src/wire/schema.ts from the generated descriptors in src/gen: the field tables and the types
// of those messages that the SDK's core speaks; and for each module src/modules/<name>/wire.ts, with what its wire.json
// names. The protobuf runtime with its descriptors is 24 KB gzip, which leaves no room for a client in 30; these tables
// with their codec are about 3.
//
//   node scripts/gen-wire.mjs           write the files
//   node scripts/gen-wire.mjs --check   exit 1 when a file is not what the descriptors say
//
// wire.json: {"calls": ["PollService.CreatePoll"], "messages": ["Poll"], "fields": {"Content": ["poll"]}}.
// calls: unary calls; messages: what else is to be read or written; fields: fields of a message of the core's that the
// core leaves to modules, which come as one piece: contentFields reads and writes them. budget: how many bytes the
// module may add to a page, gzipped, where the usual 4,000 do not do (scripts/size.sh).
import { existsSync, readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { loadDescriptors } from "./descriptors.mjs";

const root = new URL("../", import.meta.url);
const moduleFolder = fileURLToPath(new URL("src/modules/", root));

/** The calls that the core makes. What has a frame goes by the socket. */
const calls = [
  "ConversationService.GetConversation",
  "DeviceService.SignOutDevice",
  "MessageService.EditMessage",
  "MessageService.RecallMessage",
  "MessageService.ReactToMessage",
  "MessageService.ListMessages",
];

/** The core knows what these files declare. A field whose type stands elsewhere is a module's, and the core keeps its bytes. */
const coreFiles = ["conversation", "device", "entry", "error", "message", "presence", "realtime", "sync"];
/** Fields of those files that the core leaves to modules all the same; their numbers are above all that it knows. */
const left = {
  Conversation: ["grants"],
  HistoryItem: ["votes"],
  ListMessagesResponse: ["ordBefore"],
  Presence: ["status"],
};
/** Of contents it knows the first: every later kind, and what goes with one, is a module's. */
const lastContent = 11;

// google.protobuf.FieldDescriptorProto.Type
const scalar = { 3: "i", 4: "l", 5: "i", 8: "o", 9: "s", 12: "b", 13: "u" };
const tsType = { i: "number", l: "number", u: "number", o: "boolean", s: "string", b: "Uint8Array", e: "number" };

/** What the codec must know about a field; throws on anything that it was not written for. */
function describe(message, field) {
  const where = `${message.name}.${field.name}`;
  const repeated = field.fieldKind === "list";
  if (field.fieldKind === "map") throw new Error(`${where}: the codec knows no maps`);
  let type;
  if (field.message) type = "m";
  else if (field.enum) type = "e";
  else type = scalar[field.scalar];
  if (!type) throw new Error(`${where}: the codec does not know scalar ${field.scalar}`);
  if (repeated && !["s", "b", "m"].includes(type) && field.packed !== false) throw new Error(`${where}: the codec knows no packed fields`);
  if (type !== "m" && (field.oneof || field.presence === 1)) throw new Error(`${where}: the codec knows no optional scalars`);
  return { number: field.number, type, repeated, name: field.localName, ref: (field.message ?? field.enum)?.name };
}

function shortEnumNames(desc) {
  const prefix = desc.values[0].name.replace(/UNSPECIFIED$/, "");
  const names = [];
  for (const { name, number } of desc.values) names[number] = name.slice(prefix.length);
  return Array.from(names, (name) => name ?? "");
}

function fail(why) {
  throw new Error(why);
}

const gen = await loadDescriptors();

function isCore(desc) {
  return coreFiles.includes(desc.file.name.replace(/^skein\/v1\//, "").replace(/\.proto$/, ""));
}

/** The fields of a message that the core knows. */
function coreFields(desc) {
  return desc.fields.filter((f) => {
    const type = f.message ?? f.enum;
    if (desc.name === "Content" && f.number > lastContent) return false;
    return (!type || isCore(type)) && !left[desc.name]?.includes(f.localName);
  });
}

/** Collects a message and everything that it refers to. */
function collect(desc, messages, enums, fieldsOf) {
  if (messages.has(desc.name)) return;
  if (!desc.typeName.startsWith("skein.v1.")) throw new Error(`${desc.typeName} is not of the protocol`);
  if (desc.fields.some((f) => f.localName === "rest")) throw new Error(`${desc.name}: rest is what the codec does not know`);
  messages.set(desc.name, desc);
  for (const field of fieldsOf(desc)) {
    if (field.message) collect(field.message, messages, enums, fieldsOf);
    if (field.enum) enums.set(field.enum.name, field.enum);
  }
}

function methodOf(name) {
  const [service, method] = name.split(".");
  const found = gen[service]?.methods.find((m) => m.name === method) ?? fail(`no method ${name}`);
  if (found.input.name !== `${method}Request` || found.output.name !== `${method}Response`) fail(`${name}: its messages are not named after it`);
  return found;
}

/** The lines of an interface, and the table of its fields. */
function messageLines(name, described) {
  const lines = [`export interface ${name} extends Rest {`];
  for (const f of described) {
    const base = f.type === "m" ? f.ref : tsType[f.type];
    if (f.repeated) lines.push(`  ${f.name}: readonly ${base}[];`);
    else if (f.type === "m") lines.push(`  ${f.name}?: ${base} | undefined;`);
    else lines.push(`  ${f.name}: ${base};`);
  }
  lines.push("}", "");
  const table = described.map((f) => `${f.number}${f.repeated ? f.type.toUpperCase() : f.type}${f.name}${f.ref ? `:${f.ref}` : ""}`);
  return [lines, `  ${name}: ${JSON.stringify(table.join(" "))},`];
}

function generateCore() {
  const messages = new Map();
  const enums = new Map();
  for (const desc of [gen.ClientPacketSchema, gen.ServerPacketSchema, gen.ErrorSchema]) collect(desc, messages, enums, coreFields);
  for (const name of calls) {
    const { input, output } = methodOf(name);
    collect(input, messages, enums, coreFields);
    collect(output, messages, enums, coreFields);
  }
  const out = [
    "// Written by scripts/gen-wire.mjs from src/gen; `npm run gen -w @skein/client` writes it again.",
    "// What the fields mean stands in proto/skein/v1.",
    'import type { Rest } from "./codec.js";',
    "",
  ];
  const tables = [];
  const names = [...messages.keys()].sort();
  for (const name of names) {
    const desc = messages.get(name);
    const [lines, table] = messageLines(name, coreFields(desc).map((f) => describe(desc, f)));
    out.push(...lines);
    tables.push(table);
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
  out.push("/** A unary call by its path: what it takes and what it answers. */", "export interface Methods {");
  for (const name of calls) {
    const { name: method } = methodOf(name);
    out.push(`  ${JSON.stringify(name.replace(".", "/"))}: { input: ${method}Request; output: ${method}Response };`);
  }
  out.push("}", "");
  return { text: out.join("\n"), messages };
}

/** What one module speaks: messages that the core has are the core's. */
function generateModule(name, wants, core) {
  for (const key of Object.keys(wants)) if (!["calls", "messages", "fields", "budget"].includes(key)) fail(`${name}/wire.json: ${key} is unknown`);
  const messages = new Map();
  const enums = new Map();
  const want = (desc) => {
    if (!core.has(desc.name)) collect(desc, messages, enums, (d) => (core.has(d.name) ? [] : d.fields));
  };
  for (const call of wants.calls ?? []) {
    const { input, output } = methodOf(call);
    want(input);
    want(output);
  }
  for (const message of wants.messages ?? []) want(gen[`${message}Schema`] ?? fail(`${name}/wire.json: no message ${message}`));
  const pieces = Object.entries(wants.fields ?? {}).map(([message, fields]) => {
    const desc = gen[`${message}Schema`] ?? fail(`${name}/wire.json: no message ${message}`);
    const known = core.has(message) ? coreFields(desc) : fail(`${name}/wire.json: ${message} is not of the core's`);
    const found = fields.map((field) => desc.fields.find((f) => f.localName === field) ?? fail(`${name}/wire.json: no field ${message}.${field}`));
    for (const f of found) {
      if (known.includes(f)) fail(`${name}/wire.json: the core knows ${message}.${f.localName}`);
      if (f.message) want(f.message);
      if (f.enum) enums.set(f.enum.name, f.enum);
    }
    return [message, found.map((f) => describe(desc, f))];
  });
  const own = [...messages.keys()].filter((message) => !core.has(message)).sort();
  const tables = [];
  const body = [];
  for (const message of own) {
    const desc = messages.get(message);
    const [lines, table] = messageLines(message, desc.fields.map((f) => describe(desc, f)));
    body.push(...lines);
    tables.push(table);
  }
  for (const [message, described] of pieces) {
    const [lines, table] = messageLines(`${message}Fields`, described);
    body.push(`/** Fields of ${message} that the core leaves to modules. */`, ...lines);
    tables.push(table);
  }
  body.push("const schema = /* @__PURE__ */ schemaOf(", "  {", ...tables.map((line) => `  ${line}`), "  },", "  core,", ");", "");
  for (const [message] of pieces) {
    const fields = `${message}Fields`;
    body.push(`export const ${fields[0].toLowerCase()}${fields.slice(1)}: Piece<${fields}> = /* @__PURE__ */ piece(schema, ${JSON.stringify(fields)});`);
  }
  for (const message of wants.messages ?? []) {
    if (!own.includes(message)) fail(`${name}/wire.json: the core knows ${message}`);
    body.push(`export const ${message[0].toLowerCase()}${message.slice(1)}: Piece<${message}> = /* @__PURE__ */ piece(schema, ${JSON.stringify(message)});`);
  }
  if (wants.calls?.length) {
    body.push("", "/** The module's unary calls. */", "export const calls = {");
    for (const call of wants.calls) {
      const { name: method } = methodOf(call);
      body.push(`  ${method}: /* @__PURE__ */ callOf<${method}Request, ${method}Response>(schema, ${JSON.stringify(call.replace(".", "/"))}),`);
    }
    body.push("} as const;");
  }
  for (const enumName of [...enums.keys()].sort()) {
    const words = shortEnumNames(enums.get(enumName)).map((word) => word.toLowerCase());
    body.push("", `/** The values of ${enumName} by number. */`, `export const ${enumName[0].toLowerCase()}${enumName.slice(1)}Names = ${JSON.stringify(words)} as const;`);
  }
  const text = body.join("\n");
  const used = [...core.keys()].filter((message) => new RegExp(`[:<,] (readonly )?${message}\\b|<${message}\\b| ${message}Re(quest|sponse)[,>]`).test(text)).sort();
  const wireNames = [pieces.length || wants.messages?.length ? "type Piece" : "", wants.calls?.length ? "callOf" : "", pieces.length || wants.messages?.length ? "piece" : ""].filter(Boolean);
  return [
    "// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.",
    "// What the fields mean stands in proto/skein/v1.",
    'import { type Rest, core, schemaOf } from "../../wire/codec.js";',
    ...(wireNames.length ? [`import { ${wireNames.join(", ")} } from "../../wire/piece.js";`] : []),
    ...(used.length ? [`import type { ${used.join(", ")} } from "../../wire/schema.js";`] : []),
    "",
    text,
    "",
  ].join("\n");
}

const { text, messages: coreMessages } = generateCore();
const files = [[new URL("src/wire/schema.ts", root), text]];
for (const name of existsSync(moduleFolder) ? readdirSync(moduleFolder).sort() : []) {
  const wants = new URL(`src/modules/${name}/wire.json`, root);
  if (existsSync(wants)) files.push([new URL(`src/modules/${name}/wire.ts`, root), generateModule(name, JSON.parse(await readFile(wants, "utf8")), coreMessages)]);
}
for (const [file, made] of files) {
  if (!process.argv.includes("--check")) await writeFile(file, made);
  else if ((await readFile(file, "utf8").catch(() => "")) !== made) {
    console.error(`${fileURLToPath(file)} is stale: npm run gen -w @skein/client`);
    process.exitCode = 1;
  }
}
