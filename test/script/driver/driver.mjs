// Drives the TypeScript SDK for the behaviour scripts: one client a process,
// commands on stdin and answers on stdout, one JSON object a line.
//
//   in:  {"id":1,"verb":"send","conversation":"@3:ann:bob","text":"hi"}
//   out: {"id":1,"result":{...}} | {"id":1,"failure":{"code":"not_found",...}} | {"changed":true}
//
// Arguments: endpoint, app id, user, device. The store outlives a "restart":
// it is an IndexedDB kept by this process, as a browser keeps it over a reload.
//
// The other files of this folder are parts: each adds a domain's modules and
// verbs, and is found by itself. A part exports
//   modules: {name: factory()}, what createClient gets (optional);
//   verbs: (driver) => ({verb: async (command) => result}), where driver has
//     client (the getter), at(command), find(command, id), outgoing(command), message(m);
//   message: (m, client) => ({…}), what it adds to the view of a message (optional);
//   conversation: (c, client) => ({…}), the same of a conversation (optional);
//   listen: (client, changed) => void, calls changed when its view changes (optional).
import "fake-indexeddb/auto";
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { createClient as createCore, SkeinError } from "@skein/client/core";
import { extras } from "@skein/client/extras";
import { nodeTransport } from "@skein/client/node";
import { indexedDBStore } from "@skein/client/store/indexeddb";

const files = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".mjs") && name !== "driver.mjs");
const parts = await Promise.all(files.sort().map((name) => import(`./${name}`)));

const [endpoint, appId, actor, deviceId] = process.argv.slice(2);
let user = actor;
let token = "";
let client;
let said = false;

const write = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const changed = () => {
  if (said) return;
  said = true;
  setImmediate(() => {
    said = false;
    write({ changed: true });
  });
};

function open() {
  client = createCore({
    endpoint,
    appId,
    userId: user,
    deviceId,
    platform: "desktop",
    deviceName: deviceId,
    token: () => token,
    store: indexedDBStore(),
    transport: nodeTransport(),
    extras,
    modules: Object.assign({}, ...parts.map((part) => part.modules ?? {})),
  });
  for (const part of parts) part.listen?.(client, changed);
  for (const name of ["state", "message", "messageUpdated", "messageRemoved", "conversation", "typing", "presence"]) {
    client.on(name, changed);
  }
  client.conversation.subscribe(changed);
}

const at = (c) => client.conversation.get(c.conversation);
const find = (c, id) => {
  const m = at(c).messages.find((x) => x.id === id);
  if (!m) throw new Error(`no message ${id} is loaded`);
  return m;
};
const outgoing = (c) => ({
  ...(c.type ? { custom: { type: c.type, data: c.text ?? "", summary: c.text ?? "" } } : { text: c.text ?? "" }),
  ...(c.replyTo ? { replyTo: find(c, c.replyTo) } : {}),
  ...(c.mentions ? { mentions: c.mentions } : {}),
});

const message = (m) => ({
  id: m.id,
  seq: m.seq ?? 0,
  sender: m.sender,
  kind: m.kind,
  text: m.text ?? "",
  type: m.custom?.type ?? "",
  state: m.state,
  error: m.error?.code ?? "",
  edited: m.edited,
  recalled: m.recalled,
  replyTo: m.replyTo ?? 0,
  mentions: m.mentions,
  reactions: Object.fromEntries(m.reactions.map((r) => [r.emoji, r.count])),
  ...Object.assign({}, ...parts.map((part) => part.message?.(m, client))),
});

const conversation = (c) => ({
  id: c.id,
  title: c.title,
  unread: c.unread,
  headSeq: c.head.seq,
  members: c.memberCount,
  role: c.myRole ?? "",
  typing: c.typing,
  readSeq: c.snapshot.readSeq,
  markers: Object.fromEntries([...c.readMarkers].map(([u, p]) => [u, p.seq])),
  // What a conversation that was not opened shows of itself is its newest message, in a list.
  messages: (c.window.opened || !c.lastMessage ? c.messages : [c.lastMessage]).map(message),
  ...Object.assign({}, ...parts.map((part) => part.conversation?.(c, client))),
});

