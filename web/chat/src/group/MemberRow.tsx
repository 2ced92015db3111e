// One member of a group, with what may be done about them.
import type { GroupMember, GroupRole } from "@skein/client/groups";
import { useState } from "react";
import { roleName } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { IconButton } from "../ui/Button.tsx";
import { MenuItem, placeOf, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { useNames } from "../people/names.tsx";
import { strings } from "../people/strings.ts";
import { useStrings } from "../i18n/strings.ts";
import { duration, muteTimes } from "../groups/durations.ts";
import { cssColor } from "../groups/RolesDialog.tsx";
import { strings as groupStrings } from "../groups/strings.ts";
import { useWorkspace } from "../app/workspaceContext.ts";

/** What the menu of a member asks for. */
export type MemberAction = "write" | "remove" | "owner" | "admin" | "member" | "nickname" | "roles" | "mute" | "unmute";

/** Who looks at a member. */
export interface Viewer {
  readonly user: string;
  readonly role: GroupMember["role"] | undefined;
  readonly rank: number;
  readonly may: (grant: "removeMembers" | "mute" | "manageRoles" | "nicknames") => boolean;
}

interface MemberRowProps {
  readonly member: GroupMember;
  readonly viewer: Viewer;
  /** The member's. */
  readonly rank: number;
  readonly roles: readonly GroupRole[];
  readonly online: boolean;
  readonly onAction: (action: MemberAction, seconds?: number) => void;
}

/** The actions that this user has on a member: what a grant allows, on who ranks below them; the owner makes admins. */
export function memberActions(member: Pick<GroupMember, "user" | "role" | "mutedUntil">, rank: number, viewer: Viewer): readonly MemberAction[] {
  if (member.user === viewer.user) return ["nickname"];
  const actions: MemberAction[] = ["write"];
  if (viewer.role === "owner") actions.push(member.role === "admin" ? "member" : "admin", "owner");
  if (viewer.rank <= rank) return actions;
  if (viewer.may("nicknames")) actions.push("nickname");
  if (viewer.may("manageRoles")) actions.push("roles");
  if (viewer.may("mute")) actions.push(member.mutedUntil > Date.now() ? "unmute" : "mute");
  if (viewer.may("removeMembers")) actions.push("remove");
  return actions;
}

/** The row. */
export function MemberRow({ member, viewer, rank, roles, online, onAction }: MemberRowProps) {
  const t = useWords();
  const s = useStrings(strings);
  const { open } = useWorkspace();
  const g = useStrings(groupStrings);
  const known = useNames()(member.user);
  const name = member.nickname || known;
  const [place, setPlace] = useState<MenuPlace>();
  const actions = memberActions(member, rank, viewer);
  const own = member.user === viewer.user;
  const tags = roles.filter((role) => member.roles.includes(role.id));
  const act = (action: MemberAction, seconds?: number) => {
    setPlace(undefined);
    onAction(action, seconds);
  };
  return (
    <li className="person">
      <Avatar id={member.user} name={name} online={online} />
      <span className="person-name">
        {name}
        {member.nickname === "" || own ? null : <span className="hint"> {known}</span>}
        {own ? <span className="hint"> ({t.you})</span> : null}
        {online ? <span className="visually-hidden">{t.online}</span> : null}
      </span>
      <span className="role-tags">
      {member.mutedUntil > Date.now() ? <span className="role role-own">{g.muted}</span> : null}
      {tags.map((role) => (
        <span key={role.id} className="role role-own" style={{ borderInlineStart: `4px solid ${cssColor(role.color)}` }}>
          {role.name}
        </span>
      ))}
      {member.role !== "member" ? <span className={`role role-${member.role}`}>{roleName(member.role, t)}</span> : null}
      </span>
      {actions.length > 0 ? (
        <IconButton icon="more" size={19} label={t.memberMenu(name)} aria-haspopup="menu" aria-expanded={place !== undefined} onClick={(event) => setPlace(placeOf(event.currentTarget))} />
      ) : null}
      {place ? (
        <Popover place={place} align="end" role="menu" label={t.memberMenu(name)} onClose={() => setPlace(undefined)}>
          {actions.includes("write") ? <MenuItem icon="pen" label={t.writeToMember(name)} onSelect={() => act("write")} /> : null}
          <MenuItem icon="person" label={s.profile} onSelect={() => open({ dialog: "profile", user: member.user })} />
          {actions.includes("admin") ? <MenuItem icon="up" label={t.makeAdmin} onSelect={() => act("admin")} /> : null}
          {actions.includes("member") ? <MenuItem icon="down" label={t.makeMember} onSelect={() => act("member")} /> : null}
          {actions.includes("owner") ? <MenuItem icon="switchUser" label={t.makeOwner} onSelect={() => act("owner")} /> : null}
          {actions.includes("nickname") ? <MenuItem icon="edit" label={own ? g.myNickname : g.nickname} onSelect={() => act("nickname")} /> : null}
          {actions.includes("roles") ? <MenuItem icon="group" label={g.roles} onSelect={() => act("roles")} /> : null}
          {actions.includes("mute")
            ? muteTimes.map((seconds) => <MenuItem key={seconds} icon="pause" label={g.muteFor(duration(seconds, g))} onSelect={() => act("mute", seconds)} />)
            : null}
          {actions.includes("unmute") ? <MenuItem icon="play" label={g.unmute} onSelect={() => act("unmute")} /> : null}
          {actions.includes("remove") ? <MenuItem icon="trash" danger label={t.removePerson(name)} onSelect={() => act("remove")} /> : null}
        </Popover>
      ) : null}
    </li>
  );
}
