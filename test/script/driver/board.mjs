// What hangs on a group's board.
import { board } from "@skein/client/board";

export const modules = { board: board() };

export const listen = (client, changed) => client.board.onChange(changed);

export const verbs = (d) => {
  const of = () => d.client.board;
  const { at } = d;
  // What was there before this device came to the group is asked for once.
  const loaded = new Set();
  const known = async (c) => {
    const conversation = at(c);
    if (!loaded.has(c.conversation)) {
      await of().load(conversation);
      loaded.add(c.conversation);
    }
    return conversation;
  };
  return {
    announce: async (c) => {
      const n = { title: c.title, text: c.text ?? "", pinned: c.remove };
      return (c.type ? await of().updateAnnouncement(at(c), c.type, n) : await of().announce(at(c), n)).id;
    },
    unannounce: async (c) => of().deleteAnnouncement(at(c), c.type),
    announcements: async (c) => of().announcements(await known(c)).map((a) => `${a.pinned ? "*" : ""}${a.title}: ${a.text}`),
    setAttribute: async (c) => {
      await of().setAttribute(at(c), c.type, c.text ?? "", { version: (c.limit ?? 0) < 0 ? undefined : (c.limit ?? 0) });
    },
    removeAttribute: async (c) => of().removeAttribute(at(c), c.type),
    attributes: async (c) => of().attributes(await known(c)).map((a) => `${a.name}=${a.value}@${a.version}`),
    increment: async (c) => of().increment(at(c), c.type, c.data.delta, { min: c.data.min, max: c.data.max }),
    removeCounter: async (c) => of().removeCounter(at(c), c.type),
    counters: async (c) => of().counters(await known(c)).map((n) => `${n.name}=${n.value}`),
  };
};
