// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";

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

export interface CreateFileKeyRequest extends Rest {
}

export interface CreateFileKeyResponse extends Rest {
  key: string;
  expiresUs: number;
  origin: string;
}

export interface File extends Rest {
  id: string;
  name: string;
  mime: string;
  size: number;
  sha256: Uint8Array;
  createdUs: number;
  media?: Media | undefined;
}

export interface GetFileRequest extends Rest {
  id: string;
}

export interface GetFileResponse extends Rest {
  file?: File | undefined;
}

export interface Media extends Rest {
  width: number;
  height: number;
  durationMs: number;
  thumb: Uint8Array;
  animated: boolean;
  waveform: Uint8Array;
  previews: readonly Preview[];
}

export interface Preview extends Rest {
  size: string;
  width: number;
  height: number;
  bytes: number;
}

/** Fields of Content that the core leaves to modules. */
export interface ContentFields extends Rest {
  attachments?: Attachments | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    Attachment: "1sname 2smime 3lsize 4surl 5uwidth 6uheight 7udurationMs 8bthumb 9bsha256 10sfile 11sposter 12bwaveform 13ovoice 14oanimated",
    Attachments: "1Mitems:Attachment 2scaption",
    CreateFileKeyRequest: "",
    CreateFileKeyResponse: "1skey 2iexpiresUs 3sorigin",
    File: "1sid 2sname 3smime 4lsize 5bsha256 6icreatedUs 7mmedia:Media",
    GetFileRequest: "1sid",
    GetFileResponse: "1mfile:File",
    Media: "1uwidth 2uheight 3udurationMs 4bthumb 5oanimated 6bwaveform 7Mpreviews:Preview",
    Preview: "1ssize 2uwidth 3uheight 4ubytes",
    ContentFields: "23mattachments:Attachments",
  },
  core,
);

export const contentFields: Piece<ContentFields> = /* @__PURE__ */ piece(schema, "ContentFields");

/** The module's unary calls. */
export const calls = {
  GetFile: /* @__PURE__ */ callOf<GetFileRequest, GetFileResponse>(schema, "FileService/GetFile"),
  CreateFileKey: /* @__PURE__ */ callOf<CreateFileKeyRequest, CreateFileKeyResponse>(schema, "FileService/CreateFileKey"),
} as const;
