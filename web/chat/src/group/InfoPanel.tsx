// What there is to know about a conversation, and for a group what can be
// changed: its name, its members, their roles, one's own being in it.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { colourId, conversationName } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { useClient, useOnline, useWatch } from "../live/context.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button, IconButton, Spinner } from "../ui/Button.tsx";
import { Confirm, Dialog } from "../ui/Dialog.tsx";
import { describeError, useCopy, useToasts } from "../ui/Toasts.tsx";
import { MediaTab } from "../files/mediatab/MediaTab.tsx";
import { strings as mediaStrings } from "../files/mediatab/strings.ts";
import { Icon } from "../ui/Icon.tsx";
import { GroupAccess } from "../joining/GroupAccess.tsx";
import { MemberRow, type MemberAction, type Viewer } from "./MemberRow.tsx";
import { PeopleField } from "./PeopleField.tsx";
import type { GroupMember } from "@skein/client/groups";
import { MemberRolesDialog, NicknameDialog } from "../groups/MemberDialogs.tsx";
import { RolesDialog } from "../groups/RolesDialog.tsx";
import { SettingsDialog } from "../groups/SettingsDialog.tsx";
import { strings as groupStrings } from "../groups/strings.ts";
import { useGroup } from "../groups/useGroup.ts";
import { RenameForm } from "./RenameForm.tsx";
import { useMembers } from "./useMembers.ts";
import { usePeople } from "./usePeople.ts";
import { useNames } from "../people/names.tsx";
import { strings } from "../people/strings.ts";
import { useStrings } from "../i18n/strings.ts";

interface InfoPanelProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly onClose: () => void;
}

type Asking =
  | { readonly what: "leave" | "add" | "settings" | "groupRoles" | "dissolve" }
  | { readonly what: "remove" | "owner"; readonly user: string }
  | { readonly what: "nickname" | "roles"; readonly member: GroupMember };

/** The panel at the right; on a phone it covers the thread. */
export function InfoPanel({ conversation, snapshot, onClose }: InfoPanelProps) {
  const t = useWords();
  const copy = useCopy();
  const name = conversationName(snapshot, t, useNames());
  const { open } = useWorkspace();
  const s = useStrings(strings);
  const m = useStrings(mediaStrings);
  const [media, setMedia] = useState(false);
  const group = snapshot.kind === "group";
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.querySelector("button")?.focus(), []);

  return (
    <aside
      ref={panel}
      className="info"
      aria-label={group ? t.infoGroup : t.infoUser}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        if (media) setMedia(false);
        else onClose();
      }}
    >
      <header className="info-head">
        {media ? <IconButton icon="back" label={t.back} onClick={() => setMedia(false)} /> : <IconButton icon="close" label={t.close} onClick={onClose} />}
        <h2>{media ? m.title : group ? t.infoGroup : t.infoUser}</h2>
      </header>
      {media ? (
        <div className="info-body scroll">
          <MediaTab conversation={conversation} />
        </div>
      ) : (
        <div className="info-body scroll" tabIndex={-1}>
          <div className="info-card">
            <Picture conversation={conversation}>
              <Avatar id={colourId(snapshot)} name={name} size="xl" notes={snapshot.kind === "self"} />
            </Picture>
            <RenameForm conversation={conversation} snapshot={snapshot} name={name} />
            {group && snapshot.memberCount > 0 ? <span className="hint">{t.members(snapshot.memberCount)}</span> : null}
            {group ? <Description conversation={conversation} /> : null}
            {snapshot.kind === "self" ? <span className="hint">{t.notesHint}</span> : null}
          </div>
          {snapshot.kind === "self" ? null : (
            <dl className="facts">
              <dt>{group ? t.groupId : t.userId}</dt>
              <dd>
                <code>{snapshot.peer ?? snapshot.id}</code>
                <IconButton icon="copy" size={18} label={t.copy} onClick={() => copy(snapshot.peer ?? snapshot.id)} />
              </dd>
            </dl>
          )}
          {snapshot.kind === "direct" && snapshot.peer !== undefined ? (
            <Button kind="soft" className="info-add" onClick={() => open({ dialog: "profile", user: snapshot.peer ?? "" })}>
              {s.profile}
            </Button>
          ) : null}
          <button type="button" className="info-media" onClick={() => setMedia(true)}>
            <Icon name="image" size={20} /> <span>{m.open}</span>
          </button>
          {group && snapshot.myRole !== undefined ? <GroupAccess conversation={conversation} snapshot={snapshot} /> : null}
          {group ? <GroupPart conversation={conversation} snapshot={snapshot} /> : null}
        </div>
      )}
    </aside>
  );
}

