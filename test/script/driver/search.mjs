// Search on the server.
import { serverSearch } from "@skein/client/search";

export const modules = { serverSearch: serverSearch() };

export const verbs = (d) => ({
  seek: async (c) => {
    const found = [];
    let page;
    do {
      const answer = await d.client.serverSearch.searchMessages({
        text: c.text,
        conversation: c.conversation || undefined,
        sender: c.users?.[0],
        kind: c.type || undefined,
        limit: c.limit || undefined,
        page,
      });
      found.push(...answer.messages.map((m) => (m.threadSeq ? `${m.threadSeq}: ` : "") + m.excerpt.map((p) => (p.hit ? `[${p.text}]` : p.text)).join("")));
      page = answer.nextPage;
    } while (page);
    return found;
  },
});
