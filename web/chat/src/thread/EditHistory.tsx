// Every body that an edited message has had.
import type { Conversation, Message, Revision } from "@skein/client";
import { useEffect, useState } from "react";
import { writtenIn } from "../format/describe.ts";
import { exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useClient } from "../live/context.tsx";
import { Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { describeError } from "../ui/Toasts.tsx";
import { MessageText } from "./MessageText.tsx";

interface EditHistoryProps {
  readonly conversation: Conversation;
  readonly message: Message;
  readonly onClose: () => void;
}

/** A dialog with the versions, the newest first. */
export function EditHistory({ conversation, message, onClose }: EditHistoryProps) {
  const { t, tag } = useSpeech();
  const client = useClient();
  const [revisions, setRevisions] = useState<readonly Revision[]>();
  const [failed, setFailed] = useState("");

  useEffect(() => {
    const abort = new AbortController();
    conversation.edits(message, { signal: abort.signal }).then(setRevisions, (error: unknown) => {
      if (!abort.signal.aborted) setFailed(describeError(error, t).text);
    });
    return () => abort.abort();
  }, [conversation, message, t]);

  return (
    <Dialog title={t.editHistory} onClose={onClose}>
      {failed !== "" ? <p className="field-error" role="alert">{failed}</p> : null}
      {!revisions && failed === "" ? <Spinner /> : null}
      <ol className="revisions">
        {[...(revisions ?? [])].reverse().map((revision, i, all) => (
          <li key={revision.editSeq ?? 0}>
            <span className="hint">
              {i === 0 ? t.editHistoryNow : i === all.length - 1 ? t.editHistoryOriginal : null}
              <time dateTime={new Date(revision.time).toISOString()}> {exact(revision.time, tag)}</time>
            </span>
            <div className="revision-text" dir="auto">
              <MessageText text={revision.custom?.summary ?? writtenIn(revision)} mentions={[]} query="" me={client.userId} />
            </div>
          </li>
        ))}
      </ol>
    </Dialog>
  );
}
