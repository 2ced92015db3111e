// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, piece } from "../../wire/piece.js";

export interface Private extends Rest {
  pin?: PrivatePin | undefined;
  mute?: PrivateMute | undefined;
  draft?: PrivateDraft | undefined;
  unread?: PrivateUnread | undefined;
  hide?: PrivateHide | undefined;
  archive?: PrivateArchive | undefined;
  folder?: PrivateFolder | undefined;
  folders?: PrivateFolders | undefined;
  hidden?: PrivateHidden | undefined;
  thread?: PrivateThread | undefined;
}

export interface PrivateArchive extends Rest {
  timeUs: number;
}

export interface PrivateDraft extends Rest {
  timeUs: number;
  text: string;
  replyToSeq: number;
  mentions: readonly string[];
}

export interface PrivateFolder extends Rest {
  name: string;
  emoji: string;
  order: number;
}

export interface PrivateFolders extends Rest {
  ids: readonly string[];
}

export interface PrivateHidden extends Rest {
  baseSeq: number;
  upToSeq: number;
  ranges: readonly SeqRange[];
}

export interface PrivateHide extends Rest {
  ord: number;
}

export interface PrivateMute extends Rest {
  untilUs: number;
}

export interface PrivatePin extends Rest {
  order: number;
}

export interface PrivateThread extends Rest {
  readSeq: number;
  readCount: number;
  follow: number;
}

export interface PrivateUnread extends Rest {
  readSeq: number;
}

export interface SeqRange extends Rest {
  fromSeq: number;
  toSeq: number;
}

/** Fields of Content that the core leaves to modules. */
export interface ContentFields extends Rest {
  private?: Private | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    Private: "1mpin:PrivatePin 2mmute:PrivateMute 3mdraft:PrivateDraft 4munread:PrivateUnread 5mhide:PrivateHide 6marchive:PrivateArchive 7mfolder:PrivateFolder 8mfolders:PrivateFolders 9mhidden:PrivateHidden 10mthread:PrivateThread",
    PrivateArchive: "1itimeUs",
    PrivateDraft: "1itimeUs 2stext 3lreplyToSeq 4Smentions",
    PrivateFolder: "1sname 2semoji 3iorder",
    PrivateFolders: "1Sids",
    PrivateHidden: "1lbaseSeq 2lupToSeq 3Mranges:SeqRange",
    PrivateHide: "1lord",
    PrivateMute: "1iuntilUs",
    PrivatePin: "1iorder",
    PrivateThread: "1lreadSeq 2ureadCount 3ufollow",
    PrivateUnread: "1lreadSeq",
    SeqRange: "1lfromSeq 2ltoSeq",
    ContentFields: "35mprivate:Private",
  },
  core,
);

export const contentFields: Piece<ContentFields> = /* @__PURE__ */ piece(schema, "ContentFields");
