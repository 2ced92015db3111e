// The message that another one answers, in short.
import type { Conversation, Message } from "@skein/client";
import { useEffect, useMemo, useState } from "react";
import { FileOwner } from "../files/FileOwner.ts";
import { ownerOf } from "../files/gallery/items.ts";
import { inAlbum, kindOf } from "../files/kinds.ts";
import { Picture } from "../files/Picture.tsx";
import { previewText } from "../format/describe.ts";
import { hue } from "../format/names.ts";
import { useWords } from "../i18n/context.tsx";
import { useMessageActions } from "./actions.ts";
import { indexOfSeq } from "./grouping.ts";
import { useNames } from "../people/names.tsx";

/** Quoted messages that are not in the loaded window, read once. */
const read = new WeakMap<Conversation, Map<number, Message | undefined>>();

/** The message at a seq: from the window, else from the store or the server. Undefined while or when it is not known. */
function useQuoted(conversation: Conversation, seq: number): Message | undefined {
  const messages = conversation.messages;
  const index = indexOfSeq(messages, seq);
  const { known } = useMessageActions();
  const loaded = index >= 0 ? messages[index] : known?.(seq);
  const [fetched, setFetched] = useState(() => read.get(conversation)?.get(seq));

  useEffect(() => {
    if (loaded || fetched) return;
    const abort = new AbortController();
    const load = async () => {
      for await (const page of conversation.history({ before: seq + 1, limit: 1, signal: abort.signal })) {
        const found = page.find((message) => message.seq === seq);
        const kept = read.get(conversation) ?? new Map<number, Message | undefined>();
        kept.set(seq, found);
        read.set(conversation, kept);
        setFetched(found);
        return;
      }
    };
    // A quote that cannot be read is drawn as one that is not loaded.
    load().catch(() => undefined);
    return () => abort.abort();
  }, [conversation, seq, loaded, fetched]);

  return loaded ?? fetched;
}

interface QuoteProps {
  readonly conversation: Conversation;
  readonly seq: number;
}

/** A button that shows the quoted message and leads to it. */
export function Quote({ conversation, seq }: QuoteProps) {
  const t = useWords();
  const { jump } = useMessageActions();
  const quoted = useQuoted(conversation, seq);
  return (
    <button type="button" className={`quote hue-${quoted ? hue(quoted.sender) : 5}`} tabIndex={-1} title={t.goToMessage} onClick={() => jump(seq)}>
      {quoted ? <QuoteThumb quoted={quoted} /> : null}
      <QuoteBody quoted={quoted} />
    </button>
  );
}

/** The first picture of a quoted message. */
function QuoteThumb({ quoted }: { quoted: Message }) {
  const owner = useMemo(() => ownerOf(quoted), [quoted]);
  const { content, recalled } = quoted;
  const items = !recalled && content?.type === "attachments" ? content.items : [];
  const index = items.findIndex((file) => inAlbum(file) && file.url === "");
  const file = items[index];
  if (!file) return null;
  return (
    <FileOwner value={owner}>
      <span className="quote-thumb">
        <Picture file={file} index={index} longer={40} poster={kindOf(file) === "film"} />
      </span>
    </FileOwner>
  );
}

/** Name and first line of a quoted message. */
export function QuoteBody({ quoted }: { quoted: Message | undefined }) {
  const t = useWords();
  const nameOf = useNames();
  return (
    <>
      <span className="quote-name">{quoted ? (quoted.mine ? t.you : nameOf(quoted.sender)) : "…"}</span>
      <span className="quote-text" dir="auto">
        {quoted ? previewText(quoted, t).slice(0, 200) : t.quoteGone}
      </span>
    </>
  );
}
