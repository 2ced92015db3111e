// The signed-in client, for every component, and what it says of itself.
import type { ClientSnapshot, Conversation, ConversationSnapshot, Presence } from "@skein/client";
import { createContext, useContext, useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from "react";
import { Drafts } from "../composer/drafts.ts";
import { shareDrafts } from "../own/shareDrafts.ts";
import type { FrameLog } from "../developer/frames.ts";
import type { AppClient } from "./client.ts";

interface Live {
  readonly client: AppClient;
  readonly drafts: Drafts;
  readonly frames: FrameLog;
}

const LiveContext = createContext<Live | undefined>(undefined);

/** Storage of this browser, undefined where it is switched off. */
export function browserStorage(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}

/** Gives the client to everything inside. The user must be known (`client.ready`). */
export function LiveProvider({ client, frames, children }: { client: AppClient; frames: FrameLog; children: ReactNode }) {
  const live = useMemo(
    () => ({ client, frames, drafts: new Drafts(browserStorage(), client.appId, client.userId) }),
    [client, frames],
  );
  useEffect(() => shareDrafts(client.conversations, live.drafts), [client, live]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error("no LiveProvider above this component");
  return live;
}

/** The signed-in client. */
export function useClient(): AppClient {
  return useLive().client;
}

/** The frames of this connection; none unless the client was made with `debug`. */
export function useFrames(): FrameLog {
  return useLive().frames;
}

/** The drafts of the signed-in user. */
export function useDrafts(): Drafts {
  return useLive().drafts;
}

/** The state of the connection; draws again when it changes. */
export function useConnection(client: AppClient): ClientSnapshot {
  return useSyncExternalStore(
    (listener) => client.subscribe(listener),
    () => client.snapshot,
  );
}

/** Everything about a conversation; draws again when it changes. */
export function useConversation(conversation: Conversation): ConversationSnapshot {
  return useSyncExternalStore(
    (listener) => conversation.subscribe(listener),
    () => conversation.snapshot,
  );
}

/** All conversations with activity, newest first. */
export function useConversations(): readonly Conversation[] {
  const client = useClient();
  return useSyncExternalStore(
    (listener) => client.conversation.subscribe(listener),
    () => client.conversation.list(),
  );
}

/** Unread messages of all conversations together, but for muted and archived ones. */
export function useUnreadTotal(): number {
  const client = useClient();
  return useSyncExternalStore(
    (listener) => client.conversations.subscribe(listener),
    () => client.conversations.list().reduce((sum, c) => sum + (client.conversations.of(c).muted ? 0 : c.unread), 0),
  );
}

/** The text kept for a conversation, for the list's preview. */
export function useDraftText(conversation: string): string {
  const drafts = useDrafts();
  return useSyncExternalStore(
    (listener) => drafts.subscribe(listener),
    () => drafts.get(conversation)?.text ?? "",
  );
}

/** Whether there is a connection; draws again when that changes. */
function useConnected(): boolean {
  const client = useClient();
  return useSyncExternalStore(
    (listener) => client.subscribe(listener),
    () => client.snapshot.state === "online",
  );
}

/** Presence of one user: undefined while nothing is known of it, as without a connection. The caller has to be inside a WatchPresence. */
export function usePresence(user: string | undefined): Presence | undefined {
  const client = useClient();
  const [presence, setPresence] = useState(() => (user === undefined ? undefined : client.presence.get(user)));
  useEffect(() => {
    setPresence(user === undefined ? undefined : client.presence.get(user));
    if (user === undefined) return;
    return client.on("presence", (event) => {
      if (event.user === user) setPresence(event);
    });
  }, [client, user]);
  return useConnected() ? presence : undefined;
}

const nobody: ReadonlySet<string> = new Set();

/** Which of some users are online, none without a connection; draws again when that changes. */
export function useOnline(users: readonly string[]): ReadonlySet<string> {
  const client = useClient();
  const key = users.join("\n");
  const [online, setOnline] = useState(nobody);
  useEffect(() => {
    const list = key === "" ? [] : key.split("\n");
    const look = () => setOnline(new Set(list.filter((user) => client.presence.get(user)?.online)));
    look();
    return client.on("presence", look);
  }, [client, key]);
  return useConnected() ? online : nobody;
}

/** Hears of the presence of these users for as long as the component lives. */
export function useWatch(users: readonly string[]): void {
  const client = useClient();
  const key = users.join("\n");
  useEffect(() => {
    if (key === "") return;
    return client.presence.watch(key.split("\n"));
  }, [client, key]);
}

