// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { callOf } from "../../wire/piece.js";

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

const schema = /* @__PURE__ */ schemaOf(
  {
    ListReceiptsRequest: "1sconversation 2lseq 3estate:ReceiptState 4ulimit 5spage",
    ListReceiptsResponse: "1Mreceipts:Receipt 2snextPage",
    Receipt: "1suser 2estate:ReceiptState",
  },
  core,
);


/** The module's unary calls. */
export const calls = {
  ListReceipts: /* @__PURE__ */ callOf<ListReceiptsRequest, ListReceiptsResponse>(schema, "ReceiptService/ListReceipts"),
} as const;

/** The values of ReceiptState by number. */
export const receiptStateNames = ["unspecified","none","delivered","read"] as const;
