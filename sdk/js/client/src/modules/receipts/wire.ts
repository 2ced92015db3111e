// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";

export interface Delivered extends Rest {
  conversation: string;
  user: string;
  seq: number;
}

export interface ListReceiptsRequest extends Rest {
  conversation: string;
  seq: number;
  state: number;
  limit: number;
  page: string;
}

export interface ListReceiptsResponse extends Rest {
  receipts: readonly Receipt[];
  nextPage: string;
}

export interface Receipt extends Rest {
  user: string;
  state: number;
}

/** Fields of ServerFrame that the core leaves to modules. */
export interface ServerFrameFields extends Rest {
  delivered?: Delivered | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    Delivered: "1sconversation 2suser 3lseq",
    ListReceiptsRequest: "1sconversation 2lseq 3estate:ReceiptState 4ulimit 5spage",
    ListReceiptsResponse: "1Mreceipts:Receipt 2snextPage",
    Receipt: "1suser 2estate:ReceiptState",
    ServerFrameFields: "18mdelivered:Delivered",
  },
  core,
);

export const serverFrameFields: Piece<ServerFrameFields> = /* @__PURE__ */ piece(schema, "ServerFrameFields");

/** The module's unary calls. */
export const calls = {
  ListReceipts: /* @__PURE__ */ callOf<ListReceiptsRequest, ListReceiptsResponse>(schema, "ReceiptService/ListReceipts"),
} as const;

/** The values of ReceiptState by number. */
export const receiptStateNames = ["unspecified","none","delivered","read"] as const;
