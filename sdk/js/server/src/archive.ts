import { type Ask, type CallOptions, type Calls } from "./calls.js";
import { SkeinError } from "./error.js";
import { type Needs, toJson } from "./json.js";
import type { Entry, ExportMessagesResponse, ImportedMessage } from "./wire.js";

/** A message as another system had it. */
export type Imported = Needs<ImportedMessage, "sender" | "timeUs" | "clientId" | "body">;

/** Of a call's messages: how many at most, and how many bytes, below the server's bound of a request. */
const importMessages = 500;
const importBytes = 192 * 1024;

/** History, out and in. */
export interface Archive {
  /**
   * Every entry of a conversation behind a position, oldest first, as it is now; after 0, the default, it begins with
   * the first. To go on later, keep the last one's `seq`. `failed_precondition` when the store becomes another one on
   * the way, or ends before the position, as one restored from a backup can: begin again.
   */
  export(conversation: string, after?: number, options?: CallOptions): AsyncGenerator<Entry, void, undefined>;
  /** Returns one page of an export. */
  exportMessages(request: Ask<"ArchiveService/ExportMessages", "conversation">, options?: CallOptions): Promise<ExportMessagesResponse>;
  /**
   * Brings messages of another system into a conversation, in their order, as many a call as it takes, and returns
   * how many it has brought. It ends with the first error, of the messages or of a call. The import id is made once,
   * by `newId`, and kept: with it an import that broke off is begun again anywhere, and stores nothing twice.
   */
  import(conversation: string, importId: Uint8Array, messages: AsyncIterable<Imported> | Iterable<Imported>, options?: CallOptions): Promise<number>;
  /**
   * Brings one call's messages, at most 500, and returns where each of them is. All are checked before the first is
   * stored.
   */
  importMessages(request: Ask<"ArchiveService/ImportMessages", "conversation" | "importId" | "messages">, options?: CallOptions): Promise<readonly number[]>;
}

export const archive = ({ ask }: Calls): Archive => ({
  async *export(conversation, after = 0, options) {
    let incarnation = "";
    for (let afterSeq = after; ; ) {
      const page = await ask("ArchiveService/ExportMessages", { conversation, afterSeq }, options);
      if ((incarnation !== "" && page.incarnation !== incarnation) || afterSeq > page.headSeq) {
        throw new SkeinError("failed_precondition", "the store is another one than when the export began", { hint: "begin again" });
      }
      incarnation = page.incarnation;
      yield* page.entries;
      afterSeq = page.entries.at(-1)?.seq ?? page.headSeq;
      if (afterSeq >= page.headSeq) return;
    }
  },
  exportMessages: (request, options) => ask("ArchiveService/ExportMessages", request, options),
  async import(conversation, importId, messages, options) {
    let brought = 0;
    let batch: Imported[] = [];
    let size = 0;
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return;
      brought += (await ask("ArchiveService/ImportMessages", { conversation, importId, messages: batch }, options)).seqs.length;
      batch = [];
      size = 0;
    };
    for await (const message of messages) {
      const bytes = Buffer.byteLength(JSON.stringify(toJson("ImportedMessage", message)));
      if (batch.length === importMessages || size + bytes > importBytes) await flush();
      batch.push(message);
      size += bytes;
    }
    await flush();
    return brought;
  },
  importMessages: async (request, options) => (await ask("ArchiveService/ImportMessages", request, options)).seqs,
});
