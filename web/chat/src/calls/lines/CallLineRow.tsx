// The line that a call leaves in its conversation, and from it the way back to
// whoever was missed.
import type { Message } from "@skein/client";
import { callLine, type CallLine } from "@skein/client/calls";
import { lazy, Suspense, useState } from "react";
import { callText } from "../../format/describe.ts";
import { clock } from "../../format/time.ts";
import { useSpeech } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNames } from "../../people/names.tsx";
import { Icon, type IconName } from "../../ui/Icon.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import { useCalls } from "../CallsContext.tsx";
import { strings as recordingStrings } from "../recordings/strings.ts";
import { strings } from "./strings.ts";
import { useMayCall } from "./useCallOf.ts";
import type { Conversation } from "@skein/client";

const RecordingDialog = lazy(() => import("../recordings/RecordingDialog.tsx").then(({ RecordingDialog }) => ({ default: RecordingDialog })));

/** What a message says of a call, undefined when it is no such line. */
export function lineOf(message: Message): CallLine | undefined {
  return message.kind === "content" ? callLine(message) : undefined;
}

/** The sign of a line: of one that came to nothing, or by who has called. */
export function signOf({ kind, video }: CallLine, mine: boolean): IconName {
  if (kind === "recording" || kind === "recorded") return "record";
  if (kind === "missed" || kind === "declined") return mine ? "callOut" : "callMissed";
  if (video) return "video";
  return kind === "started" ? "call" : mine ? "callOut" : "callIn";
}

/** Draws it. */
export function CallLineRow({ message, line, conversation }: { message: Message; line: CallLine; conversation: Conversation }) {
  const { t, tag } = useSpeech();
  const s = useStrings(strings);
  const r = useStrings(recordingStrings);
  const [playing, setPlaying] = useState(false);
  const client = useClient();
  const nameOf = useNames();
  const { show } = useToasts();
  const calls = useCalls();
  const mine = line.starter === client.userId;
  const { shown, obstacle } = useMayCall(conversation, conversation.snapshot);
  // In a group a ring for everybody is not begun from a line of long ago.
  const back = shown && conversation.kind === "direct" && (line.kind === "missed" || line.kind === "declined");
  const missed = line.kind === "missed" && !mine;
  return (
    <div className="event-line">
      <span className={`call-line ${missed ? "call-line-missed" : ""}`}>
        <Icon name={signOf(line, mine)} size={16} />
        {callText(line, mine, t, nameOf)}
        <time dateTime={new Date(message.time).toISOString()}>{clock(message.time, tag)}</time>
        {line.kind === "recorded" ? (
          <button type="button" className="event-action" onClick={() => setPlaying(true)}>
            {r.open}
          </button>
        ) : null}
        {back ? (
          <button type="button" className="event-action" onClick={() => (obstacle === undefined ? void calls?.start(conversation, { video: line.video }) : show({ text: obstacle }))}>
            {mine ? s.callAgain : s.callBack}
          </button>
        ) : null}
      </span>
      {playing ? (
        <Suspense>
          <RecordingDialog call={line.call} recording={line.recording} onClose={() => setPlaying(false)} />
        </Suspense>
      ) : null}
    </div>
  );
}
