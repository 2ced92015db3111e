// Profiles, contacts and blocks.
import { people } from "@skein/client/people";
import { createGuest, createSignInCode, signIns } from "@skein/client/signin";

export const modules = { people: people(), signIns: signIns() };

export const listen = (client, changed) => client.people.onChange(changed);

const setting = (name, value) => ({ [name]: value });

const lists = (people) => [
  ...people.contacts.map((c) => [`contact ${c.user}`, c.remark, ...c.labels].filter(Boolean).join(" ")),
  ...people.requests.map((r) => `${r.outgoing ? "to" : "from"} ${r.user} ${r.greeting}${r.declined ? " (declined)" : ""}`),
  ...people.blocked.map((b) => `blocks ${b.user}`),
];

const fields = { avatar: "avatarUrl" };
const own = ["name", "avatarUrl", "bio", "gender", "birthday", "language"];

let shown;

export const verbs = (driver) => ({
  people: async () => lists(driver.client.people),
  setProfile: async (c) => {
    const name = fields[c.type] ?? c.type;
    await driver.client.people.updateProfile(own.includes(name) ? setting(name, c.text ?? "") : { custom: setting(name, c.text ?? "") });
  },
  setPrivacy: async (c) => driver.client.people.updatePrivacy(setting(c.type, c.text)),
  profile: async (c) => {
    const profile = (await driver.client.people.profiles(c.users, { fresh: true })).get(c.users[0]);
    if (!profile) return {};
    const { user, custom, avatarUrl, ...rest } = profile;
    return Object.fromEntries(Object.entries({ ...rest, avatar: avatarUrl, ...custom }).filter(([, value]) => value));
  },
  discover: async (c) => {
    const query = c.type === "name" || c.type === "user" ? setting(c.type, c.text) : { field: { name: c.type, value: c.text } };
    const out = [];
    for await (const page of driver.client.people.searchDirectory(query)) out.push(...page.map((p) => p.user));
    return out;
  },
  askContact: async (c) => driver.client.people.requestContact(c.users[0], c.text),
  answerContact: async (c) => (c.remove ? driver.client.people.declineContact(c.users[0]) : driver.client.people.acceptContact(c.users[0])),
  removeContact: async (c) => driver.client.people.removeContact(c.users[0]),
  remark: async (c) => driver.client.people.updateContact(c.users[0], { remark: c.text ?? "", labels: c.mentions ?? [] }),
  follow: async (c) => (c.remove ? driver.client.people.unfollow(c.users[0]) : driver.client.people.follow(c.users[0])),
  follows: async (c) => {
    const { people, userId } = driver.client;
    if (c.users[0] !== userId) {
      const f = await people.follows(c.users[0]);
      return `${f.followers} ${f.following}`;
    }
    const count = async (which) => {
      let n = 0;
      for await (const page of people.listFollows(which)) n += page.length;
      return n;
    };
    return `${await count("followers")} ${await count("following")}`;
  },
  signInCode: async () => {
    shown = await createSignInCode(driver.door(), { name: "a laptop" });
    return shown.code;
  },
  answerCode: async (c) => {
    const asks = await driver.client.signIns.look(c.text);
    if (!asks.address) throw new Error("no address");
    await driver.client.signIns.answer(c.text, !c.remove);
  },
  visit: async () => {
    const guest = await createGuest(driver.door());
    driver.setUser(guest.user);
    driver.setToken(guest.token);
    return guest.user;
  },
  takeCode: async () => driver.setToken((await shown.wait()).token),
  setStatus: async (c) => driver.client.people.setStatus(c.text ? { text: c.text } : undefined),
  status: async (c) => driver.client.people.statusOf(driver.client.presence.get(c.users[0]))?.text ?? "",
  block: async (c) => (c.remove ? driver.client.people.unblock(c.users[0]) : driver.client.people.block(c.users[0])),
});
