// All pictures and films of a conversation around one: those of the loaded
// messages at once, and those that the server finds as one goes on.
import { useEffect, useMemo, useState } from "react";
import { useClient, useConversation } from "../../live/context.tsx";
import { useFound } from "../mediatab/useFound.ts";
import { inAlbum } from "../kinds.ts";
import { itemKey, itemsOfFound, itemsOfMessages, merged, type GalleryItem } from "./items.ts";

/** The row, and where one is in it. */
export interface Row {
  readonly items: readonly GalleryItem[];
  readonly at: number;
  /** There are older ones that are not known yet. */
  readonly more: boolean;
  readonly go: (by: number) => void;
}

/** When fewer than this are left on the older side, the next page is asked for. */
const ahead = 5;

/** The row around an item. */
export function useItems(start: GalleryItem): Row {
  const client = useClient();
  const conversation = client.conversation.get(start.owner.conversation);
  const { messages } = useConversation(conversation);
  // Until the message is stored, it is seen alone.
  const stored = start.owner.seq !== undefined;
  const found = useFound(start.owner.conversation, stored ? "media" : undefined);
  const [current, setCurrent] = useState(start);
  const items = useMemo(() => {
    const loaded = itemsOfMessages(messages);
    const fromServer = itemsOfFound(found.messages).filter(({ file }) => inAlbum(file) && file.url === "");
    // What is loaded may lie far back: it joins the newest ones only when nothing is missing between them.
    const oldest = found.messages.at(-1)?.seq ?? Infinity;
    const joined = found.state === "end" || loaded.length === 0 || (loaded.at(-1)?.owner.seq ?? 0) >= oldest;
    const all = joined ? merged(loaded, fromServer) : loaded;
    return all.some((item) => itemKey(item) === itemKey(start) || (item.owner.id === start.owner.id && item.index === start.index)) ? all : merged([start], all);
  }, [messages, found, start]);
  // What is stored while one looks at it has a place of its own from then on.
  const same = (item: GalleryItem) => itemKey(item) === itemKey(current) || (item.owner.id === current.owner.id && item.index === current.index);
  const at = Math.max(0, items.findIndex(same));
  const oldest = found.messages.at(-1)?.seq ?? Infinity;
  const wanted = found.state === "more" && (at < ahead || (current.owner.seq ?? Infinity) <= oldest);
  const { more } = found;
  useEffect(() => {
    if (wanted) more();
  }, [wanted, more, found.messages]);
  return {
    items,
    at,
    more: found.state === "more" || found.state === "loading",
    go: (by) => {
      const next = items[at + by];
      if (next) setCurrent(next);
    },
  };
}
