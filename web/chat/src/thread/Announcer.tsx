// Reads new messages of others to whoever cannot see them. The list itself is
// no live region: scrolling in it would be read out as news.
import type { Conversation } from "@skein/client";
import { useEffect, useState } from "react";
import { listPreview } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";

/** An invisible log of what came since the thread was opened, the last five messages. */
export function Announcer({ conversation, label }: { conversation: Conversation; label: string }) {
  const t = useWords();
  const client = useClient();
  const nameOf = useNames();
  const [lines, setLines] = useState<readonly { readonly key: string; readonly text: string }[]>([]);

  useEffect(
    () =>
      client.on("message", ({ conversation: where, message, missed }) => {
        if (where !== conversation || message.mine || missed) return;
        const text = listPreview(message, where.kind, client.userId, t, nameOf);
        const line = { key: message.key, text: where.kind === "direct" ? `${nameOf(message.sender)}: ${text}` : text };
        setLines((now) => [...now, line].slice(-5));
      }),
    [client, conversation, t, nameOf],
  );

  return (
    <div className="visually-hidden" role="log" aria-live="polite" aria-label={label}>
      {lines.map((line) => (
        <p key={line.key}>{line.text}</p>
      ))}
    </div>
  );
}
