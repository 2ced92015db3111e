// How the tabs of a browser profile are one device: one of them leads, which means that it holds the socket, the
// outbox and the cursor; the others ask it, and hear from it. Where there are no tabs, one is alone and leads.
import type { SkeinError } from "../error.js";
import type { PageRequest } from "../pages.js";
import type { Change } from "../reduce/state.js";
import type { ClientState, FrameEvent, Presence, SyncEvent } from "../types/client.js";
import type { EnvironmentSignal } from "../types/environment.js";
import type { FailureRecord, StoreBatch } from "../types/store.js";
import type { Methods, Typing } from "../wire/schema.js";

/** What any tab asks of the one that leads. */
export type Command =
  | { readonly type: "call"; readonly method: keyof Methods; readonly input: unknown }
  | { readonly type: "page"; readonly request: PageRequest }
  | { readonly type: "retry"; readonly id: string; readonly newId?: string | undefined }
  | { readonly type: "discard"; readonly id: string }
  | { readonly type: "read"; readonly conversation: string; readonly seq: number }
  | { readonly type: "typing"; readonly conversation: string; readonly typing: boolean }
  | { readonly type: "watch"; readonly users: readonly string[] }
  /** These outbox items are in the store. */
  | { readonly type: "items"; readonly items: StoreBatch["outbox"] }
  | { readonly type: "signal"; readonly signal: EnvironmentSignal }
  | { readonly type: "connect" | "debug" | "signOut" };

/** How the connection is. */
export interface Status {
  readonly state: ClientState;
  readonly error: FailureRecord | undefined;
  readonly retryAt: number | undefined;
  readonly deviceId: string;
  /** Server time minus local time, milliseconds. */
  readonly offset: number;
}

/** What the one that leads tells the others. */
export type News =
  | { readonly type: "batch"; readonly batch: StoreBatch; readonly changes: readonly Change[] }
  | { readonly type: "status"; readonly status: Status }
  | { readonly type: "typing"; readonly typing: Typing }
  | { readonly type: "presence"; readonly presence: Presence }
  | { readonly type: "sync"; readonly sync: SyncEvent }
  | { readonly type: "frame"; readonly frame: FrameEvent }
  | { readonly type: "error"; readonly error: FailureRecord }
  /** The user's data is gone. */
  | { readonly type: "erased" };

export interface TabsMember {
  /** This one leads from now on. */
  lead(): void;
  /** Another one leads, or leads anew: what was told before may have been lost. */
  follow(): void;
  news(news: News): void;
  /** As the one that leads: a command of another tab. */
  command(command: Command, tab: string): Promise<unknown>;
  /** As the one that leads: another tab came, or went. */
  joined(tab: string): void;
  left(tab: string): void;
}

export interface TabsHandle {
  /** False where there are no tabs at all. */
  readonly shared: boolean;
  /** Tells all others, as the one that leads. */
  tell(news: News): void;
  /** Asks the one that leads. It waits for one, and asks the next one when it dies. */
  ask(command: Command, signal: AbortSignal | undefined): Promise<unknown>;
  leave(): void;
}

export interface Tabs {
  /** Takes part; `name` is the same for all tabs of one device. Nothing of `member` is called before this returns. */
  join(name: string, member: TabsMember): TabsHandle;
}

/** An error as a plain value, which can be stored and sent. */
export function plain({ code, message, hint, retryAfterMs }: SkeinError): FailureRecord {
  return { code, message, hint, retryAfterMs };
}

/** Nobody else is there. */
export const alone: Tabs = {
  join(_, member) {
    let left = false;
    const led = Promise.resolve().then(() => {
      if (!left) member.lead();
    });
    return {
      shared: false,
      tell: () => undefined,
      ask: (command) => led.then(() => member.command(command, "")),
      leave: () => {
        left = true;
      },
    };
  },
};
