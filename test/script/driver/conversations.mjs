// The user's own order among their conversations, see verbs_own.go.
import { conversations } from "@skein/client/conversations";

export const modules = { conversations: conversations() };

export const listen = (client, changed) => client.conversations.subscribe(changed);

let undo = async () => {};

const has = (own, x) => {
  const { pinned, muted, markedUnread, hidden, archived, draft, folders } = own.of(x);
  const words = { pinned, muted, unread: markedUnread, hidden, archived };
  const names = folders.map((id) => `in:${own.folders.find((f) => f.id === id).name}`);
  return [...Object.keys(words).filter((word) => words[word]), ...(draft ? [`draft:${draft.text}`] : []), ...names];
};

const acts = {
  lists: (own) => own.list().map((x) => x.id),
  has,
  undo: () => undo(),
  clear: async (own, x) => {
    undo = await own.clearHistory(x);
  },
  delete: async (own, x, c, d) => {
    undo = await own.deleteForMe(x, c.users.map((id) => d.find(c, id)));
  },
  draft: (own, x, c) => own.setDraft(x, { text: c.text }),
  nodraft: (own, x) => own.setDraft(x, undefined),
  folders: async (own, x, c) => {
    const ids = [];
    for (const name of c.users ?? []) ids.push((own.folders.find((f) => f.name === name) ?? (await own.createFolder({ name }))).id);
    await own.setFolders(x, ids);
  },
  pin: (own, x) => own.pin(x),
  unpin: (own, x) => own.unpin(x),
  mute: (own, x, c) => own.mute(x, c.limit ? { until: Date.now() + c.limit * 1000 } : {}),
  unmute: (own, x) => own.unmute(x),
  unread: (own, x) => own.markUnread(x),
  readall: (own, x) => own.markRead(x),
  hide: (own, x) => own.hide(x),
  unhide: (own, x) => own.unhide(x),
  archive: (own, x) => own.archive(x),
  unarchive: (own, x) => own.unarchive(x),
};

export const verbs = (d) => ({
  own: async (c) => {
    const result = acts[c.data.do](d.client.conversations, c.conversation && d.at(c), c, d);
    if (!c.data.later) return (await result) ?? null;
    Promise.resolve(result).catch(() => {}); // nobody waits for it
    return null;
  },
});
