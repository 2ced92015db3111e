// Where an attachment is read from: this page's own copy, or the server, by an
// address that is good for a while. What fails is tried once in another way,
// and again when the connection is back.
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useClient, useConnection } from "../live/context.tsx";
import { useFileOwner, type Owner } from "./FileOwner.ts";
import { useFiles } from "./FilesContext.tsx";
import { seenUrl } from "./seen.ts";

/** The size of a picture that the server keeps. */
export type Preview = "s" | "m" | "l";

/** The address of a file of a message; undefined until there is a key. */
export function useFileUrl(owner: Pick<Owner, "conversation" | "seq">, file: string, options: { readonly size?: Preview | undefined; readonly save?: boolean } = {}): string | undefined {
  const { files } = useClient();
  const { size, save = false } = options;
  const { conversation, seq } = owner;
  return useSyncExternalStore(
    (listener) => files.onKey(listener),
    // A message that is not stored yet has its own files in it.
    () => (file === "" ? undefined : files.url(seq === undefined ? { file } : { conversation, seq, file }, { size, save })),
  );
}

/** How an attachment can be read. */
export interface Source {
  readonly src: string | undefined;
  readonly state: "fine" | "offline" | "gone";
  /** What was at `src` could not be read. */
  readonly onError: () => void;
}

/** The source of the file at a place of the message around; `size` is for pictures. */
export function useSource(file: string, index: number, size?: Preview, poster = false): Source {
  const owner = useFileOwner();
  return useSourceOf(owner, file, index, size, poster);
}

/** As useSource, for a file of a message that is not around. */
export function useSourceOf(owner: Pick<Owner, "conversation" | "seq" | "id">, file: string, index: number, size?: Preview, poster = false): Source {
  const client = useClient();
  const { local } = useFiles();
  const online = useConnection(client).state === "online";
  const [failed, setFailed] = useState(0);
  const own = poster ? local.poster(owner.id, index) : local.url(owner.id, index);
  // The second try asks for the file itself: a preview may never have been made.
  const remote = useHeld(useFileUrl(owner, file, { size: failed === 0 ? size : undefined }), `${owner.conversation} ${owner.seq} ${file} ${size} ${failed}`);
  const seen = useSeen(owner, file, failed === 0 ? size : undefined, remote === undefined);
  const over = failed > (size === undefined || remote === undefined ? 0 : 1);
  const onError = useCallback(() => setFailed((n) => n + 1), []);
  useEffect(() => {
    if (online) setFailed(0);
  }, [online, file]);
  return { src: own ?? (over ? undefined : (remote ?? seen)), state: own !== undefined || !over ? "fine" : online ? "gone" : "offline", onError };
}

/** Where a picture that was seen is found while the server can not be reached, and there is no key since the page was loaded. */
function useSeen({ conversation, seq }: Pick<Owner, "conversation" | "seq">, file: string, size: Preview | undefined, wanted: boolean): string | undefined {
  const waiting = useConnection(useClient()).state === "waiting";
  const [away, setAway] = useState(waiting);
  useEffect(() => {
    // It tries to connect now and then, which is no reason to take the picture away.
    if (waiting) setAway(true);
  }, [waiting]);
  return wanted && away && size && seq !== undefined && file !== "" ? seenUrl(conversation, seq, file, size) : undefined;
}

/** An address as it was first known: a new key makes another one, which is no reason to load a picture again. */
function useHeld(url: string | undefined, of: string): string | undefined {
  const held = useRef<{ readonly of: string; readonly url: string }>(undefined);
  if (url !== undefined && held.current?.of !== of) held.current = { of, url };
  return held.current?.of === of ? held.current.url : undefined;
}
