// A voice message, or a file of sound, in a message.
import type { Message } from "@skein/client";
import { useMemo, type ReactNode } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import type { AppClient } from "../../live/client.ts";
import { useFileOwner } from "../FileOwner.ts";
import { shownName } from "../kinds.ts";
import type { Attachment } from "../sdk.ts";
import { strings as fileStrings } from "../strings.ts";
import { useSource } from "../useSource.ts";
import type { Track } from "./player.ts";
import { VoiceBar } from "./VoiceBar.tsx";

interface VoiceMessageProps {
  readonly file: Attachment;
  readonly index: number;
  readonly sign?: ReactNode;
  readonly line?: ReactNode;
}

function trackId(message: Pick<Message, "conversation" | "id">, index: number): string {
  return `${message.conversation} ${message.id} ${index}`;
}

/** The voice message after one, among the messages that are loaded: it plays on. */
export function nextVoice(client: AppClient, conversation: string, seq: number): Track | undefined {
  for (const message of client.conversation.get(conversation).messages) {
    if (message.seq === undefined || message.seq <= seq || message.recalled || message.content?.type !== "attachments") continue;
    const index = message.content.items.findIndex(({ voice }) => voice);
    const file = message.content.items[index];
    const src = file && client.files.url({ conversation, seq: message.seq, file: file.file });
    const { seq: at } = message;
    if (file && src !== undefined) return { id: trackId(message, index), src, duration: file.duration, next: () => nextVoice(client, conversation, at) };
  }
  return undefined;
}

/** Draws it. */
export function VoiceMessage({ file, index, sign, line }: VoiceMessageProps) {
  const s = useStrings(fileStrings);
  const client = useClient();
  const owner = useFileOwner();
  const { src } = useSource(file.file, index);
  const { conversation, seq, id } = owner;
  const track = useMemo<Track | undefined>(
    () =>
      src === undefined
        ? undefined
        : { id: trackId({ conversation, id }, index), src, duration: file.duration, next: file.voice && seq !== undefined ? () => nextVoice(client, conversation, seq) : undefined },
    [client, src, conversation, seq, id, index, file],
  );
  return <VoiceBar track={track} waveform={file.waveform} duration={file.duration} label={file.voice ? s.voice : s.sound} sign={sign} line={line} {...(file.voice ? {} : { name: shownName(file.name) })} />;
}
