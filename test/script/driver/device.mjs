// One device of the TypeScript SDK: a client, and what a browser keeps for it. Its parts are loaded anew for each device, as
// they keep things of it; the SDK is loaded once.
import { IDBFactory } from "fake-indexeddb";
import { readdirSync } from "node:fs";
import { createClient as createCore } from "@skein/client/core";
import { extras } from "@skein/client/extras";
import { nodeTransport } from "@skein/client/node";
import { indexedDBStore } from "@skein/client/store/indexeddb";

const files = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".mjs") && name !== "driver.mjs" && name !== "device.mjs").sort();

/** Makes device number n; it is not connected yet. `tell` is called after changes of what it shows. Returns its verbs. */
export async function openDevice(n, [endpoint, appId, actor, deviceId], tell) {
  const parts = await Promise.all(files.map((name) => import(`./${name}?device=${n}`)));
  const factory = new IDBFactory();
  let user = actor;
  let token = "";
  let client;
  let said = false;

  const changed = () => {
    if (said) return;
    said = true;
    setImmediate(() => {
      said = false;
      tell();
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
      store: indexedDBStore({ factory }),
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
    end: async () => client?.close(),
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
  return verbs;
}
