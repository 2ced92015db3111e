// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";
import type { Content, Entry } from "../../wire/schema.js";

export interface Attachment extends Rest {
  name: string;
  mime: string;
  size: number;
  url: string;
  width: number;
  height: number;
  durationMs: number;
  thumb: Uint8Array;
  sha256: Uint8Array;
  file: string;
  poster: string;
  waveform: Uint8Array;
  voice: boolean;
  animated: boolean;
}

export interface Attachments extends Rest {
  items: readonly Attachment[];
  caption: string;
}

export interface Command extends Rest {
  conversation: string;
  type: string;
  data: Uint8Array;
  toUsers: readonly string[];
  user: string;
}

export interface ContactCard extends Rest {
  user: string;
  name: string;
}

export interface ForwardMessagesRequest extends Rest {
  from: string;
  seqs: readonly number[];
  to: string;
  merged: boolean;
  title: string;
  comment: string;
  clientId: Uint8Array;
}

export interface ForwardMessagesResponse extends Rest {
  entries: readonly Entry[];
}

export interface Forwarded extends Rest {
  sender: string;
  timeUs: number;
}

export interface Location extends Rest {
  latitudeE7: number;
  longitudeE7: number;
  name: string;
  address: string;
}

export interface Merged extends Rest {
  title: string;
  items: readonly MergedItem[];
  count: number;
}

export interface MergedItem extends Rest {
  sender: string;
  timeUs: number;
  content?: Content | undefined;
}

export interface Notice extends Rest {
  code: string;
  text: string;
  params: readonly NoticeParam[];
}

export interface NoticeParam extends Rest {
  name: string;
  value: string;
}

export interface Sticker extends Rest {
  pack: string;
  id: string;
  url: string;
  alt: string;
}

/** Fields of Content that the core leaves to modules. */
export interface ContentFields extends Rest {
  location?: Location | undefined;
  contactCard?: ContactCard | undefined;
  sticker?: Sticker | undefined;
  attachments?: Attachments | undefined;
  notice?: Notice | undefined;
  merged?: Merged | undefined;
  mentionRoles: readonly string[];
  mentionAll: boolean;
  mentionHere: boolean;
  forwarded?: Forwarded | undefined;
  importedUs: number;
  format: number;
}

/** Fields of ClientFrame that the core leaves to modules. */
export interface ClientFrameFields extends Rest {
  command?: Command | undefined;
}

/** Fields of ServerFrame that the core leaves to modules. */
export interface ServerFrameFields extends Rest {
  command?: Command | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    Attachment: "1sname 2smime 3lsize 4surl 5uwidth 6uheight 7udurationMs 8bthumb 9bsha256 10sfile 11sposter 12bwaveform 13ovoice 14oanimated",
    Attachments: "1Mitems:Attachment 2scaption",
    Command: "1sconversation 2stype 3bdata 4StoUsers 5suser",
    ContactCard: "1suser 2sname",
    ForwardMessagesRequest: "1sfrom 2Lseqs 3sto 4omerged 5stitle 6scomment 7bclientId",
    ForwardMessagesResponse: "1Mentries:Entry",
    Forwarded: "1ssender 2itimeUs",
    Location: "1ilatitudeE7 2ilongitudeE7 3sname 4saddress",
    Merged: "1stitle 2Mitems:MergedItem 3ucount",
    MergedItem: "1ssender 2itimeUs 3mcontent:Content",
    Notice: "1scode 2stext 3Mparams:NoticeParam",
    NoticeParam: "1sname 2svalue",
    Sticker: "1spack 2sid 3surl 4salt",
    ContentFields: "20mlocation:Location 21mcontactCard:ContactCard 22msticker:Sticker 23mattachments:Attachments 24mnotice:Notice 25mmerged:Merged 12SmentionRoles 13omentionAll 14omentionHere 15mforwarded:Forwarded 17iimportedUs 16eformat:TextFormat",
    ClientFrameFields: "11mcommand:Command",
    ServerFrameFields: "15mcommand:Command",
  },
  core,
);

export const contentFields: Piece<ContentFields> = /* @__PURE__ */ piece(schema, "ContentFields");
export const clientFrameFields: Piece<ClientFrameFields> = /* @__PURE__ */ piece(schema, "ClientFrameFields");
export const serverFrameFields: Piece<ServerFrameFields> = /* @__PURE__ */ piece(schema, "ServerFrameFields");

/** The module's unary calls. */
export const calls = {
  ForwardMessages: /* @__PURE__ */ callOf<ForwardMessagesRequest, ForwardMessagesResponse>(schema, "ForwardService/ForwardMessages"),
} as const;

/** The values of TextFormat by number. */
export const textFormatNames = ["unspecified","plain","markdown"] as const;
