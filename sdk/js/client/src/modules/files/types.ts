import type { SkeinError } from "../../error.js";
import type { CallOptions, Unsubscribe } from "../../types/client.js";
import type { Conversation } from "../../types/conversation.js";
import type { OutgoingOptions } from "../../types/message.js";
import type { SendOptions } from "../../types/store.js";

/** What is known of a picture, a film or a sound before it is uploaded. What is absent is found out, or left to the server. */
export interface Media {
  /** In pixels, as it is shown. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly durationMs?: number | undefined;
  /** A picture that is shown in place of a film until it plays. It is uploaded as a file of its own. */
  readonly poster?: Blob | undefined;
}

/** It was spoken for this message. */
export interface Voice {
  /** How loud it is from its beginning to its end: 64 bytes, or up to 128. */
  readonly waveform: Uint8Array;
  readonly durationMs: number;
}

/** A file with what is known of it. */
export interface NewFile extends Media {
  readonly blob: Blob;
  /** The server makes it safe to save under. */
  readonly name: string;
  readonly voice?: Voice | undefined;
  /** It is sent to be saved, also when it is a picture or a film: the message does not say how it looks. */
  readonly plain?: boolean | undefined;
}

/** A message with files: 1 to 20 of them. */
export interface NewFiles extends OutgoingOptions {
  readonly text?: undefined;
  readonly custom?: undefined;
  readonly file?: undefined;
  readonly files: readonly (Blob | File | NewFile)[];
  /** At most 4,096 bytes; `content` may say its format. */
  readonly caption?: string | undefined;
  /** Hears of every change of the transfer, of progress at most ten times a second. */
  readonly onProgress?: ((transfer: Transfer) => void) | undefined;
  /** Cancels the transfer. */
  readonly signal?: AbortSignal | undefined;
}

/** A message with one file. */
export interface OneNewFile extends Omit<NewFiles, "file" | "files"> {
  readonly file: Blob | File | NewFile;
  readonly files?: undefined;
}

declare module "../../types/message.js" {
  interface ModuleOutgoing {
    file: OneNewFile;
    files: NewFiles;
  }
}

/**
 * Where a transfer is. `waiting`: for its turn, or for the network (`offline`). `preparing`: what its files are is being
 * found out. `sending`: all bytes are at the server, and the message is in the outbox, where it shows by the `clientId`.
 * `sent`: the server has the message. `failed`: see `error`; `retry` or `cancel` it.
 */
export type TransferState = "waiting" | "preparing" | "uploading" | "paused" | "sending" | "sent" | "failed";

/** One file of a transfer. */
export interface TransferItem {
  readonly name: string;
  readonly mime: string;
  /** In bytes. */
  readonly size: number;
  /** How many of them the server has. */
  readonly sent: number;
  /** To show it while it is on its way; undefined when this tab has not got it. */
  readonly blob: Blob | undefined;
  /** In pixels; 0 = unknown, or it has none. */
  readonly width: number;
  readonly height: number;
  /** 0 = unknown, or it has none. */
  readonly durationMs: number;
  readonly voice: boolean;
  readonly waveform: Uint8Array | undefined;
}

/** Files on their way to a conversation. An immutable value: each change makes a new one. */
export interface Transfer {
  readonly id: string;
  /** The conversation's id. */
  readonly conversation: string;
  readonly state: TransferState;
  readonly items: readonly TransferItem[];
  readonly caption: string;
  readonly options: SendOptions | undefined;
  /** The seq of the message that this one answers. */
  readonly replyTo: number | undefined;
  /** Of all files together, in bytes. */
  readonly size: number;
  readonly sent: number;
  /** Over the last 5 seconds. */
  readonly bytesPerSecond: number;
  /** undefined: nobody can say. */
  readonly secondsLeft: number | undefined;
  /** Why it failed. With code `aborted` it was cancelled, and is heard of for the last time. */
  readonly error: SkeinError | undefined;
  /** It waits for the network and goes on by itself. */
  readonly offline: boolean;
  /** It goes on after a reload. False when the store has no room for its bytes, or is no store that outlives the page. */
  readonly kept: boolean;
  /** The id that the message has, from its local echo on: show the transfer or the message, not both. */
  readonly clientId: string;
}

/** Names a file that was sent: `file` of an attachment, or its `poster`, and the message that it is in; or one's own by its id alone. */
export interface FilePlace {
  readonly conversation?: string | undefined;
  readonly seq?: number | undefined;
  readonly file: string;
}

/** How a file is to be read. */
export interface UrlOptions {
  /** A smaller picture of a picture: 160, 480 or 1,280 pixels on its longer side. */
  readonly size?: "s" | "m" | "l" | undefined;
  /** To be saved, whatever it is. */
  readonly save?: boolean | undefined;
}

/** What `client.files` offers. Everything works in every tab; one of them does the work for all. */
export interface Files {
  /**
   * Sends files to a conversation. Returns at once; the upload goes on without a network, after a reload and in another
   * tab, and ends in exactly one message. Needs `client.ready`. Throws `invalid_argument` for no files or more than 20.
   * `conversation.send({ file, caption })` and `conversation.send({ files })` do the same, and their promise is the message.
   */
  send(conversation: Conversation | string, message: NewFiles): Transfer;
  /** Those that are not finished, those of before a reload and of other tabs included; oldest first. The same array until one changes. */
  transfers(conversation?: Conversation | string): readonly Transfer[];
  /** Hears of every change of every transfer, of progress at most ten times a second. */
  onChange(listener: (transfer: Transfer) => void): Unsubscribe;
  /** Stops it, also over a reload, until `resume`. */
  pause(id: string): void;
  resume(id: string): void;
  /** Gives it up; what was uploaded is deleted. A message that is in the outbox already is discarded, if it was not sent. */
  cancel(id: string): void;
  /** Goes on with one that has failed, from where it stopped. */
  retry(id: string): void;

  /**
   * Where a file is read, for `<img>`, `<video>` and links. It has a key in it that is good for the user for an hour.
   * undefined while there is no key: it is asked for, and `onKey` tells when to try again.
   */
  url(of: FilePlace, options?: UrlOptions): string | undefined;
  /** There is a key, or a new one: the old URLs end within minutes. */
  onKey(listener: () => void): Unsubscribe;
  /** Waits for a key. */
  ready(options?: CallOptions): Promise<void>;
}
