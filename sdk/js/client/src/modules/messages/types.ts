import type { Message, TextFormat } from "./shared.js";

export type { TextFormat } from "./shared.js";

/** A place on Earth (WGS 84). The wire keeps ten-millionths of a degree, about a centimetre. */
export interface Location {
  /** -90 to 90 degrees, north positive. */
  readonly latitude: number;
  /** -180 to 180 degrees, east positive. */
  readonly longitude: number;
  /** At most 128 bytes. */
  readonly name: string;
  /** At most 256 bytes. */
  readonly address: string;
}

/** Recommends a user of the same app. */
export interface ContactCard {
  readonly user: string;
  /** What the sender saw; at most 128 bytes. */
  readonly name: string;
}

/** A picture out of a pack. */
export interface Sticker {
  /** 1 to 64 of a-z A-Z 0-9 . _ - */
  readonly pack: string;
  readonly id: string;
  /** https, or empty for a pack that the app has itself. */
  readonly url: string;
  /** What it shows; 1 to 128 bytes. */
  readonly alt: string;
}

/** A file of the server's, by `file`, or one that lies somewhere else, by `url`. */
export interface Attachment {
  /** 1 to 255 bytes. */
  readonly name: string;
  /** Such as `image/png`. */
  readonly mime: string;
  /** In bytes. */
  readonly size: number;
  /** https, at most 2,048 bytes; empty when `file` is set. */
  readonly url: string;
  /** Its id at the server, for `client.files.url`; empty when `url` is set. */
  readonly file: string;
  /** The id of the picture that is shown in place of a film until it plays; empty = none. Read like `file`. */
  readonly poster: string;
  /** In pixels; 0 = unknown. */
  readonly width: number;
  readonly height: number;
  /** Milliseconds; 0 = unknown. */
  readonly duration: number;
  /** To show until the file is here; at most 1 KiB. */
  readonly thumb: Uint8Array | undefined;
  /** 32 bytes. */
  readonly sha256: Uint8Array | undefined;
  /** How loud a sound is from its beginning to its end, 0 to 255 each; at most 128 bytes. */
  readonly waveform: Uint8Array | undefined;
  /** It was spoken for this message, and is not a file of sound. */
  readonly voice: boolean;
  /** A picture that moves. */
  readonly animated: boolean;
}

/** An attachment to send: what is absent is unknown. `client.files` makes its own of what it uploads. */
export type NewAttachment = Pick<Attachment, "name" | "mime"> & Partial<Attachment> & (Pick<Attachment, "url"> | Pick<Attachment, "file" | "size">);

/** A line that the app itself says in a conversation. */
export interface Notice {
  /** For the app to say it in the reader's language. */
  readonly code: string;
  /** For those who do not know the code. */
  readonly text: string;
  readonly params: Readonly<Record<string, string>>;
}

/** Who sent a content first, and when. The server writes it. */
export interface Forwarded {
  readonly sender: string;
  /** Milliseconds since 1970 UTC. */
  readonly time: number;
}

/** One message of a merged forward: what it says, as `Message` tells it. */
export interface MergedItem extends Pick<Message, "kind" | "text" | "custom" | "content"> {
  readonly sender: string;
  /** Milliseconds since 1970 UTC. */
  readonly time: number;
  readonly format: TextFormat | undefined;
  readonly forwarded: Forwarded | undefined;
}

/** A piece of another conversation as it was when it was forwarded. */
export interface Merged {
  readonly title: string;
  /** Oldest first; none in a merged forward inside another one. */
  readonly items: readonly MergedItem[];
  /** How many messages were merged. */
  readonly count: number;
}

declare module "../../types/message.js" {
  interface ModuleContents {
    location: Location;
    contactCard: ContactCard;
    sticker: Sticker;
    attachments: { readonly items: readonly Attachment[]; readonly caption: string; readonly format: TextFormat | undefined };
    notice: Notice;
    merged: Merged;
  }
}

/** What goes with a message of any kind. */
export interface Details {
  readonly format: TextFormat | undefined;
  readonly forwarded: Forwarded | undefined;
  /** When a message that came from another system was first sent there, ms since 1970; its `time` is when it was imported. */
  readonly imported: number | undefined;
  /** `owner`, `admin`, or ids of the group's own roles. */
  readonly mentionRoles: readonly string[];
  readonly mentionAll: boolean;
  /** Everybody who was online when it came. */
  readonly mentionHere: boolean;
}

/** Whom a message calls beside the users that it names; for groups. In those of more than 100 members it takes a grant. */
export interface Calls {
  readonly roles?: readonly string[] | undefined;
  readonly all?: boolean | undefined;
  readonly here?: boolean | undefined;
}
