// The call as it is seen: everybody's picture, the buttons, what has to be
// said, and panels beside it. Minimised it is a small window to move about,
// while one goes on in the chats.
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { conversationName } from "../../format/describe.ts";
import { useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useClient, useConversation } from "../../live/context.tsx";
import { useNow } from "../../live/now.ts";
import { useNames } from "../../people/names.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { playTime } from "../../files/sizes.ts";
import { RecordingMark, RecordQuestion } from "../recordings/RecordingMark.tsx";
import { DetailsPanel } from "../details/DetailsPanel.tsx";
import type { CallSession } from "../session.ts";
import { Banners } from "./Banners.tsx";
import { Controls } from "./Controls.tsx";
import { InviteDialog } from "./InviteDialog.tsx";
import { MiniWindow } from "./MiniWindow.tsx";
import { PeoplePanel } from "./PeoplePanel.tsx";
import { usePictureInPicture } from "./pictureInPicture.tsx";
import { tilesOf } from "./parties.ts";
import { strings } from "./strings.ts";
import { Tiles } from "./Tiles.tsx";
import { useFullScreen, useKeys, useWakeLock } from "./keys.ts";
import { useParties } from "./useSession.ts";
import { WordsDialog } from "./WordsDialog.tsx";
import "./stage.css";

const Lobby = lazy(() => import("../lobby/Lobby.tsx").then(({ Lobby }) => ({ default: Lobby })));

/** How the tiles lie. */
export type Layout = "grid" | "speaker";

/** What opens beside or above the stage. */
export type Beside = "people" | "details" | "invite" | "devices" | "words" | "record" | "end";

type Panel = "people" | "details";

/** What the stage's menus can ask of it. */
export interface StageControls {
  readonly layout: Layout;
  readonly setLayout: (layout: Layout) => void;
  readonly open: (what: Beside) => void;
  /** undefined where the browser has none. */
  readonly pip: (() => void) | undefined;
  readonly fullScreen: { readonly on: boolean; readonly toggle: () => void } | undefined;
}

interface StageProps {
  readonly session: CallSession;
  /** It is a small window, over the app. */
  readonly minimised: boolean;
  readonly onMinimise: (minimised: boolean) => void;
}

/** The stage, until the call is over. */
export function Stage({ session, minimised, onMinimise }: StageProps) {
  const minimise = useCallback(() => onMinimise(true), [onMinimise]);
  const parties = useParties(session);
  const pip = usePictureInPicture(session, parties);
  useWakeLock();
  if (session.state === "ended") return null;
  return (
    <>
      {minimised ? <MiniWindow session={session} parties={parties} onExpand={() => onMinimise(false)} /> : <Full session={session} onMinimise={minimise} openPip={pip.open} />}
      {pip.content}
    </>
  );
}

/** How long the call lasts; nothing before somebody has answered. */
export function Duration({ session }: { session: CallSession }) {
  const now = useNow("second");
  const { answered } = session.call;
  if (session.state === "connecting" || answered === undefined) return null;
  return (
    <span className="stage-time" role="timer">
      {playTime(Math.max(0, now - answered))}
    </span>
  );
}

