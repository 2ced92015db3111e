// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";

export interface Announcement extends Rest {
  id: string;
  title: string;
  text: string;
  pinned: boolean;
  creator: string;
  createdUs: number;
  editor: string;
  updatedUs: number;
  removed: boolean;
}

export interface AttributeVersion extends Rest {
  version: number;
}

export interface CounterBound extends Rest {
  value: number;
}

export interface CreateAnnouncementRequest extends Rest {
  conversation: string;
  title: string;
  text: string;
  pinned: boolean;
  clientId: Uint8Array;
}

export interface CreateAnnouncementResponse extends Rest {
  announcement?: Announcement | undefined;
}

export interface DeleteAnnouncementRequest extends Rest {
  conversation: string;
  id: string;
  clientId: Uint8Array;
}

export interface DeleteAnnouncementResponse extends Rest {
}

export interface GroupAttribute extends Rest {
  name: string;
  value: string;
  version: number;
  editor: string;
  updatedUs: number;
  removed: boolean;
}

export interface GroupCounter extends Rest {
  name: string;
  value: number;
  delta: number;
  editor: string;
  updatedUs: number;
  removed: boolean;
}

export interface IncrementCounterRequest extends Rest {
  conversation: string;
  name: string;
  delta: number;
  min?: CounterBound | undefined;
  max?: CounterBound | undefined;
  clientId: Uint8Array;
}

export interface IncrementCounterResponse extends Rest {
  value: number;
}

export interface ListAnnouncementsRequest extends Rest {
  conversation: string;
}

export interface ListAnnouncementsResponse extends Rest {
  announcements: readonly Announcement[];
}

export interface ListCountersRequest extends Rest {
  conversation: string;
}

export interface ListCountersResponse extends Rest {
  counters: readonly GroupCounter[];
}

export interface ListGroupAttributesRequest extends Rest {
  conversation: string;
}

export interface ListGroupAttributesResponse extends Rest {
  attributes: readonly GroupAttribute[];
}

export interface RemoveCounterRequest extends Rest {
  conversation: string;
  name: string;
  clientId: Uint8Array;
}

export interface RemoveCounterResponse extends Rest {
}

export interface RemoveGroupAttributeRequest extends Rest {
  conversation: string;
  name: string;
  version?: AttributeVersion | undefined;
  clientId: Uint8Array;
}

export interface RemoveGroupAttributeResponse extends Rest {
}

export interface SetGroupAttributeRequest extends Rest {
  conversation: string;
  name: string;
  value: string;
  version?: AttributeVersion | undefined;
  clientId: Uint8Array;
}

export interface SetGroupAttributeResponse extends Rest {
  attribute?: GroupAttribute | undefined;
}

export interface UpdateAnnouncementRequest extends Rest {
  conversation: string;
  id: string;
  title: string;
  text: string;
  pinned: boolean;
  clientId: Uint8Array;
}

export interface UpdateAnnouncementResponse extends Rest {
  announcement?: Announcement | undefined;
}

/** Fields of Content that the core leaves to modules. */
export interface ContentFields extends Rest {
  announcement?: Announcement | undefined;
  attribute?: GroupAttribute | undefined;
  counter?: GroupCounter | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    Announcement: "1sid 2stitle 3stext 4opinned 5screator 6icreatedUs 7seditor 8iupdatedUs 9oremoved",
    AttributeVersion: "1lversion",
    CounterBound: "1ivalue",
    CreateAnnouncementRequest: "1sconversation 2stitle 3stext 4opinned 5bclientId",
    CreateAnnouncementResponse: "1mannouncement:Announcement",
    DeleteAnnouncementRequest: "1sconversation 2sid 3bclientId",
    DeleteAnnouncementResponse: "",
    GroupAttribute: "1sname 2svalue 3lversion 4seditor 5iupdatedUs 6oremoved",
    GroupCounter: "1sname 2ivalue 3idelta 4seditor 5iupdatedUs 6oremoved",
    IncrementCounterRequest: "1sconversation 2sname 3idelta 4mmin:CounterBound 5mmax:CounterBound 6bclientId",
    IncrementCounterResponse: "1ivalue",
    ListAnnouncementsRequest: "1sconversation",
    ListAnnouncementsResponse: "1Mannouncements:Announcement",
    ListCountersRequest: "1sconversation",
    ListCountersResponse: "1Mcounters:GroupCounter",
    ListGroupAttributesRequest: "1sconversation",
    ListGroupAttributesResponse: "1Mattributes:GroupAttribute",
    RemoveCounterRequest: "1sconversation 2sname 3bclientId",
    RemoveCounterResponse: "",
    RemoveGroupAttributeRequest: "1sconversation 2sname 3mversion:AttributeVersion 4bclientId",
    RemoveGroupAttributeResponse: "",
    SetGroupAttributeRequest: "1sconversation 2sname 3svalue 4mversion:AttributeVersion 5bclientId",
    SetGroupAttributeResponse: "1mattribute:GroupAttribute",
    UpdateAnnouncementRequest: "1sconversation 2sid 3stitle 4stext 5opinned 6bclientId",
    UpdateAnnouncementResponse: "1mannouncement:Announcement",
    ContentFields: "31mannouncement:Announcement 32mattribute:GroupAttribute 33mcounter:GroupCounter",
  },
  core,
);

export const contentFields: Piece<ContentFields> = /* @__PURE__ */ piece(schema, "ContentFields");

/** The module's unary calls. */
export const calls = {
  CreateAnnouncement: /* @__PURE__ */ callOf<CreateAnnouncementRequest, CreateAnnouncementResponse>(schema, "BoardService/CreateAnnouncement"),
  UpdateAnnouncement: /* @__PURE__ */ callOf<UpdateAnnouncementRequest, UpdateAnnouncementResponse>(schema, "BoardService/UpdateAnnouncement"),
  DeleteAnnouncement: /* @__PURE__ */ callOf<DeleteAnnouncementRequest, DeleteAnnouncementResponse>(schema, "BoardService/DeleteAnnouncement"),
  ListAnnouncements: /* @__PURE__ */ callOf<ListAnnouncementsRequest, ListAnnouncementsResponse>(schema, "BoardService/ListAnnouncements"),
  SetGroupAttribute: /* @__PURE__ */ callOf<SetGroupAttributeRequest, SetGroupAttributeResponse>(schema, "BoardService/SetGroupAttribute"),
  RemoveGroupAttribute: /* @__PURE__ */ callOf<RemoveGroupAttributeRequest, RemoveGroupAttributeResponse>(schema, "BoardService/RemoveGroupAttribute"),
  ListGroupAttributes: /* @__PURE__ */ callOf<ListGroupAttributesRequest, ListGroupAttributesResponse>(schema, "BoardService/ListGroupAttributes"),
  IncrementCounter: /* @__PURE__ */ callOf<IncrementCounterRequest, IncrementCounterResponse>(schema, "BoardService/IncrementCounter"),
  RemoveCounter: /* @__PURE__ */ callOf<RemoveCounterRequest, RemoveCounterResponse>(schema, "BoardService/RemoveCounter"),
  ListCounters: /* @__PURE__ */ callOf<ListCountersRequest, ListCountersResponse>(schema, "BoardService/ListCounters"),
} as const;
