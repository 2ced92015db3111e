// The calls of a user, newest first, all or those that were missed, with the
// way to call back.
import type { Call } from "@skein/client/calls";
import { useCallback, useEffect, useState } from "react";
import { useWorkspace } from "../../app/workspaceContext.ts";
import { playTime } from "../../files/sizes.ts";
import { exact, listTime } from "../../format/time.ts";
import { useSpeech } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNow } from "../../live/now.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button, IconButton, Spinner } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Icon, type IconName } from "../../ui/Icon.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import { useCalls } from "../CallsContext.tsx";
import { useMayCall } from "../lines/useCallOf.ts";
import { useWhere } from "../ring/who.ts";
import { strings } from "./strings.ts";
import type { Conversation } from "@skein/client";

const pageSize = 30;

interface Listed {
  readonly calls: readonly Call[];
  readonly next: string;
}

/** The dialog. */
export function HistoryDialog({ onClose }: { onClose: () => void }) {
  const s = useStrings(strings);
  const model = useCalls();
  const [missed, setMissed] = useState(false);
  const { list, failed, busy, more, again } = useHistory(missed);
  return (
    <Dialog
      title={s.title}
      onClose={onClose}
      actions={
        <Button onClick={() => model?.showLobby(true)}>
          <Icon name="sliders" size={18} />
          {s.devices}
        </Button>
      }
    >
      <div className="tabs" role="tablist">
        {[false, true].map((only) => (
          <button key={String(only)} type="button" role="tab" aria-selected={missed === only} className="tab" onClick={() => setMissed(only)}>
            {only ? s.missed : s.all}
          </button>
        ))}
      </div>
      <div role="tabpanel" aria-label={missed ? s.missed : s.all}>
        {list?.calls.length === 0 ? <p className="info-note hint">{missed ? s.noneMissed : s.none}</p> : null}
        <ul className="call-history" role="list">
          {list?.calls.map((call) => (
            <Entry key={call.id} call={call} onClose={onClose} />
          ))}
        </ul>
        {failed ? (
          <p className="info-note" role="alert">
            {s.failed} <Button onClick={again}>{s.again}</Button>
          </p>
        ) : busy && !list ? (
          <p className="info-note hint" role="status">
            <Spinner /> {s.loading}
          </p>
        ) : list?.next ? (
          <Button kind="soft" busy={busy} onClick={more}>
            {s.more}
          </Button>
        ) : null}
      </div>
    </Dialog>
  );
}

/** The list, read anew when a call ends. */
function useHistory(missed: boolean) {
  const { calls } = useClient();
  const [list, setList] = useState<Listed>();
  const [failed, setFailed] = useState(false);
  const [busy, setBusy] = useState(false);
  const [turn, setTurn] = useState(0);
  useEffect(() => calls.on("ended", () => setTurn((n) => n + 1)), [calls]);
  useEffect(() => setList(undefined), [missed]);
  useEffect(() => {
    const end = new AbortController();
    setBusy(true);
    setFailed(false);
    calls
      .list({ missed, limit: pageSize }, { signal: end.signal })
      .then(setList, () => !end.signal.aborted && setFailed(true))
      .finally(() => !end.signal.aborted && setBusy(false));
    return () => end.abort();
  }, [calls, missed, turn]);
  const next = list?.next ?? "";
  const more = useCallback(() => {
    setBusy(true);
    calls
      .list({ missed, limit: pageSize, page: next })
      .then(
        (page) => setList((now) => ({ calls: [...(now?.calls ?? []), ...page.calls], next: page.next })),
        () => setFailed(true),
      )
      .finally(() => setBusy(false));
  }, [calls, missed, next]);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  return { list, failed, busy, more, again };
}

/** How a call looks from the user's side. */
export function howItWas(call: Call, me: string): "outgoing" | "incoming" | "missedOne" | "declinedOne" | "noAnswer" | "cancelled" | "busy" | "running" {
  const mine = call.starter === me;
  const own = call.parties.find(({ user }) => user === me)?.state;
  if (call.state !== "ended") return "running";
  if (mine) {
    if (call.answered !== undefined || call.end === "completed") return "outgoing";
    return call.end === "declined" ? "declinedOne" : call.end === "busy" ? "busy" : call.end === "cancelled" ? "cancelled" : "noAnswer";
  }
  return own === "missed" || own === "busy" ? "missedOne" : own === "declined" ? "declinedOne" : "incoming";
}

function Entry({ call, onClose }: { call: Call; onClose: () => void }) {
  const { t, tag } = useSpeech();
  const s = useStrings(strings);
  const { userId } = useClient();
  const { open } = useWorkspace();
  const now = useNow("minute");
  const { conversation, name, sign } = useWhere(call.conversation);
  const how = howItWas(call, userId);
  const mine = call.starter === userId;
  const icon: IconName = how === "missedOne" ? "callMissed" : mine ? "callOut" : "callIn";
  const lasted = call.answered !== undefined && call.ended !== undefined && how !== "missedOne" && how !== "declinedOne" ? playTime(call.ended - call.answered) : "";
  const what = call.video ? t.callVideo : t.callVoice;
  return (
    <li className={`call-entry ${how === "missedOne" ? "call-entry-missed" : ""}`}>
      <button
        type="button"
        className="call-entry-open"
        onClick={() => {
          onClose();
          open({ conversation: call.conversation });
        }}
      >
        <Avatar id={sign} name={name} />
        <span className="call-entry-text">
          <strong>{name}</strong>
          <span className="call-entry-what">
            <Icon name={icon} size={15} />
            {what}, {s[how]}
            {lasted === "" ? null : <span className="numbers">{lasted}</span>}
          </span>
        </span>
        <time dateTime={new Date(call.started).toISOString()} title={exact(call.started, tag)}>
          {listTime(call.started, now, tag)}
        </time>
      </button>
      {conversation ? <BackButton call={call} conversation={conversation} label={s.callBack(name, what)} onClose={onClose} /> : null}
    </li>
  );
}

/** Calls a person at once; of a group it opens the conversation, where it is chosen whom to ring. */
function BackButton({ call, conversation, label, onClose }: { call: Call; conversation: Conversation; label: string; onClose: () => void }) {
  const model = useCalls();
  const { open } = useWorkspace();
  const { show } = useToasts();
  const { shown, obstacle } = useMayCall(conversation, conversation.snapshot);
  if (!shown || call.state !== "ended") return null;
  return (
    <IconButton
      icon={call.video ? "video" : "call"}
      label={obstacle === undefined ? label : `${label}. ${obstacle}`}
      className="call-button"
      aria-disabled={obstacle !== undefined}
      onClick={() => {
        if (obstacle !== undefined) return show({ text: obstacle });
        onClose();
        open({ conversation: call.conversation });
        if (conversation.kind === "direct") void model?.start(conversation, { video: call.video });
      }}
    />
  );
}
