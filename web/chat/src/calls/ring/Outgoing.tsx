// A call that was dialled: whom, how it stands, and what to do when nothing
// comes of it.
import type { Call, PartyState } from "@skein/client/calls";
import { useEffect, useId, useRef, useState, useSyncExternalStore } from "react";
import { go } from "../../app/route.ts";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNames } from "../../people/names.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { IconButton } from "../../ui/Button.tsx";
import type { AppCalls } from "../CallsContext.tsx";
import type { Going, Over } from "../model.ts";
import type { CallSession } from "../session.ts";
import { RoundButton, useModal } from "./Incoming.tsx";
import { strings } from "./strings.ts";
import { TroubleNote } from "./TroubleNote.tsx";
import { useTone } from "./useRinging.ts";
import { useWhere } from "./who.ts";

interface OutgoingProps {
  readonly going: Going<CallSession>;
  readonly model: AppCalls;
}

/** The screen while it rings at the other side. */
export function Outgoing({ going, model }: OutgoingProps) {
  const s = useStrings(strings);
  const { phase, session, video } = going;
  const { group } = useWhere(going.conversation);
  const parties = useParties(group ? going.call : "");
  useTone(phase === "ringing" ? "ringback" : undefined);
  const rung = parties.filter(({ state }) => state === "ringing").length;
  return (
    <CallScreen conversation={going.conversation} status={phase === "dialling" ? s.dialling : group && rung > 0 ? s.ringingMany(rung) : s.ringing} waits onSettings={() => model.showLobby(true)} onEscape={() => undefined}>
      {video && session ? <OwnPicture session={session} /> : null}
      {group ? <PartyList parties={parties} /> : null}
      <TroubleNote model={model} />
      <div className="callring-answers">
        <RoundButton icon="hangUp" kind="bad" label={s.cancel} onClick={() => void model.hangUp()} />
      </div>
    </CallScreen>
  );
}

/** What became of it. */
export function CameToNothing({ over, model }: { over: Over; model: AppCalls }) {
  const s = useStrings(strings);
  const { declined, busy, noAnswer } = s;
  useTone(over.why === "busy" ? "busy" : "over");
  const again = () => {
    model.dismiss();
    void model.start(over.conversation, over.dialled);
  };
  const write = () => {
    model.dismiss();
    go({ at: "chat", id: over.conversation });
    // Once the conversation is there.
    setTimeout(() => document.querySelector<HTMLElement>(".composer-field")?.focus(), 100);
  };
  return (
    <CallScreen conversation={over.conversation} status={{ declined, busy, noAnswer }[over.why]} onEscape={() => model.dismiss()} onClose={() => model.dismiss()}>
      <div className="callring-answers">
        <RoundButton icon="edit" kind="soft" label={s.leaveMessage} onClick={write} />
        <RoundButton icon={over.dialled.video ? "video" : "call"} kind="good" label={s.again} onClick={again} />
      </div>
    </CallScreen>
  );
}

interface CallScreenProps {
  readonly conversation: string;
  readonly status: string;
  /** It waits for somebody, and shows that. */
  readonly waits?: boolean;
  readonly onSettings?: () => void;
  readonly onEscape: () => void;
  readonly onClose?: () => void;
  readonly children: React.ReactNode;
}

function CallScreen({ conversation, status, waits = false, onSettings, onEscape, onClose, children }: CallScreenProps) {
  const s = useStrings(strings);
  const { name, sign } = useWhere(conversation);
  const ref = useRef<HTMLDialogElement>(null);
  const title = useId();
  useModal(ref);
  return (
    <dialog
      ref={ref}
      className="callring callring-out"
      tabIndex={-1}
      aria-labelledby={title}
      onCancel={(event) => {
        if (event.target !== ref.current) return;
        event.preventDefault();
        onEscape();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <div className="callring-frame">
        <header className="callring-top">
          <span className="callring-what" />
          {onSettings ? <IconButton icon="sliders" size={20} label={s.settings} onClick={onSettings} /> : null}
          {onClose ? <IconButton icon="close" size={20} label={s.close} onClick={onClose} /> : null}
        </header>
        <div className="callring-who">
          <span className={`callring-avatar ${waits ? "" : "callring-avatar-still"}`}>
            <Avatar id={sign} name={name} size="xl" />
          </span>
          <h2 id={title}>{name}</h2>
          <p className="callring-status" role="status">
            {status}
          </p>
        </div>
        {children}
      </div>
    </dialog>
  );
}

/** How often it is asked who has answered: of a group's call only that is told by itself who is in it. */
const askMs = 2500;

/** Who is rung, of a group; empty for a call that is none. */
function useParties(call: string): Call["parties"] {
  const { calls, userId } = useClient();
  const [parties, setParties] = useState<Call["parties"]>([]);
  useEffect(() => {
    if (call === "") return;
    const end = new AbortController();
    const ask = () =>
      calls.get(call, { signal: end.signal }).then(
        (now) => setParties(now.parties.filter(({ user }) => user !== userId)),
        () => undefined,
      );
    void ask();
    const timer = setInterval(ask, askMs);
    return () => {
      clearInterval(timer);
      end.abort();
    };
  }, [calls, userId, call]);
  return parties;
}

function PartyList({ parties }: { parties: Call["parties"] }) {
  const s = useStrings(strings);
  const nameOf = useNames();
  const words: Record<PartyState, string> = { ringing: s.partyRinging, joined: s.partyJoined, declined: s.partyDeclined, busy: s.partyBusy, missed: s.partyMissed, left: s.partyLeft, removed: s.partyLeft };
  return (
    <ul className="callring-parties scroll" role="list" tabIndex={0} aria-label={s.ringingMany(parties.length)}>
      {parties.map(({ user, state }) => (
        <li key={user}>
          <Avatar id={user} name={nameOf(user)} size="s" />
          <span className="callring-party">{nameOf(user)}</span>
          <span className="callring-party-state">{words[state]}</span>
        </li>
      ))}
    </ul>
  );
}

/** The own picture, as the other side will see it. */
function OwnPicture({ session }: { session: CallSession }) {
  const s = useStrings(strings);
  const track = useSyncExternalStore(
    (fn) => session.onChange(fn),
    () => [...(session.room?.localParticipant.videoTrackPublications.values() ?? [])].find(({ isMuted }) => !isMuted)?.track?.mediaStreamTrack,
  );
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = video.current;
    if (element && track) element.srcObject = new MediaStream([track]);
    return () => {
      if (element) element.srcObject = null;
    };
  }, [track]);
  return track ? <video ref={video} className="callring-preview" autoPlay muted playsInline aria-label={s.preview} /> : null;
}
