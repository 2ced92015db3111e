// Who has got and who has read a message.
import { receipts } from "@skein/client/receipts";

export const modules = { receipts: receipts() };

export const conversation = (c, client) => ({ deliveredSeq: client.receipts.deliveredSeq(c) });

export const listen = (client, changed) => client.receipts.onDelivered(changed);

let off = () => undefined;

export const verbs = (d) => ({
  arrived: async (c) => {
    off();
    off = d.client.receipts.watch(d.at(c));
  },
  receipts: async (c) => {
    const out = [];
    for await (const page of d.client.receipts.list(d.find(c, c.message))) out.push(...page.map((r) => `${r.user}=${r.state}`));
    return out;
  },
});
