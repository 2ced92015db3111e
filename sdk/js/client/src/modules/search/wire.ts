// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { callOf } from "../../wire/piece.js";
import type { Entry } from "../../wire/schema.js";

export interface SearchHit extends Rest {
  entry?: Entry | undefined;
  excerpt: readonly SearchPiece[];
}

export interface SearchMessagesRequest extends Rest {
  query: string;
  conversation: string;
  sender: string;
  kind: number;
  afterUs: number;
  beforeUs: number;
  limit: number;
  page: string;
}

export interface SearchMessagesResponse extends Rest {
  hits: readonly SearchHit[];
  nextPage: string;
}

export interface SearchPiece extends Rest {
  text: string;
  hit: boolean;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    SearchHit: "1mentry:Entry 2Mexcerpt:SearchPiece",
    SearchMessagesRequest: "1squery 2sconversation 3ssender 4ekind:SearchKind 5iafterUs 6ibeforeUs 7ulimit 8spage",
    SearchMessagesResponse: "1Mhits:SearchHit 2snextPage",
    SearchPiece: "1stext 2ohit",
  },
  core,
);


/** The module's unary calls. */
export const calls = {
  SearchMessages: /* @__PURE__ */ callOf<SearchMessagesRequest, SearchMessagesResponse>(schema, "SearchService/SearchMessages"),
} as const;

/** The values of SearchKind by number. */
export const searchKindNames = ["unspecified","text","attachment","link","location","card","poll","other","media","file","voice"] as const;
