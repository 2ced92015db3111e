// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { callOf } from "../../wire/piece.js";
import type { Entry, Error, SendMessageRequest } from "../../wire/schema.js";

export interface CancelScheduledRequest extends Rest {
  id: Uint8Array;
}

export interface CancelScheduledResponse extends Rest {
}

export interface ListScheduledRequest extends Rest {
  conversation: string;
}

export interface ListScheduledResponse extends Rest {
  scheduled: readonly Scheduled[];
}

export interface ScheduleMessageRequest extends Rest {
  message?: SendMessageRequest | undefined;
  sendAtUs: number;
  clientId: Uint8Array;
}

export interface ScheduleMessageResponse extends Rest {
  scheduled?: Scheduled | undefined;
}

export interface Scheduled extends Rest {
  id: Uint8Array;
  message?: SendMessageRequest | undefined;
  sendAtUs: number;
  state: number;
  error?: Error | undefined;
  version: number;
  createdUs: number;
}

export interface SendScheduledNowRequest extends Rest {
  id: Uint8Array;
}

export interface SendScheduledNowResponse extends Rest {
  entry?: Entry | undefined;
}

export interface UpdateScheduledRequest extends Rest {
  id: Uint8Array;
  message?: SendMessageRequest | undefined;
  sendAtUs: number;
  version: number;
}

export interface UpdateScheduledResponse extends Rest {
  scheduled?: Scheduled | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    CancelScheduledRequest: "1bid",
    CancelScheduledResponse: "",
    ListScheduledRequest: "1sconversation",
    ListScheduledResponse: "1Mscheduled:Scheduled",
    ScheduleMessageRequest: "1mmessage:SendMessageRequest 2isendAtUs 3bclientId",
    ScheduleMessageResponse: "1mscheduled:Scheduled",
    Scheduled: "1bid 2mmessage:SendMessageRequest 3isendAtUs 4estate:ScheduledState 5merror:Error 6uversion 7icreatedUs",
    SendScheduledNowRequest: "1bid",
    SendScheduledNowResponse: "1mentry:Entry",
    UpdateScheduledRequest: "1bid 2mmessage:SendMessageRequest 3isendAtUs 4uversion",
    UpdateScheduledResponse: "1mscheduled:Scheduled",
  },
  core,
);


/** The module's unary calls. */
export const calls = {
  ScheduleMessage: /* @__PURE__ */ callOf<ScheduleMessageRequest, ScheduleMessageResponse>(schema, "TimedService/ScheduleMessage"),
  ListScheduled: /* @__PURE__ */ callOf<ListScheduledRequest, ListScheduledResponse>(schema, "TimedService/ListScheduled"),
  UpdateScheduled: /* @__PURE__ */ callOf<UpdateScheduledRequest, UpdateScheduledResponse>(schema, "TimedService/UpdateScheduled"),
  CancelScheduled: /* @__PURE__ */ callOf<CancelScheduledRequest, CancelScheduledResponse>(schema, "TimedService/CancelScheduled"),
  SendScheduledNow: /* @__PURE__ */ callOf<SendScheduledNowRequest, SendScheduledNowResponse>(schema, "TimedService/SendScheduledNow"),
} as const;

/** The values of ScheduledState by number. */
export const scheduledStateNames = ["unspecified","waiting","sending","sent","failed","cancelled"] as const;
