// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { type Piece, callOf, piece } from "../../wire/piece.js";
import type { Body } from "../../wire/schema.js";

export interface GetRoomRequest extends Rest {
  conversation: string;
}

export interface GetRoomResponse extends Rest {
  viewers: number;
}

export interface JoinRoom extends Rest {
  conversation: string;
}

export interface LeaveRoom extends Rest {
  conversation: string;
}

export interface MuteViewerRequest extends Rest {
  conversation: string;
  user: string;
  seconds: number;
  clientId: Uint8Array;
}

export interface MuteViewerResponse extends Rest {
}

export interface RemoveViewerRequest extends Rest {
  conversation: string;
  user: string;
  seconds: number;
  clientId: Uint8Array;
}

export interface RemoveViewerResponse extends Rest {
}

export interface RoomMessage extends Rest {
  conversation: string;
  clientId: Uint8Array;
  body?: Body | undefined;
  user: string;
  timeUs: number;
  priority: number;
}

export interface RoomState extends Rest {
  conversation: string;
  viewers: number;
  joined: number;
  dropped: number;
  ended: number;
  mutedUntilUs: number;
}

/** Fields of ClientFrame that the core leaves to modules. */
export interface ClientFrameFields extends Rest {
  joinRoom?: JoinRoom | undefined;
  leaveRoom?: LeaveRoom | undefined;
  roomMessage?: RoomMessage | undefined;
}

/** Fields of ServerFrame that the core leaves to modules. */
export interface ServerFrameFields extends Rest {
  roomMessage?: RoomMessage | undefined;
  roomState?: RoomState | undefined;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    GetRoomRequest: "1sconversation",
    GetRoomResponse: "1uviewers",
    JoinRoom: "1sconversation",
    LeaveRoom: "1sconversation",
    MuteViewerRequest: "1sconversation 2suser 3useconds 4bclientId",
    MuteViewerResponse: "",
    RemoveViewerRequest: "1sconversation 2suser 3useconds 4bclientId",
    RemoveViewerResponse: "",
    RoomMessage: "1sconversation 2bclientId 3mbody:Body 4suser 5itimeUs 6epriority:Priority",
    RoomState: "1sconversation 2uviewers 3ujoined 4udropped 5eended:RoomEnd 6imutedUntilUs",
    ClientFrameFields: "12mjoinRoom:JoinRoom 13mleaveRoom:LeaveRoom 14mroomMessage:RoomMessage",
    ServerFrameFields: "16mroomMessage:RoomMessage 17mroomState:RoomState",
  },
  core,
);

export const clientFrameFields: Piece<ClientFrameFields> = /* @__PURE__ */ piece(schema, "ClientFrameFields");
export const serverFrameFields: Piece<ServerFrameFields> = /* @__PURE__ */ piece(schema, "ServerFrameFields");

/** The module's unary calls. */
export const calls = {
  GetRoom: /* @__PURE__ */ callOf<GetRoomRequest, GetRoomResponse>(schema, "RoomService/GetRoom"),
  MuteViewer: /* @__PURE__ */ callOf<MuteViewerRequest, MuteViewerResponse>(schema, "RoomService/MuteViewer"),
  RemoveViewer: /* @__PURE__ */ callOf<RemoveViewerRequest, RemoveViewerResponse>(schema, "RoomService/RemoveViewer"),
} as const;

/** The values of Priority by number. */
export const priorityNames = ["unspecified","high","low"] as const;

/** The values of RoomEnd by number. */
export const roomEndNames = ["unspecified","removed","closed"] as const;
