// Settings, roles, mutes and the end of groups.
import { groups } from "@skein/client/groups";

export const modules = { groups: groups() };

export const listen = (client, changed) => client.groups.onChange(changed);

const camel = (word) => word.replace(/_(.)/g, (_, c) => c.toUpperCase());
const snake = (word) => word.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

/** One setting, by the word that scripts have for it. */
const change = ({ setting, words }) => {
  const [first = ""] = words;
  switch (setting) {
    case "type":
      return { type: first };
    case "description":
      return { description: first };
    case "avatar":
      return { avatarUrl: first };
    case "members":
      return { memberGrants: words.map(camel) };
    case "admins":
      return { adminGrants: words.map(camel) };
    case "join":
      return { joinMode: first };
    case "history":
      return { historyVisible: first === "visible" };
    case "slow":
      return { slowMode: Number(first) };
    case "max":
      return { maxMembers: Number(first) };
    default:
      throw new Error(`no setting ${setting}`);
  }
};

export const verbs = (driver) => {
  const groupsOf = () => driver.client.groups;
  return {
    createGroupOf: async (c) =>
      (await groupsOf().create({ id: c.conversation, title: c.title ?? "", members: c.users ?? [], ...Object.assign({}, ...(c.data?.settings ?? []).map(change)) })).id,
    groupSettings: async (c) => groupsOf().update(driver.at(c), change(c.data)),
    putRole: async (c) =>
      groupsOf().putRole(driver.at(c), { id: c.data.id || undefined, name: c.title, color: 0, rank: c.limit, grants: (c.mentions ?? []).map(camel) }),
    deleteRole: async (c) => groupsOf().deleteRole(driver.at(c), c.role),
    memberRoles: async (c) => groupsOf().setMemberRoles(driver.at(c), c.users[0], c.mentions ?? []),
    nickname: async (c) => groupsOf().setNickname(driver.at(c), c.users[0], c.text ?? ""),
    mute: async (c) => (c.users ? groupsOf().mute(driver.at(c), c.users[0], c.limit ?? 0) : groupsOf().muteAll(driver.at(c), c.limit ?? 0)),
    transfer: async (c) => groupsOf().transfer(driver.at(c), c.users[0]),
    dissolve: async (c) => groupsOf().dissolve(driver.at(c)),
    groupInfo: async (c) => {
      const g = await groupsOf().info(c.conversation);
      return [`type ${g.type}`, `join ${g.joinMode}`, `title ${g.title}`, `description ${g.description}`, `members ${g.memberCount}`, `member ${g.member}`];
    },
    groupState: async (c) => {
      const conversation = driver.at(c);
      const settings = groupsOf().settings(conversation);
      if (!settings) return [];
      const attrs = groupsOf().attrs(conversation);
      return [
        `type ${settings.type}`,
        `join ${settings.joinMode}`,
        `history ${settings.historyVisible ? "visible" : "hidden"}`,
        `description ${settings.description}`,
        `slow ${settings.slowMode}`,
        `nick ${attrs.nickname}`,
        `may ${groupsOf().block(conversation)?.reason ?? "write"}`,
        ...settings.roles.map((r) => `role ${r.name} ${r.rank} ${r.grants.map(snake).join(" ")}`.trim()),
        ...(settings.dissolved ? ["dissolved"] : []),
      ];
    },
    memberAttrs: async (c) => {
      const out = [];
      const roles = groupsOf().settings(driver.at(c))?.roles ?? [];
      for await (const page of groupsOf().members(driver.at(c))) {
        for (const m of page) {
          const named = m.roles.map((id) => roles.find((r) => r.id === id)?.name).filter(Boolean);
          out.push([m.user, m.nickname, ...named, m.mutedUntil > Date.now() ? "muted" : ""].filter(Boolean).join(" "));
        }
      }
      return out;
    },
  };
};
