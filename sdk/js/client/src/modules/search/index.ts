import { defineModule } from "../../modules.js";
import type { CallOptions } from "../../types/client.js";
import type { Module } from "../../types/module.js";
import { calls, searchKindNames } from "./wire.js";

/**
 * What a message is, as far as one searches for it. "attachment" is a message with files of any kind; "media" one with a
 * picture or a film among them, "voice" with something spoken or another sound, "file" with any other file.
 */
export type SearchKind = "text" | "attachment" | "link" | "location" | "card" | "poll" | "other" | "media" | "file" | "voice";

export interface MessageQuery extends CallOptions {
  /**
   * Every word of it has to be in a message; the last may be the beginning of one. At most 256 bytes and 16 words.
   * Left out: all that the filters let through.
   */
  readonly text?: string | undefined;
  /** Only in this conversation, by its id. */
  readonly conversation?: string | undefined;
  /** Only by this user. */
  readonly sender?: string | undefined;
  readonly kind?: SearchKind | undefined;
  /** Only messages from this time on, milliseconds since 1970. */
  readonly after?: number | undefined;
  /** Only messages before this time. */
  readonly before?: number | undefined;
  /** 1 to 50; default 20. */
  readonly limit?: number | undefined;
  /** `nextPage` of the answer before, to the same query. */
  readonly page?: string | undefined;
}

export interface FoundMessage {
  /** The conversation's id; `client.conversation.get` opens it. */
  readonly conversation: string;
  readonly seq: number;
  /** The root of the thread or topic that it is a reply in; undefined for what stands in the conversation itself. */
  readonly threadSeq: number | undefined;
  readonly sender: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** What it says around the first hit, in pieces. */
  readonly excerpt: readonly { readonly text: string; readonly hit: boolean }[];
  /** The whole text, of a message that is one. */
  readonly text: string | undefined;
  /** What it holds beside a text, for the module whose kind it is: `readContent` of `@skein/client/messages` reads files. */
  readonly fields: Uint8Array | undefined;
}

export interface FoundMessages {
  /** Newest first. */
  readonly messages: readonly FoundMessage[];
  /** undefined = there is no more. */
  readonly nextPage: string | undefined;
}

/** Search on the server: in everything that the user may read now, not only what this device holds (`client.search`). */
export interface ServerSearch {
  /** A message is found some moments after it was stored, with its newest text. */
  searchMessages(query: MessageQuery): Promise<FoundMessages>;
}

/** `createClient({ modules: { serverSearch: serverSearch() } })` */
export const serverSearch = (): Module<ServerSearch> =>
  defineModule((host) => ({
    async searchMessages({ text, conversation, sender, kind, after, before, limit, page, signal }) {
      const { hits, nextPage } = await host.call(
        calls.SearchMessages,
        {
          query: text,
          conversation,
          sender,
          kind: kind && searchKindNames.indexOf(kind),
          afterUs: after && after * 1000,
          beforeUs: before && before * 1000,
          limit,
          page,
        },
        { signal },
      );
      return {
        messages: hits.map(({ entry, excerpt }) => ({
          conversation: entry?.conversation ?? "",
          seq: entry?.seq ?? 0,
          threadSeq: entry?.targetSeq || undefined,
          sender: entry?.sender ?? "",
          time: Math.floor((entry?.timeUs ?? 0) / 1000),
          excerpt: excerpt.map((piece) => ({ text: piece.text, hit: piece.hit })),
          text: entry?.body?.content?.text?.text,
          fields: entry?.body?.content?.rest,
        })),
        nextPage: nextPage || undefined,
      };
    },
  }));
