// Which message the attachments around belong to: whoever may read it may
// read its files, so each request names it.
import { createContext, useContext } from "react";

/** A message as its files need it. */
export interface Owner {
  readonly conversation: string;
  /** Undefined while it is not stored: then this device has the bytes itself. */
  readonly seq: number | undefined;
  /** The sender's id of it. */
  readonly id: string;
  readonly sender: string;
  readonly time: number;
  /** The root of the thread that it is a reply in. */
  readonly thread: number | undefined;
}

const none: Owner = { conversation: "", seq: undefined, id: "", sender: "", time: 0, thread: undefined };

/** See useFileOwner. */
export const FileOwner = createContext<Owner>(none);

/** The message around an attachment. */
export function useFileOwner(): Owner {
  return useContext(FileOwner);
}