const presence = new Map();

const verbs = {
  token: async (c) => {
    token = c.token;
  },
  connect: async () => {
    if (!client) open();
    await client.connect();
  },
  start: async () => {
    if (!client) open();
    void client.connect().catch(() => {});
    await client.ready;
  },
  close: async () => {
    await client?.close();
    client = undefined;
    changed();
  },
  view: async () => ({
    state: client?.state ?? "closed",
    online: Object.fromEntries(presence),
    conversations: (client?.conversation.list() ?? []).map(conversation),
  }),
  open: async (c) => {
    const x = at(c);
    if (!x.window.opened) await x.open({ limit: 200 });
    x.subscribe(changed);
  },
  older: async (c) => at(c).loadOlder({ limit: c.limit ?? 50 }),
  send: async (c) => message(await at(c).send(outgoing(c))),
  post: async (c) => message(at(c).sendLocal(outgoing(c))),
  retry: async (c) => message(await at(c).retry(find(c, c.message))),
  discard: async (c) => at(c).discard(find(c, c.message)),
  edit: async (c) => message(await at(c).edit(find(c, c.message), outgoing(c))),
  recall: async (c) => message(await at(c).recall(find(c, c.message))),
  react: async (c) => message(await at(c).react(find(c, c.message), c.emoji, { remove: c.remove ?? false })),
  edits: async (c) => (await at(c).edits(find(c, c.message))).map((r) => r.text ?? ""),
  read: async (c) => at(c).read(c.message ? find(c, c.message) : undefined),
  typing: async (c) => at(c).setTyping(!c.remove),
  history: async (c) => {
    const out = [];
    const before = c.message ? find(c, c.message) : undefined;
    for await (const page of at(c).history({ before, limit: c.limit ?? 50 })) out.unshift(...page.map(message));
    return out;
  },
  create: async (c) => (await client.conversation.createGroup({ id: c.conversation, title: c.title ?? "", members: c.users ?? [] })).id,
  members: async (c) => {
    const out = [];
    for await (const page of at(c).members()) out.push(...page.map((m) => `${m.user}=${m.role}`));
    return out;
  },
  add: async (c) => at(c).addMembers(c.users),
  remove: async (c) => at(c).removeMember(c.users[0]),
  leave: async (c) => at(c).leave(),
  role: async (c) => at(c).setRole(c.users[0], c.role),
  title: async (c) => at(c).setTitle(c.title),
  devices: async () => (await client.devices.list()).map((d) => d.id),
  signout: async (c) => client.devices.signOut(c.device),
  watch: async (c) => {
    client.on("presence", (p) => presence.set(p.user, p.online));
    client.presence.watch(c.users);
  },
  search: async (c) =>
    (await client.search(c.text, c.conversation ? { conversation: c.conversation } : {})).map((h) => message(h.message)),
};

const driver = {
  door: () => ({ endpoint, appId, deviceId }),
  setToken: (next) => {
    token = next;
  },
  setUser: (next) => {
    user = next;
  },
  get client() {
    return client;
  },
  at,
  find,
  outgoing,
  message,
};
for (const part of parts) Object.assign(verbs, part.verbs?.(driver));

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const verb = verbs[command.verb];
  void (async () => {
    try {
      if (!verb) throw new Error(`no verb ${command.verb}`);
      write({ id: command.id, result: (await verb(command)) ?? null });
    } catch (error) {
      if (error instanceof SkeinError) write({ id: command.id, failure: { code: error.code, message: error.message } });
      else write({ id: command.id, error: String(error?.stack ?? error) });
    }
  })();
}
await client?.close();
process.exit(0);
