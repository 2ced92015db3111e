// Coming into groups by oneself, and being kept out.
import { invites } from "@skein/client/invites";

export const modules = { invites: invites() };

export const listen = (client, changed) => client.invites.onChange(changed);

const gather = async (pages, name) => {
  const out = [];
  for await (const page of pages) out.push(...page.map(name));
  return out;
};

const came = (joining) => (joining.request ? "asks" : "joins");

export const verbs = (d) => {
  const of = () => d.client.invites;
  const { at } = d;
  return {
    joinGroup: async (c) => came(await of().join(c.conversation, c.text ?? "")),
    useInvite: async (c) => came(await of().use(c.type, c.text ?? "")),
    previewInvite: async (c) => {
      const { title, members } = await of().preview(c.type);
      return `${title} ${members}`;
    },
    createInvite: async (c) => {
      const { invite, code } = await of().create(at(c), { maxUses: c.limit, approval: c.remove, label: c.text });
      return [invite.id, code];
    },
    revokeInvite: async (c) => of().revoke(at(c), c.type),
    joinRequests: (c) => gather(of().requests(at(c)), (q) => q.user),
    answerJoin: async (c) => of().answer(at(c), c.users[0], !c.remove),
    cancelJoin: async (c) => of().cancel(c.conversation),
    ban: async (c) => (c.remove ? of().unban(at(c), c.users[0]) : of().ban(at(c), c.users[0])),
    bans: (c) => gather(of().bans(at(c)), (b) => b.user),
    allow: async (c) => of().allow(at(c), c.users ?? [], c.data?.enforced === true),
    disallow: async (c) => of().disallow(at(c), c.users ?? []),
    allowed: async (c) => (await of().allowList(at(c))).users,
    joinsWaiting: async (c) => of().waiting.get(c.conversation) ?? 0,
    joinsAsked: async () => of().mine.map((q) => q.conversation + (q.declined ? " (declined)" : "")),
  };
};
