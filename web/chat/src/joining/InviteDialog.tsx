// Links that let people into a group: making one, with its QR code, and ending
// those there are.
import type { Conversation } from "@skein/client";
import { inviteLink, type Invite } from "@skein/client/invites";
import { useId, useMemo, useState, type FormEvent } from "react";
import { useSpeech, useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Button, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { describeError, useCopy, useToasts } from "../ui/Toasts.tsx";
import { qrCode, qrPath } from "./qr.ts";
import { strings } from "./strings.ts";
import { useList } from "./useJoining.ts";

const lives = [
  ["hour", 3600],
  ["day", 86_400],
  ["week", 604_800],
  ["ever", 0],
] as const;
const uses = [1, 10, 100, 0] as const;

/** The dialog. */
export function InviteDialog({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const client = useClient();
  const { fail } = useToasts();
  const { list, error, again } = useList(conversation, client.invites.list);
  const [life, setLife] = useState<(typeof lives)[number][0]>("week");
  const [most, setMost] = useState<number>(0);
  const [approval, setApproval] = useState(false);
  const [label, setLabel] = useState("");
  const [busy, setBusy] = useState(false);
  const [made, setMade] = useState<string>();
  const id = useId();

  const create = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const expires = lives.find(([name]) => name === life)?.[1] ?? 0;
    client.invites
      .create(conversation, { expires, maxUses: most, approval, label: label.trim() })
      .then(({ code }) => {
        setMade(inviteLink(client.endpoint, code));
        setLabel("");
        again();
      }, fail)
      .finally(() => setBusy(false));
  };
  const revoke = (invite: Invite) => {
    client.invites.revoke(conversation, invite.id).then(again, fail);
  };

  return (
    <Dialog title={s.inviteTitle} onClose={onClose}>
      {made === undefined ? <p className="hint">{s.inviteText}</p> : <MadeLink link={made} />}
      <form className="invite-form" onSubmit={create}>
        <label className="field-label" htmlFor={`${id}l`}>
          {s.inviteExpires}
          <select id={`${id}l`} className="input" value={life} onChange={(event) => setLife(event.target.value as typeof life)}>
            {lives.map(([name]) => (
              <option key={name} value={name}>
                {s[name]}
              </option>
            ))}
          </select>
        </label>
        <label className="field-label" htmlFor={`${id}u`}>
          {s.inviteUses}
          <select id={`${id}u`} className="input" value={most} onChange={(event) => setMost(Number(event.target.value))}>
            {uses.map((n) => (
              <option key={n} value={n}>
                {n === 0 ? s.anyNumber : s.times(n)}
              </option>
            ))}
          </select>
        </label>
        <label className="field-label invite-label" htmlFor={`${id}n`}>
          {s.inviteLabel}
          <input id={`${id}n`} className="input" value={label} maxLength={20} autoComplete="off" onChange={(event) => setLabel(event.target.value)} />
        </label>
        <label className="check-row">
          <input type="checkbox" checked={approval} onChange={(event) => setApproval(event.target.checked)} />
          {s.inviteAsks}
        </label>
        <Button kind="primary" submit busy={busy}>
          {s.inviteNew}
        </Button>
      </form>
      {list === undefined && error === undefined ? <Spinner /> : null}
      {error === undefined ? null : (
        <p className="info-note" role="alert">
          {describeError(error, t).text} <Button onClick={again}>{t.retry}</Button>
        </p>
      )}
      {list?.length === 0 ? <p className="info-note hint">{s.noInvites}</p> : null}
      <ul className="people" role="list" aria-label={s.inviteTitle}>
        {list?.map((invite) => (
          <InviteRow key={invite.id} invite={invite} onRevoke={() => revoke(invite)} />
        ))}
      </ul>
    </Dialog>
  );
}

function InviteRow({ invite, onRevoke }: { invite: Invite; onRevoke: () => void }) {
  const s = useStrings(strings);
  const { tag } = useSpeech();
  const nameOf = useNames();
  const name = invite.label || s.unnamed;
  const facts = [
    s.used(invite.uses, invite.maxUses),
    ...(invite.expires === undefined ? [] : [s.until(new Date(invite.expires).toLocaleString(tag, { dateStyle: "short", timeStyle: "short" }))]),
    ...(invite.approval ? [s.asks] : []),
    ...(invite.creator ? [s.by(nameOf(invite.creator))] : []),
  ];
  return (
    <li className={`person invite-row ${invite.ended ? "invite-ended" : ""}`}>
      <span className="person-name">
        {name}
        <span className="hint invite-facts">{facts.join(" · ")}</span>
      </span>
      {invite.ended ? (
        <span className="hint">{s.ended}</span>
      ) : (
        <Button kind="danger" aria-label={`${s.revoke}: ${name}`} onClick={onRevoke}>
          {s.revoke}
        </Button>
      )}
    </li>
  );
}

/** A link that was just made, with what to do with it. */
function MadeLink({ link }: { link: string }) {
  const t = useWords();
  const s = useStrings(strings);
  const copy = useCopy();
  const drawn = useMemo(() => {
    const code = qrCode(link);
    return code && qrPath(code);
  }, [link]);
  return (
    <div className="invite-made" role="status">
      {drawn ? (
        <svg className="qr" viewBox={`0 0 ${drawn.size} ${drawn.size}`} role="img" aria-label={s.inviteQr} shapeRendering="crispEdges">
          <rect width={drawn.size} height={drawn.size} fill="#fff" />
          <path d={drawn.path} fill="#000" />
        </svg>
      ) : null}
      <code className="invite-link">{link}</code>
      <p className="hint">{s.inviteKept}</p>
      <div className="invite-actions">
        <Button kind="soft" onClick={() => copy(link)}>
          {t.copy}
        </Button>
        {"share" in navigator ? (
          <Button kind="soft" onClick={() => void navigator.share({ url: link }).catch(() => undefined)}>
            {s.share}
          </Button>
        ) : null}
      </div>
    </div>
  );
}
