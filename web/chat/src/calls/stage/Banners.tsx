// What has to be said of a call while it goes on, the weightiest first, two at
// a time: more is not read.
import { useEffect, useState, type ReactNode } from "react";
import { useSpeech } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useNames } from "../../people/names.tsx";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Icon, type IconName } from "../../ui/Icon.tsx";
import { strings as recordings } from "../recordings/strings.ts";
import { useRecording } from "../recordings/useRecording.ts";
import type { CallSession, News, Source } from "../session.ts";
import { absentOf, type Party } from "./parties.ts";
import type { StageControls } from "./Stage.tsx";
import { strings } from "./strings.ts";

interface Said {
  readonly key: string;
  readonly icon: IconName;
  readonly text: string;
  readonly bad?: boolean;
  readonly action?: { readonly label: string; readonly run: () => void };
  readonly dismiss?: () => void;
}

/** Milliseconds for which news is shown by itself. */
const shown: Readonly<Partial<Record<News, number>>> = { reconnected: 4000, otherCamera: 8000, otherMicrophone: 8000, madeSpeaker: 10_000, madeViewer: 10_000 };

/** Milliseconds for which a connection is weak before it is said: one that finds its rate at first is not. */
const weakMs = 4000;

/** Whether something has been so for a while. */
function useHeld(so: boolean, ms: number): boolean {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setHeld(so), so ? ms : 0);
    return () => clearTimeout(timer);
  }, [so, ms]);
  return so && held;
}

function useSaid(session: CallSession, parties: readonly Party[], controls: Pick<StageControls, "open">): readonly Said[] {
  const t = useStrings(strings);
  const recorded = useStrings(recordings);
  const { tag } = useSpeech();
  const nameOf = useNames();
  const namesOf = (some: readonly Pick<Party, "user">[]) => new Intl.ListFormat(tag, { type: "conjunction" }).format(some.slice(0, 4).map(({ user }) => nameOf(user)));
  const out: Said[] = [];
  if (session.state === "reconnecting") out.push({ key: "reconnecting", icon: "retry", text: t.bannerReconnecting, bad: true });
  if (session.silenced) out.push({ key: "silenced", icon: "sound", text: t.bannerSilenced, bad: true, action: { label: t.hearThem, run: () => void session.startSound() } });
  for (const source of ["microphone", "camera", "screen"] as const) {
    const trouble = useTrouble(session, source);
    if (trouble) out.push(trouble);
  }
  // In the sight of everybody: who believes to be recorded, and is not, learns it too late.
  const secret = useRecording(session.call.id) ? parties.filter((party) => party.secret) : [];
  if (secret.length > 0) {
    const others = secret.filter(({ local }) => !local);
    out.push({ key: "secret", icon: "lock", text: others.length === secret.length ? recorded.secret(namesOf(others)) : others.length > 0 ? recorded.secretMore(namesOf(others)) : recorded.secretYou });
  }
  const unreadable = parties.filter((party) => party.unreadable);
  if (unreadable.length > 0) {
    const text = session.words === undefined ? t.bannerWordless(namesOf(unreadable)) : t.bannerUnreadable(namesOf(unreadable));
    out.push({ key: "unreadable", icon: "lock", text, bad: true, action: { label: t.enterWords, run: () => controls.open("words") } });
  }
  if (session.speaksMuted) out.push({ key: "speaks", icon: "microphoneOff", text: t.bannerSpeaksMuted, action: { label: t.unmute, run: () => void session.setMicrophone(true) } });
  const news: Readonly<Record<News, Omit<Said, "key" | "dismiss">>> = {
    mutedByHost: { icon: "microphoneOff", text: t.bannerMutedByHost, action: { label: t.unmute, run: () => void session.setMicrophone(true) } },
    cameraOffByHost: { icon: "videoOff", text: t.bannerCameraOffByHost },
    madeViewer: { icon: "eye", text: t.bannerMadeViewer },
    madeSpeaker: { icon: "microphone", text: t.bannerMadeSpeaker, action: { label: t.unmute, run: () => void session.setMicrophone(true) } },
    otherCamera: { icon: "video", text: t.bannerOtherCamera },
    otherMicrophone: { icon: "microphone", text: t.bannerOtherMicrophone },
    cameraGone: { icon: "videoOff", text: t.bannerCameraGone, action: { label: t.again, run: () => void session.setCamera(true) } },
    microphoneGone: { icon: "microphoneOff", text: t.bannerMicrophoneGone, action: { label: t.again, run: () => void session.setMicrophone(true) } },
    reconnected: { icon: "check", text: t.bannerReconnected },
  };
  for (const what of session.news) {
    const { action, ...said } = news[what];
    const done = action && {
      label: action.label,
      run: () => {
        session.dismiss(what);
        action.run();
      },
    };
    out.push({ key: what, ...said, ...(done ? { action: done } : {}), dismiss: () => session.dismiss(what) });
  }
  const me = parties.find(({ local }) => local);
  const paused = useHeld(parties.some((party) => party.paused), weakMs);
  const absent = absentOf(session, parties).map((user) => ({ user }));
  const cut = useHeld(absent.length > 0, weakMs);
  const weak = useHeld(me?.quality === "poor" || me?.quality === "lost", weakMs);
  if (session.state === "connected") {
    if (paused) out.push({ key: "weak", icon: "signal", text: t.bannerWeak });
    else if (weak) out.push({ key: "weak", icon: "signal", text: session.viewer ? t.bannerWeak : t.bannerWeakSending });
    const lost = [...parties.filter(({ local, quality }) => !local && quality === "lost"), ...(cut ? absent : [])];
    // Whom alone one waits for is said in the place of their picture.
    if (lost.length > 0 && parties.length > 1) out.push({ key: "lost", icon: "retry", text: t.bannerLost(namesOf(lost)) });
  }
  return out;
}

