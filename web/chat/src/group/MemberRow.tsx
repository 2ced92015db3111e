// One member of a group, with what may be done about them.
import type { ConversationSnapshot, Member, Role } from "@skein/client";
import { useState } from "react";
import { roleName } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { IconButton } from "../ui/Button.tsx";
import { MenuItem, placeOf, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { useNames } from "../people/names.tsx";
import { strings } from "../people/strings.ts";
import { useStrings } from "../i18n/strings.ts";
import { useWorkspace } from "../app/workspaceContext.ts";

/** What the menu of a member asks for. */
export type MemberAction = "write" | "remove" | "owner" | "admin" | "member";

interface MemberRowProps {
  readonly member: Member;
  readonly me: string;
  readonly myRole: ConversationSnapshot["myRole"];
  readonly online: boolean;
  readonly onAction: (action: MemberAction) => void;
}

const rank: Record<Role, number> = { member: 0, admin: 1, owner: 2 };

/** The actions that this user has on a member: a higher role removes, the owner hands out roles. */
export function memberActions(member: Member, me: string, myRole: Role | undefined): readonly MemberAction[] {
  if (member.user === me) return [];
  const actions: MemberAction[] = ["write"];
  if (myRole === "owner") actions.push(member.role === "admin" ? "member" : "admin", "owner");
  if (myRole !== undefined && myRole !== "member" && rank[myRole] > rank[member.role]) actions.push("remove");
  return actions;
}

/** The row. */
export function MemberRow({ member, me, myRole, online, onAction }: MemberRowProps) {
  const t = useWords();
  const s = useStrings(strings);
  const { open } = useWorkspace();
  const name = useNames()(member.user);
  const [place, setPlace] = useState<MenuPlace>();
  const actions = memberActions(member, me, myRole);
  const act = (action: MemberAction) => {
    setPlace(undefined);
    onAction(action);
  };
  return (
    <li className="person">
      <Avatar id={member.user} name={name} online={online} />
      <span className="person-name">
        {name}
        {member.user === me ? <span className="hint"> ({t.you})</span> : null}
        {online ? <span className="visually-hidden">{t.online}</span> : null}
      </span>
      {member.role !== "member" ? <span className={`role role-${member.role}`}>{roleName(member.role, t)}</span> : null}
      {actions.length > 0 ? (
        <IconButton icon="more" size={19} label={t.memberMenu(name)} aria-haspopup="menu" aria-expanded={place !== undefined} onClick={(event) => setPlace(placeOf(event.currentTarget))} />
      ) : null}
      {place ? (
        <Popover place={place} align="end" role="menu" label={t.memberMenu(name)} onClose={() => setPlace(undefined)}>
          <MenuItem icon="pen" label={t.writeToMember(name)} onSelect={() => act("write")} />
          <MenuItem icon="person" label={s.profile} onSelect={() => open({ dialog: "profile", user: member.user })} />
          {actions.includes("admin") ? <MenuItem icon="up" label={t.makeAdmin} onSelect={() => act("admin")} /> : null}
          {actions.includes("member") ? <MenuItem icon="down" label={t.makeMember} onSelect={() => act("member")} /> : null}
          {actions.includes("owner") ? <MenuItem icon="switchUser" label={t.makeOwner} onSelect={() => act("owner")} /> : null}
          {actions.includes("remove") ? <MenuItem icon="trash" danger label={t.removePerson(name)} onSelect={() => act("remove")} /> : null}
        </Popover>
      ) : null}
    </li>
  );
}
