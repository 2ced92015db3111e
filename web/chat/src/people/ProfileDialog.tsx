// The profile of somebody else: what they show, and what one may do about
// them: add, call by another name, label, block.
import type { Follows } from "@skein/client/people";
import { useCallback, useEffect, useId, useState, type FormEvent } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { useStrings } from "../i18n/strings.ts";
import { useClient, usePresence, useWatch } from "../live/context.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button } from "../ui/Button.tsx";
import { Confirm, Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { useNames, usePeopleList, useProfile, useStatusText } from "./names.tsx";
import { strings } from "./strings.ts";

interface ProfileDialogProps {
  readonly user: string;
  readonly onClose: () => void;
}

/** The dialog. */
export function ProfileDialog({ user, onClose }: ProfileDialogProps) {
  const s = useStrings(strings);
  const client = useClient();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const name = useNames()(user);
  const profile = useProfile(user);
  const contact = usePeopleList("contacts").find((c) => c.user === user);
  const blocked = usePeopleList("blocked").some((b) => b.user === user);
  const [asking, setAsking] = useState<"remove" | "block">();
  const [busy, setBusy] = useState(false);
  const watched = useState(() => [user])[0];
  useWatch(watched);
  const status = useStatusText(usePresence(user));

  const [follows, setFollows] = useState<Follows>();
  const count = useCallback(() => client.people.follows(user).then(setFollows, () => undefined), [client, user]);
  useEffect(() => void count(), [count, blocked]);

  const run = async (action: Promise<unknown>) => {
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
  const facts: readonly (readonly [string, string | undefined])[] = [
    [s.userId, user],
    [s.name, contact?.remark ? profile?.name : undefined],
    [s.status, status],
    [s.bio, profile?.bio],
    [s.gender, profile?.gender],
    [s.birthday, profile?.birthday],
    [s.language, profile?.language],
    ...Object.entries(profile?.custom ?? {}),
  ];
  return (
    <Dialog title={s.profile} onClose={onClose}>
      <div className="info-card">
        <Avatar id={user} name={name} size="xl" />
        <strong className="info-name">{name}</strong>
        {follows ? (
          <span className="hint">
            {s.followCounts(follows.followers, follows.following)}
            {follows.ofMe ? ` · ${s.followsYou}` : ""}
          </span>
        ) : null}
      </div>
      {blocked ? <p className="info-note hint">{s.isBlocked}</p> : null}
      <dl className="facts profile-facts">
        {facts.map(([label, text]) =>
          text ? (
            <div key={label}>
              <dt>{label}</dt>
              <dd dir="auto">{text}</dd>
            </div>
          ) : null,
        )}
      </dl>
      <div className="profile-actions">
        <Button
          kind="primary"
          onClick={() => {
            onClose();
            open({ conversation: client.conversation.with(user).id });
          }}
        >
          {s.write}
        </Button>
        {follows && !blocked ? (
          <Button kind="soft" busy={busy} onClick={() => void run((follows.byMe ? client.people.unfollow(user) : client.people.follow(user)).then(count))}>
            {follows.byMe ? s.unfollow : s.follow}
          </Button>
        ) : null}
        {blocked ? (
          <Button busy={busy} onClick={() => void run(client.people.unblock(user))}>
            {s.unblock}
          </Button>
        ) : (
          <Button kind="danger" onClick={() => setAsking("block")}>
            {s.block}
          </Button>
        )}
        {contact ? (
          <Button kind="danger" onClick={() => setAsking("remove")}>
            {s.remove}
          </Button>
        ) : null}
      </div>
      {contact ? <ContactForm key={user} user={user} remark={contact.remark} labels={contact.labels} /> : null}
      {contact || blocked ? null : <AskForm user={user} />}
      {asking ? (
        <Confirm
          title={asking === "block" ? s.blockAsk(name) : s.removeAsk(name)}
          text={asking === "block" ? s.blockText : s.removeText}
          action={asking === "block" ? s.block : s.remove}
          danger
          busy={busy}
          onClose={() => setAsking(undefined)}
          onConfirm={() => void run(asking === "block" ? client.people.block(user) : client.people.removeContact(user))}
        />
      ) : null}
    </Dialog>
  );
}

/** Asking somebody to be a contact, or answering them. */
export function AskForm({ user }: { user: string }) {
  const s = useStrings(strings);
  const { people } = useClient();
  const { fail, show } = useToasts();
  const id = useId();
  const name = useNames()(user);
  const request = usePeopleList("requests").find((r) => r.user === user);
  const [greeting, setGreeting] = useState("");
  const [busy, setBusy] = useState(false);
  const run = async (action: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await action();
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };
  if (request && !request.outgoing) {
    return (
      <section className="info-section">
        <p>{s.wants(name)}</p>
        {request.greeting ? <blockquote className="greeting" dir="auto">{request.greeting}</blockquote> : null}
        <div className="profile-actions">
          <Button kind="primary" busy={busy} onClick={() => void run(() => people.acceptContact(user))}>
            {s.accept}
          </Button>
          <Button busy={busy} onClick={() => void run(() => people.declineContact(user))}>
            {s.decline}
          </Button>
        </div>
      </section>
    );
  }
  if (request && !request.declined) return <p className="info-note hint">{s.asked}</p>;
  return (
    <form
      className="info-section"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        void run(async () => {
          const added = await people.requestContact(user, greeting.trim());
          show({ text: added ? s.added(name) : s.asked });
        });
      }}
    >
      {request?.declined ? <p className="info-note hint">{s.declined}</p> : null}
      <div className="field">
        <label className="field-label" htmlFor={id}>
          {s.greeting}
        </label>
        <input id={id} className="input" value={greeting} maxLength={200} placeholder={s.greetingHint} onChange={(event) => setGreeting(event.target.value)} />
      </div>
      <Button kind="soft" submit busy={busy}>
        {s.add}
      </Button>
    </form>
  );
}

function ContactForm({ user, remark: remarkNow, labels: labelsNow }: { user: string; remark: string; labels: readonly string[] }) {
  const s = useStrings(strings);
  const { people } = useClient();
  const { fail, show } = useToasts();
  const id = useId();
  const [remark, setRemark] = useState(remarkNow);
  const [labels, setLabels] = useState(labelsNow.join(", "));
  const [busy, setBusy] = useState(false);
  return (
    <form
      className="info-section"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        setBusy(true);
        const list = labels.split(/[,，;；]/u).map((l) => l.trim()).filter((l) => l !== "");
        people
          .updateContact(user, { remark: remark.trim(), labels: list })
          .then(() => show({ text: s.saved }), fail)
          .finally(() => setBusy(false));
      }}
    >
      <div className="field">
        <label className="field-label" htmlFor={`${id}r`}>
          {s.remark}
        </label>
        <input id={`${id}r`} className="input" value={remark} maxLength={64} onChange={(event) => setRemark(event.target.value)} />
        <span className="hint">{s.remarkHint}</span>
      </div>
      <div className="field">
        <label className="field-label" htmlFor={`${id}l`}>
          {s.labels}
        </label>
        <input id={`${id}l`} className="input" value={labels} maxLength={400} placeholder={s.labelsHint} onChange={(event) => setLabels(event.target.value)} />
      </div>
      <Button kind="soft" submit busy={busy}>
        {s.save}
      </Button>
    </form>
  );
}
