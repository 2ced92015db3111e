// Local search: over the text of the messages that this device holds, newest first. Every word has to be there,
// in any case and width of letters.
import { abortable, abortedError } from "../../abort.js";
import type { Ledger } from "../../ledger.js";
import { kinds } from "../../reduce/state.js";
import type { MessageRecord } from "../../types/store.js";

const pageSize = 500;

function fold(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}

function textOf(record: MessageRecord): string {
  const content = record.kind === kinds.message ? record.body?.content : undefined;
  return content?.text?.text ?? content?.custom?.summary ?? "";
}

/** Searches conversations one after the other and gives the newest hits of all. */
export async function searchMessages(
  ledger: Ledger,
  conversations: readonly string[],
  text: string,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<readonly MessageRecord[]> {
  const words = fold(text).split(/\s+/u).filter(Boolean);
  if (!words.length) return [];
  const hits: MessageRecord[] = [];
  for (const conversation of conversations) {
    let from = ledger.conversation(conversation)?.head.seq ?? 0;
    let found = 0;
    while (from >= 1 && found < limit) {
      if (signal?.aborted) throw abortedError(signal);
      const query = { conversation, from, until: 1, limit: pageSize };
      const page = await abortable(ledger.scan(query), signal);
      for (const record of [...page].reverse()) {
        const folded = fold(textOf(record));
        if (found >= limit || !words.every((word) => folded.includes(word))) continue;
        hits.push(record);
        found++;
      }
      from = page.length < pageSize ? 0 : (page[0]?.seq ?? 1) - 1;
    }
  }
  return hits.sort((a, b) => b.time - a.time).slice(0, limit);
}
