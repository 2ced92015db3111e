// Drives the TypeScript SDK of a back end for the behaviour scripts: commands on stdin and answers on stdout, as
// driver/driver.mjs does for a device. Arguments: endpoint, app id, and its secret's id; the secret itself comes by the
// environment.
import { createInterface } from "node:readline";
import { SkeinError, attachment, attachments, createServer, newId, signer, text } from "@skein/server";

const [endpoint, appId, kid] = process.argv.slice(2);
const server = createServer({ endpoint, appId, token: signer({ appId, kid, secret: process.env.SKEIN_SECRET }) });

/** Ids of imports and broadcasts by their names, each made at its first use. */
const ids = new Map();
function id(name) {
  if (!ids.has(name)) ids.set(name, newId());
  return ids.get(name);
}

/** Reads a list to its end. */
async function listed(list, line) {
  const out = [];
  for await (const item of list) out.push(line(item));
  return out;
}

/** The call that goes on in a conversation. */
async function goesOn({ conversation }) {
  for await (const call of server.calls({ conversation, live: true })) return call.id;
  throw new Error("no call goes on there");
}

const callLine = (c) =>
  [c.end === "unspecified" || !c.end ? c.state : `${c.state}/${c.end}`, ...c.parties.map((p) => `${p.user}=${p.state}${p.role === "viewer" ? "/viewer" : ""}`)].join(" ");

const uuid = (bytes) => Buffer.from(bytes).toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

function userLine(user) {
  const name = user.profile?.name ? `: ${user.profile.name}` : "";
  return `${user.id}${user.bot ? " bot" : ""}${user.suspendedUs ? " suspended" : ""}${name}`;
}

function entryLine(entry) {
  if (entry.kind !== "message") return entry.kind;
  return `${entry.sender}: ${entry.recalled ? "(recalled)" : (entry.body?.content?.text?.text ?? "")}`;
}

function* imported(lines) {
  for (const [i, line] of lines.entries()) {
    const [sender, words] = line.split(/: (.*)/s);
    yield { sender, timeUs: 1_500_000_000_000_000 + i, clientId: Buffer.from(String(i)), body: text(words) };
  }
}

/** Sends a message and shows it. */
async function said(message) {
  const clientId = newId();
  const entry = await server.send({ ...message, clientId });
  return { id: uuid(clientId), seq: entry.seq };
}