function useTrouble(session: CallSession, source: Source): Said | undefined {
  const t = useStrings(strings);
  const trouble = session.trouble(source);
  if (!trouble) return undefined;
  const of = { denied: "Denied", missing: "Missing", busy: "Busy", failed: "Failed" } as const;
  const text = source === "screen" ? t.screenFailed : t[`${source}${of[trouble]}`];
  const again = source === "microphone" ? () => void session.setMicrophone(true) : () => void session.setCamera(true);
  return { key: `${source} trouble`, icon: source === "microphone" ? "microphoneOff" : "videoOff", text, bad: true, ...(source === "screen" ? {} : { action: { label: t.again, run: again } }), dismiss: () => session.dismissTrouble(source) };
}

/** The banners. */
export function Banners({ session, parties, controls }: { session: CallSession; parties: readonly Party[]; controls: Pick<StageControls, "open"> }) {
  const t = useStrings(strings);
  const said = useSaid(session, parties, controls);
  const news = session.news.join(" ");
  useEffect(() => {
    const timers = session.news.flatMap((what) => {
      const ms = shown[what];
      return ms === undefined ? [] : [setTimeout(() => session.dismiss(what), ms)];
    });
    return () => timers.forEach(clearTimeout);
    // A timer a piece of news, whatever else changes meanwhile.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [session, news]);
  return (
    <div className="stage-banners" role="status" aria-live="polite">
      {said.slice(0, 2).map(({ key, icon, text, bad, action, dismiss }) => (
        <Banner key={key} icon={icon} text={text} bad={bad ?? false}>
          {action ? (
            <Button className="stage-banner-action" onClick={action.run}>
              {action.label}
            </Button>
          ) : null}
          {dismiss ? <IconButton icon="close" size={16} label={t.dismiss} onClick={dismiss} /> : null}
        </Banner>
      ))}
    </div>
  );
}

function Banner({ icon, text, bad, children }: { icon: IconName; text: string; bad: boolean; children: ReactNode }) {
  return (
    <div className="stage-banner" data-bad={bad}>
      <Icon name={icon} size={18} />
      <span className="stage-banner-text">{text}</span>
      {children}
    </div>
  );
}
