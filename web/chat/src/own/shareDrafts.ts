// The drafts of this browser and of the user's other devices, kept the same.
import type { ConversationsModule } from "@skein/client/conversations";
import type { Drafts } from "../composer/drafts.ts";

/** Tells the other devices what is typed here, and takes what is typed there. Returns the way to stop. */
export function shareDrafts(own: Pick<ConversationsModule, "drafts" | "onDraft" | "setDraft">, drafts: Drafts): () => void {
  for (const [conversation, draft] of own.drafts) drafts.take(conversation, draft);
  const offs = [
    own.onDraft((conversation, draft) => drafts.take(conversation, draft)),
    drafts.subscribe((conversation, from) => {
      // What the server refuses, such as a draft of a conversation that the user has left, is kept here all the same.
      if (from === "here") own.setDraft(conversation, drafts.get(conversation)).catch(() => undefined);
    }),
  ];
  return () => offs.forEach((off) => off());
}