const verbs = {
  user: async ({ users, title, remove }) => {
    const [result] = await server.upsertUsers([{ id: users[0], name: title ?? "", bot: remove ?? false }]);
    if (result.error) throw new SkeinError(result.error.code, result.error.message);
  },
  users: () => listed(server.users(), userLine),
  suspend: ({ users }) => server.suspendUser(users[0]),
  unsuspend: ({ users }) => server.unsuspendUser(users[0]),
  revoke: ({ users }) => server.revokeUser(users[0]),
  erase: async ({ users }) => {
    await server.eraseUser(users[0]);
    return (await server.waitErasure(users[0])).messages;
  },
  window: async ({ limit }) => {
    await server.updateApp({ settings: { recallWindowS: limit ?? 0 } });
    return (await server.app()).settings.recallWindowS;
  },
  editWindow: async ({ limit }) => {
    await server.updateApp({ settings: { editWindowS: limit ?? 0 } });
    return (await server.app()).settings.editWindowS;
  },
  guests: ({ remove }) => server.updateApp({ settings: { guests: !remove } }),

  create: async ({ conversation, title, users, data }) => {
    await server.createGroup({ id: conversation, title, owner: data.owner, members: users ?? [] });
  },
  groups: () => listed(server.groups(), (g) => `${g.id}=${g.memberCount}`),
  group: async ({ conversation }) => {
    const g = await server.group(conversation);
    return [g.title, g.settings.description, String(g.memberCount)];
  },
  title: ({ conversation, title }) => server.updateGroup({ conversation, title }),
  describe: ({ conversation, title }) => server.updateGroupSettings({ conversation, settings: { description: title }, fields: ["description"] }),
  members: ({ conversation }) => listed(server.members({ conversation }), (m) => `${m.user}=${m.role}`),
  add: ({ conversation, users }) => server.addMembers({ conversation, users }),
  remove: ({ conversation, users }) => server.removeMember({ conversation, user: users[0] }),
  role: ({ conversation, users, role }) => server.setRole({ conversation, user: users[0], role }),
  mute: ({ conversation, users, limit }) => server.muteMember({ conversation, user: users[0], seconds: limit ?? 0 }),
  transfer: ({ conversation, users }) => server.transferGroup({ conversation, user: users[0] }),
  dissolve: ({ conversation }) => server.dissolveGroup({ conversation }),

  send: ({ conversation, text: words, users }) => said({ conversation, sender: users?.[0] ?? "", body: text(words) }),
  file: async ({ data }) => {
    const file = await server.file(data.file);
    return `${file.name} ${file.mime} ${file.size}`;
  },
  readFile: async ({ data }) => {
    const { key } = await server.fileKey();
    const answer = await fetch(`${endpoint}/v1/files/${data.file}?k=${encodeURIComponent(key)}`);
    return answer.text();
  },
  passFile: async ({ conversation, data, users }) => {
    const file = await server.file(data.file);
    return said({ conversation, sender: users?.[0] ?? "", body: attachments("", attachment(file)) });
  },
  upload: async ({ conversation, data, users, text: caption }) => {
    const { name, mime, text: words, size = 0 } = data.file;
    const file = await server.upload({ name, mime, data: words === undefined ? Uint8Array.from({ length: size }, (_, i) => i % 251) : Buffer.from(words) });
    return said({ conversation, sender: users?.[0] ?? "", body: attachments(caption ?? "", attachment(file)) });
  },
  notice: ({ conversation, type, text: words }) =>
    said({ conversation, body: { scheme: "content", content: { notice: { code: type, text: words } } } }),
  edit: ({ conversation, data, text: words }) => server.editMessage({ conversation, seq: data.seq, body: text(words) }),
  recall: ({ conversation, data }) => server.recallMessage({ conversation, seq: data.seq }),
  export: ({ conversation, data }) => listed(server.export(conversation, data.after), entryLine),
  import: ({ conversation, message, data }) => server.import(conversation, id(message), imported(data.lines)),
  broadcast: ({ message, data, users, text: words }) =>
    server.startBroadcast({ clientId: id(message), sender: data.sender, users: users ?? [], body: text(words) }),
  over: async ({ message }) => {
    const b = await server.waitBroadcast(id(message));
    return [b.state, String(b.sent), String(b.refused)];
  },
  cancel: ({ message }) => server.cancelBroadcast(id(message)),

  calls: ({ conversation }) => listed(server.calls({ conversation }), callLine),
  endcall: async (c) => void (await server.endCall(await goesOn(c))),
  expel: async (c) => void (await server.removeFromCall({ call: await goesOn(c), user: c.users[0] })),
  hush: async (c) => server.muteInCall({ call: await goesOn(c), user: c.users[0], audio: true }),
  voice: async (c) => void (await server.setCallRole({ call: await goesOn(c), user: c.users[0], role: c.role })),

  history: ({ conversation }) => listed(server.history(conversation), (item) => entryLine(item.entry)),
  pin: ({ conversation, data }) => server.pinMessage({ conversation, seq: data.seq }),
  pins: async ({ conversation }) => (await server.pins(conversation)).map((p) => entryLine(p.item.entry)),
  extend: ({ conversation, data, text: words }) =>
    server.setExtension({ conversation, seq: data.seq, extension: { key: "note", value: Buffer.from(words) } }),
  extensions: async ({ conversation, data }) =>
    (await server.extensions(conversation, data.seq)).map((x) => `${x.key}=${Buffer.from(x.value)}`),
  ban: ({ conversation, users }) => server.banMember({ conversation, user: users[0] }),
  bans: ({ conversation }) => listed(server.bans(conversation), (b) => b.user),
  announce: ({ conversation, title, text: words }) => server.createAnnouncement({ conversation, title, text: words }),
  announcements: async ({ conversation }) => (await server.announcements(conversation)).map((x) => `${x.title}: ${x.text}`),
  tally: ({ conversation, text: name, data }) => server.incrementCounter({ conversation, name, delta: data.delta }),
};

const write = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    if (!verbs[command.verb]) throw new Error(`no verb ${command.verb}`);
    write({ id: command.id, result: (await verbs[command.verb](command)) ?? null });
  } catch (error) {
    if (error instanceof SkeinError) write({ id: command.id, failure: { code: error.code, message: error.message } });
    else write({ id: command.id, error: String(error?.stack ?? error) });
  }
}