/** The group's own picture, else what stands for it. */
function Picture({ conversation, children }: { conversation: Conversation; children: ReactNode }) {
  const { settings } = useGroup(conversation);
  const [broken, setBroken] = useState("");
  const url = settings?.avatarUrl ?? "";
  if (url === "" || broken === url) return children;
  return <img className="info-picture" src={url} alt="" referrerPolicy="no-referrer" onError={() => setBroken(url)} />;
}

function Description({ conversation }: { conversation: Conversation }) {
  const { settings } = useGroup(conversation);
  return settings?.description ? <p className="info-description">{settings.description}</p> : null;
}

/** Members whose name, nickname or id has what was typed. */
export function foundMembers(members: readonly GroupMember[], query: string, nameOf: (user: string) => string): readonly GroupMember[] {
  const q = query.trim().toLocaleLowerCase();
  if (q === "") return members;
  return members.filter(({ user, nickname }) => [user, nickname, nameOf(user)].some((text) => text.toLocaleLowerCase().includes(q)));
}

function GroupPart({ conversation, snapshot }: Omit<InfoPanelProps, "onClose">) {
  const t = useWords();
  const client = useClient();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const [query, setQuery] = useState("");
  const { list: loaded, error, hasMore, more, again } = useMembers(conversation, snapshot, query.trim() !== "");
  const nameOf = useNames();
  const g = useStrings(groupStrings);
  const { settings, may, rank } = useGroup(conversation);
  const members = useMemo(() => loaded && foundMembers(loaded, query, nameOf), [loaded, query, nameOf]);
  const [asking, setAsking] = useState<Asking>();
  const [busy, setBusy] = useState(false);
  const users = useMemo(() => (members ?? []).map((m) => m.user).slice(0, 100), [members]);
  useWatch(users);
  const online = useOnline(users);
  const adds = may("addMembers");
  const viewer: Viewer = { user: client.userId, role: snapshot.myRole, rank, may };

  const run = async (action: Promise<void>) => {
    setBusy(true);
    try {
      await action;
      setAsking(undefined);
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };
  const onAction = (member: GroupMember, action: MemberAction, seconds = 0) => {
    const { user } = member;
    if (action === "write") open({ conversation: client.conversation.with(user).id });
    else if (action === "remove" || action === "owner") setAsking({ what: action, user });
    else if (action === "nickname" || action === "roles") setAsking({ what: action, member });
    else if (action === "mute" || action === "unmute") void run(client.groups.mute(conversation, user, seconds));
    else void run(conversation.setRole(user, action));
  };
  const closed = (changed: boolean) => {
    setAsking(undefined);
    if (changed) again();
  };

  if (snapshot.myRole === undefined) return <p className="hint info-note">{t.leftGroup}</p>;
  return (
    <>
      {may("manage") ? (
        <Button kind="soft" className="info-add" onClick={() => setAsking({ what: "settings" })}>
          {g.settings}
        </Button>
      ) : null}
      {may("manageRoles") ? (
        <Button kind="soft" className="info-add" onClick={() => setAsking({ what: "groupRoles" })}>
          {g.roles}
        </Button>
      ) : null}
      <section className="info-section">
        <h3 className="menu-title">{t.groupMembers}</h3>
        {adds ? (
          <Button kind="soft" className="info-add" onClick={() => setAsking({ what: "add" })}>
            {t.addMembers}
          </Button>
        ) : null}
        {snapshot.memberCount > 7 ? (
          <input className="input" type="search" placeholder={g.searchMembers} aria-label={g.searchMembers} value={query} onChange={(event) => setQuery(event.target.value)} />
        ) : null}
        {members === undefined && error === undefined ? <Spinner /> : null}
        {error === undefined ? null : (
          <p className="info-note" role="alert">
            {describeError(error, t).text}
            <Button onClick={again}>{t.retry}</Button>
          </p>
        )}
        <ul className="people" role="list">
          {members?.map((member) => (
            <MemberRow
              key={member.user}
              member={member}
              viewer={viewer}
              rank={client.groups.rank(conversation, member)}
              roles={settings?.roles ?? []}
              online={online.has(member.user)}
              onAction={(action, seconds) => onAction(member, action, seconds)}
            />
          ))}
        </ul>
        {members?.length === 0 ? <p className="info-note">{g.nobodyFound}</p> : null}
        {hasMore && query.trim() === "" ? (
          <Button className="info-add" onClick={more}>
            {g.more}
          </Button>
        ) : null}
      </section>
      <Button kind="danger" className="info-leave" onClick={() => setAsking({ what: "leave" })}>
        {t.leave}
      </Button>
      {snapshot.myRole === "owner" ? (
        <Button kind="danger" className="info-leave" onClick={() => setAsking({ what: "dissolve" })}>
          {g.dissolve}
        </Button>
      ) : null}
      {asking?.what === "settings" ? <SettingsDialog conversation={conversation} snapshot={snapshot} onClose={() => setAsking(undefined)} /> : null}
      {asking?.what === "groupRoles" ? <RolesDialog conversation={conversation} onClose={() => setAsking(undefined)} /> : null}
      {asking?.what === "nickname" ? <NicknameDialog conversation={conversation} member={asking.member} onClose={closed} /> : null}
      {asking?.what === "roles" ? <MemberRolesDialog conversation={conversation} member={asking.member} onClose={closed} /> : null}
      {asking?.what === "dissolve" ? (
        <Confirm
          title={g.dissolveAsk}
          text={g.dissolveText}
          action={g.dissolve}
          danger
          busy={busy}
          onClose={() => setAsking(undefined)}
          onConfirm={() => void run(client.groups.dissolve(conversation))}
        />
      ) : null}
      {asking?.what === "add" ? (
        <AddMembers present={users} busy={busy} onAdd={(added) => void run(conversation.addMembers(added))} onClose={() => setAsking(undefined)} />
      ) : null}
      {asking?.what === "leave" ? (
        <Confirm
          title={t.leaveAsk}
          text={snapshot.myRole === "owner" && snapshot.memberCount > 1 ? t.leaveOwner : t.leaveText}
          action={t.leave}
          danger
          busy={busy}
          onClose={() => setAsking(undefined)}
          onConfirm={() => void run(conversation.leave())}
        />
      ) : null}
      {asking?.what === "remove" ? (
        <Confirm
          title={t.removeAsk(asking.user)}
          text={t.removeText}
          action={t.removePerson(asking.user)}
          danger
          busy={busy}
          onClose={() => setAsking(undefined)}
          onConfirm={() => void run(conversation.removeMember(asking.user))}
        />
      ) : null}
      {asking?.what === "owner" ? (
        <Confirm
          title={t.makeOwnerAsk(asking.user)}
          text={t.makeOwnerText}
          action={t.makeOwner}
          busy={busy}
          onClose={() => setAsking(undefined)}
          onConfirm={() => void run(client.groups.transfer(conversation, asking.user))}
        />
      ) : null}
    </>
  );
}

interface AddMembersProps {
  readonly present: readonly string[];
  readonly busy: boolean;
  readonly onAdd: (users: readonly string[]) => void;
  readonly onClose: () => void;
}

function AddMembers({ present, busy, onAdd, onClose }: AddMembersProps) {
  const t = useWords();
  const people = usePeople(present);
  const [users, setUsers] = useState<readonly string[]>([]);
  return (
    <Dialog
      title={t.addMembers}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button kind="primary" busy={busy} disabled={users.length === 0} onClick={() => onAdd(users)}>
            {t.addPerson}
          </Button>
        </>
      }
    >
      <PeopleField label={t.groupMembers} users={users} suggestions={people} onChange={setUsers} />
    </Dialog>
  );
}
