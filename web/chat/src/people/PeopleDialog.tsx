// Contacts, the requests that wait, whom one has blocked, and finding people.
import type { Profile } from "@skein/client/people";
import { useEffect, useMemo, useState, type FormEvent } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button, IconButton, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { useNames, usePeopleList } from "./names.tsx";
import { PersonRow } from "./PersonRow.tsx";
import { strings } from "./strings.ts";

const tabs = ["contacts", "requests", "find", "following", "blocked"] as const;

/** The dialog. */
export function PeopleDialog({ onClose }: { onClose: () => void }) {
  const s = useStrings(strings);
  const requests = usePeopleList("requests");
  const waiting = requests.filter((r) => !r.outgoing).length;
  const [tab, setTab] = useState<(typeof tabs)[number]>(waiting > 0 ? "requests" : "contacts");
  return (
    <Dialog title={s.contacts} onClose={onClose}>
      <div className="tabs" role="tablist">
        {tabs.map((name) => (
          <button key={name} type="button" role="tab" aria-selected={tab === name} className="tab" onClick={() => setTab(name)}>
            {s[name]}
            {name === "requests" && waiting > 0 ? <span className="badge">{waiting}</span> : null}
          </button>
        ))}
      </div>
      <div role="tabpanel" aria-label={s[tab]} className="people-tab">
        {tab === "contacts" ? <Contacts /> : tab === "requests" ? <Requests /> : tab === "find" ? <Find /> : tab === "following" ? <Following /> : <Blocked />}
      </div>
    </Dialog>
  );
}

function Contacts() {
  const s = useStrings(strings);
  const client = useClient();
  const { open } = useWorkspace();
  const nameOf = useNames();
  const contacts = usePeopleList("contacts");
  const [label, setLabel] = useState("");
  const labels = useMemo(() => [...new Set(contacts.flatMap((c) => c.labels))].sort((a, b) => a.localeCompare(b)), [contacts]);
  const shown = contacts
    .filter((c) => label === "" || c.labels.includes(label))
    .map((c) => ({ ...c, name: nameOf(c.user) }))
    .sort((a, b) => a.name.localeCompare(b.name));
  if (contacts.length === 0) return <p className="info-note hint">{s.noContacts}</p>;
  return (
    <>
      {labels.length > 0 ? (
        <div className="chips" role="group" aria-label={s.labels}>
          {["", ...labels].map((one) => (
            <button key={one} type="button" className="chip chip-button" aria-pressed={label === one} onClick={() => setLabel(one)}>
              {one === "" ? s.labelAll : one}
            </button>
          ))}
        </div>
      ) : null}
      <ul className="people" role="list">
        {shown.map((c) => (
          <PersonRow key={c.user} user={c.user} hint={c.name === c.user ? c.labels.join(", ") : [c.user, ...c.labels].join(" · ")} onOpen={() => open({ dialog: "profile", user: c.user })}>
            <IconButton icon="pen" label={`${s.write}: ${c.name}`} onClick={() => open({ conversation: client.conversation.with(c.user).id })} />
          </PersonRow>
        ))}
      </ul>
    </>
  );
}

function Requests() {
  const s = useStrings(strings);
  const { people } = useClient();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const nameOf = useNames();
  const requests = usePeopleList("requests");
  const [busy, setBusy] = useState("");
  const answer = (user: string, action: (user: string) => Promise<void>) => {
    setBusy(user);
    action(user)
      .catch(fail)
      .finally(() => setBusy(""));
  };
  if (requests.length === 0) return <p className="info-note hint">{s.noRequests}</p>;
  return (
    <ul className="people" role="list">
      {requests.map((r) => (
        <PersonRow key={r.user} user={r.user} hint={r.declined ? s.declined : r.outgoing ? s.asked : r.greeting} onOpen={() => open({ dialog: "profile", user: r.user })}>
          {r.outgoing ? null : (
            <>
              <Button kind="primary" busy={busy === r.user} aria-label={`${s.accept}: ${nameOf(r.user)}`} onClick={() => answer(r.user, (u) => people.acceptContact(u))}>
                {s.accept}
              </Button>
              <Button busy={busy === r.user} aria-label={`${s.decline}: ${nameOf(r.user)}`} onClick={() => answer(r.user, (u) => people.declineContact(u))}>
                {s.decline}
              </Button>
            </>
          )}
        </PersonRow>
      ))}
    </ul>
  );
}

function Following() {
  const s = useStrings(strings);
  const { people } = useClient();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const [users, setUsers] = useState<readonly string[]>();
  useEffect(() => {
    const abort = new AbortController();
    void (async () => {
      const all: string[] = [];
      try {
        for await (const page of people.listFollows("following", { signal: abort.signal })) all.push(...page.map((f) => f.user));
        setUsers(all);
      } catch (error) {
        if (!abort.signal.aborted) fail(error);
      }
    })();
    return () => abort.abort();
  }, [people, fail]);
  if (!users) return <Spinner />;
  if (users.length === 0) return <p className="info-note hint">{s.noFollowing}</p>;
  return (
    <ul className="people" role="list">
      {users.map((user) => (
        <PersonRow key={user} user={user} onOpen={() => open({ dialog: "profile", user })} />
      ))}
    </ul>
  );
}

function Blocked() {
  const s = useStrings(strings);
  const { people } = useClient();
  const { fail } = useToasts();
  const nameOf = useNames();
  const blocked = usePeopleList("blocked");
  if (blocked.length === 0) return <p className="info-note hint">{s.noBlocked}</p>;
  return (
    <ul className="people" role="list">
      {blocked.map((b) => (
        <PersonRow key={b.user} user={b.user}>
          <Button aria-label={`${s.unblock}: ${nameOf(b.user)}`} onClick={() => people.unblock(b.user).catch(fail)}>
            {s.unblock}
          </Button>
        </PersonRow>
      ))}
    </ul>
  );
}

/** By name, and by id when nobody has such a name. */
function Find() {
  const s = useStrings(strings);
  const { people, userId } = useClient();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const [query, setQuery] = useState("");
  const [found, setFound] = useState<{ readonly query: string; readonly profiles: readonly Profile[] }>();
  const [busy, setBusy] = useState(false);
  const find = async (event: FormEvent) => {
    event.preventDefault();
    const q = query.trim();
    if (q === "") return;
    setBusy(true);
    try {
      const first = async (by: { user: string } | { name: string }): Promise<readonly Profile[]> =>
        (await people.searchDirectory(by).next()).value ?? [];
      const byId = await first({ user: q });
      const byName = q.length > 1 || /\p{Script=Han}/u.test(q) ? await first({ name: q }) : [];
      const all = new Map([...byId, ...byName].map((p) => [p.user, p]));
      all.delete(userId);
      setFound({ query: q, profiles: [...all.values()] });
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <form className="people-input" role="search" onSubmit={(event) => void find(event)}>
        <input className="input" type="search" aria-label={s.find} placeholder={s.findHint} maxLength={64} value={query} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(event) => setQuery(event.target.value)} />
        <Button kind="soft" submit busy={busy}>
          {s.findAction}
        </Button>
      </form>
      {found && found.profiles.length === 0 ? (
        <p className="info-note hint" role="status">
          {s.findNone(found.query)}
        </p>
      ) : null}
      <ul className="people" role="list">
        {found?.profiles.map((p) => (
          <PersonRow key={p.user} user={p.user} hint={p.name ? p.user : undefined} onOpen={() => open({ dialog: "profile", user: p.user })} />
        ))}
      </ul>
    </>
  );
}