function Full({ session, onMinimise, openPip }: { session: CallSession; onMinimise: () => void; openPip: (() => void) | undefined }) {
  const t = useStrings(strings);
  const words = useWords();
  const client = useClient();
  const nameOf = useNames();
  const { fail } = useToasts();
  const parties = useParties(session);
  const snapshot = useConversation(useMemo(() => client.conversation.get(session.call.conversation), [client, session]));
  const name = conversationName(snapshot, words, nameOf);
  const [layout, setLayout] = useState<Layout>("grid");
  const [pinned, setPinned] = useState<string>();
  const [panel, setPanel] = useState<Panel>();
  const [dialog, setDialog] = useState<Exclude<Beside, Panel>>();
  const ref = useRef<HTMLElement>(null);
  const fullScreen = useFullScreen();
  const close = useCallback(() => setDialog(undefined), []);
  const closePanel = useCallback(() => setPanel(undefined), []);
  const tiles = useMemo(() => tilesOf(parties), [parties]);
  // Who left is large no longer.
  const kept = tiles.some(({ key }) => key === pinned) ? pinned : undefined;
  const controls = useMemo<StageControls>(
    () => ({
      layout,
      setLayout: (next) => {
        setPinned(undefined);
        setLayout(next);
      },
      open: (what) => {
        if (what === "people" || what === "details") setPanel((now) => (now === what ? undefined : what));
        else setDialog(what);
      },
      pip: openPip,
      fullScreen,
    }),
    [layout, openPip, fullScreen],
  );
  useKeys(session, ref, onMinimise);
  useInert();

  return createPortal(
    <section ref={ref} className="stage" aria-label={t.stage(name)} tabIndex={-1}>
      <header className="stage-head">
        <IconButton icon="back" label={t.minimise} onClick={onMinimise} />
        <div className="stage-title">
          <h2>{name}</h2>
          <span className="stage-sub">
            <State session={session} name={name} />
            <Duration session={session} />
            <RecordingMark call={session.call.id} />
            <Lock session={session} parties={parties.filter(({ open }) => open).map(({ user }) => nameOf(user))} onOpen={() => setDialog("words")} />
          </span>
        </div>
        <IconButton
          icon={layout === "grid" ? "spotlight" : "tiles"}
          label={layout === "grid" ? t.layoutSpeaker : t.layoutGrid}
          className="wide-only"
          onClick={() => controls.setLayout(layout === "grid" ? "speaker" : "grid")}
        />
        {openPip ? <IconButton icon="pip" label={t.pip} className="wide-only" onClick={openPip} /> : null}
        {fullScreen ? <IconButton icon={fullScreen.on ? "shrink" : "expand"} label={fullScreen.on ? t.noFullScreen : t.fullScreen} className="wide-only" onClick={fullScreen.toggle} /> : null}
        <IconButton icon="signal" label={t.details} className="wide-only" aria-expanded={panel === "details"} onClick={() => controls.open("details")} />
        <IconButton icon="group" label={t.people} aria-expanded={panel === "people"} onClick={() => controls.open("people")} />
      </header>
      <Banners session={session} parties={parties} controls={controls} />
      {session.screen ? (
        <div className="stage-presenting" role="status">
          <Icon name="screen" size={18} />
          <span>{t.presenting}</span>
          <button type="button" className="button button-soft" onClick={() => void session.setScreen(false)}>
            {t.stop}
          </button>
        </div>
      ) : null}
      <div className="stage-body">
        <Tiles session={session} tiles={tiles} layout={layout} pinned={kept} onPin={setPinned} />
        {panel === "people" ? <PeoplePanel session={session} parties={parties} pinned={kept} onPin={setPinned} onInvite={() => setDialog("invite")} onClose={closePanel} /> : null}
        {panel === "details" ? <DetailsPanel session={session} onClose={closePanel} /> : null}
      </div>
      <Controls session={session} controls={controls} />
      {dialog === "invite" ? <InviteDialog session={session} onClose={close} /> : null}
      {dialog === "devices" ? (
        <Suspense>
          <Lobby session={session} onClose={close} />
        </Suspense>
      ) : null}
      {dialog === "words" ? <WordsDialog session={session} onClose={close} /> : null}
      {dialog === "record" ? <RecordQuestion call={session.call.id} secret={parties.some(({ secret }) => secret)} onClose={close} /> : null}
      {dialog === "end" ? (
        <Confirm
          title={t.endForAll}
          text={t.endForAllText}
          action={t.end}
          danger
          onClose={close}
          onConfirm={() => {
            close();
            client.calls.end(session.call.id).catch(fail);
          }}
        />
      ) : null}
    </section>,
    document.body,
  );
}

function State({ session, name }: { session: CallSession; name: string }) {
  const t = useStrings(strings);
  if (session.state === "connecting") return <span>{t.connecting}</span>;
  if (session.state === "reconnecting") return <span>{t.reconnecting}</span>;
  if (session.call.state === "ringing") return <span>{t.ringing(name)}</span>;
  return null;
}

function Lock({ session, parties, onOpen }: { session: CallSession; parties: readonly string[]; onOpen: () => void }) {
  const t = useStrings(strings);
  if (session.words === undefined) return null;
  return <IconButton icon={parties.length > 0 ? "alert" : "lock"} size={16} className="stage-lock" label={parties.length > 0 ? t.lockedNot(parties.join(", ")) : t.locked} onClick={onOpen} />;
}

/** What lies below cannot be reached meanwhile. */
function useInert(): void {
  useEffect(() => {
    const app = document.querySelector(".app");
    app?.setAttribute("inert", "");
    return () => app?.removeAttribute("inert");
  }, []);
}
