// Records a voice message where messages are written. Hold the button and let
// go to send; slide aside to give up, up to go on with free hands; or press
// once, and listen to it before it goes.
import { lazy, Suspense, useEffect, useRef, useState, type PointerEvent } from "react";
import { useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { longestMs, problemOf, recordable, Recorder, type Recording, type RecordProblem } from "./recorder.ts";
import { strings } from "./strings.ts";
import "./voice.css";

const RecorderBar = lazy(() => import("./RecorderBar.tsx").then(({ RecorderBar }) => ({ default: RecorderBar })));

interface VoiceButtonProps {
  /** It records, or what was recorded is there to be heard: the composer makes room. */
  readonly onActive: (active: boolean) => void;
  readonly onSend: (recording: Recording) => void;
}

type Phase = { readonly at: "idle" | "asking" } | { readonly at: "recording"; readonly recorder: Recorder; readonly held: boolean } | { readonly at: "preview"; readonly recording: Recording };

/** Held shorter than this it is a press, and nobody has said anything yet. */
const pressMs = 600;
const cancelPx = 90;
const lockPx = 70;

/** The button with the bar beside it. */
export function VoiceButton({ onActive, onSend }: VoiceButtonProps) {
  const t = useWords();
  const s = useStrings(strings);
  const [phase, setPhase] = useState<Phase>({ at: "idle" });
  const [slid, setSlid] = useState(0);
  const [problem, setProblem] = useState<RecordProblem>();
  const press = useRef({ x: 0, y: 0, down: false });
  const live = useRef<Recorder>(undefined);
  const active = phase.at === "recording" || phase.at === "preview";

  const tell = useRef(onActive);
  tell.current = onActive;
  useEffect(() => tell.current(active), [active]);
  const gone = useRef(false);
  useEffect(() => {
    gone.current = false;
    return () => {
      gone.current = true;
      live.current?.discard();
      tell.current(false);
    };
  }, []);

  const end = () => {
    live.current = undefined;
    setSlid(0);
    setPhase({ at: "idle" });
  };
  // A dialog that opens below a finger would be closed by the press that opened it.
  const later = useRef<RecordProblem>(undefined);
  const explain = (what: RecordProblem) => {
    if (press.current.down) later.current = what;
    else setProblem(what);
  };
  const begin = async () => {
    const missing = recordable();
    if (missing) {
      explain(missing);
      return;
    }
    setPhase({ at: "asking" });
    try {
      const recorder = await Recorder.start();
      // Who went on elsewhere while the browser asked is not listened to.
      if (gone.current) {
        recorder.discard();
        return;
      }
      live.current = recorder;
      // Who let go while the browser asked goes on with free hands.
      setPhase({ at: "recording", recorder, held: press.current.down });
    } catch (error) {
      end();
      explain(problemOf(error));
    }
  };
  const discard = () => {
    live.current?.discard();
    end();
  };
  const finish = async (what: "send" | "preview") => {
    const recorder = live.current;
    if (!recorder) return;
    live.current = undefined;
    const recording = await recorder.stop();
    if (what === "preview") setPhase({ at: "preview", recording });
    else {
      end();
      onSend(recording);
    }
  };

  // It does not go on for ever in a page that was forgotten.
  const recorder = phase.at === "recording" ? phase.recorder : undefined;
  const stop = useRef(finish);
  stop.current = finish;
  useEffect(() => {
    if (!recorder) return;
    const timer = setTimeout(() => void stop.current("preview"), longestMs);
    return () => clearTimeout(timer);
  }, [recorder]);

  const onDown = (event: PointerEvent<HTMLButtonElement>) => {
    if (event.button !== 0 || phase.at !== "idle") return;
    // The keyboard of a phone stays as it is, and the button keeps the pointer.
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    press.current = { x: event.clientX, y: event.clientY, down: true };
    void begin();
  };
  const held = phase.at === "recording" && phase.held;
  const onMove = (event: PointerEvent) => {
    if (!held || !press.current.down) return;
    const aside = Math.max(0, press.current.x - event.clientX);
    setSlid(aside);
    if (press.current.y - event.clientY > lockPx && aside < cancelPx) {
      press.current.down = false;
      setSlid(0);
      setPhase({ ...phase, held: false });
    }
  };
  const onUp = (event: PointerEvent) => {
    if (!press.current.down) return;
    press.current.down = false;
    if (!held || phase.at !== "recording") return;
    if (event.type === "pointercancel" || slid > cancelPx) discard();
    else if (phase.recorder.elapsed() < pressMs) setPhase({ ...phase, held: false });
    else void finish("send");
  };

  return (
    <>
      {phase.at === "recording" || phase.at === "preview" ? (
        <Suspense>
          <RecorderBar
            {...(phase.at === "recording" ? { recorder: phase.recorder, held: phase.held } : { recording: phase.recording })}
            slid={slid}
            cancelling={slid > cancelPx}
            onDiscard={discard}
            onStop={() => void finish("preview")}
            onSend={() => {
              if (phase.at === "preview") {
                end();
                onSend(phase.recording);
              } else void finish("send");
            }}
          />
        </Suspense>
      ) : null}
      {phase.at === "preview" || (phase.at === "recording" && !phase.held) ? null : (
        <IconButton
          icon="microphone"
          size={24}
          className="voice-hold"
          label={s.record}
          aria-busy={phase.at === "asking" || undefined}
          data-held={held}
          onPointerDown={onDown}
          onPointerMove={onMove}
          onPointerUp={onUp}
          onPointerCancel={onUp}
          onContextMenu={(event) => event.preventDefault()}
          onClick={(event) => {
            if (later.current) setProblem(later.current);
            later.current = undefined;
            // By the keyboard: there is nothing to hold.
            if (event.detail === 0 && phase.at === "idle") {
              press.current.down = false;
              void begin();
            }
          }}
        />
      )}
      {problem ? (
        <Dialog title={problem === "denied" ? s.denied : s.record} question onClose={() => setProblem(undefined)} actions={<Button kind="primary" autoFocus onClick={() => setProblem(undefined)}>{t.close}</Button>}>
          <p className="dialog-text">{{ denied: s.deniedText, noMicrophone: s.noMicrophone, busyMicrophone: s.busyMicrophone, unsupported: s.unsupported, insecure: s.insecure }[problem]}</p>
        </Dialog>
      ) : null}
    </>
  );
}
