// Who has got and who has read a message.
import { receipts } from "@skein/client/receipts";

export const modules = { receipts: receipts() };

export const verbs = (d) => ({
  receipts: async (c) => {
    const out = [];
    for await (const page of d.client.receipts.list(d.find(c, c.message))) out.push(...page.map((r) => `${r.user}=${r.state}`));
    return out;
  },
});
