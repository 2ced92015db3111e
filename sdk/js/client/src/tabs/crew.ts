// The tabs of a browser profile are one device: one of them leads, which means that it holds the socket, the outbox
// and the cursor; the others ask it, and hear from it. This is what the client sees of that, and how it is where
// there are no tabs: one is alone and leads. The rest is in shared.ts, and is loaded only where it is used.
import type { ConversationView } from "../conversation.js";
import { SkeinError } from "../error.js";
import type { Ledger } from "../ledger.js";
import type { PageRequest } from "../pages.js";
import type { Event } from "../reduce/reduce.js";
import type { Change } from "../reduce/state.js";
import type { ClientState, FrameEvent, Presence, SyncEvent } from "../types/client.js";
import type { Clock, EnvironmentSignal } from "../types/environment.js";
import type { FailureRecord, OutboxRecord, StoreBatch } from "../types/store.js";
import type { Waiters } from "../waiters.js";
import type { Take } from "../wire/piece.js";
import type { Typing } from "../wire/schema.js";

/** What any tab asks of the one that leads. */
export type Command =
  /** A unary call: the tab that leads need not know its messages. */
  | { readonly type: "call"; readonly path: string; readonly body: Uint8Array; readonly takes: readonly Take[] }
  /** A frame of a module's. */
  | { readonly type: "say"; readonly frame: Uint8Array; readonly answered: boolean }
  | { readonly type: "page"; readonly request: PageRequest }
  /** Something that the user did to the state. */
  | { readonly type: "event"; readonly event: Event }
  | { readonly type: "typing"; readonly conversation: string; readonly typing: boolean }
  | { readonly type: "watch"; readonly users: readonly string[] }
  /** These outbox items are in the store. */
  | { readonly type: "items"; readonly items: readonly OutboxRecord[] }
  | { readonly type: "signal"; readonly signal: EnvironmentSignal }
  | { readonly type: "connect" | "debug" | "signOut" };

/** How the connection is. */
export interface Status {
  readonly state: ClientState;
  readonly error: SkeinError | undefined;
  readonly retryAt: number | undefined;
  readonly deviceId: string;
  /** Server time minus local time, milliseconds. */
  readonly offset: number;
}

/** What is heard on the connection and is no state. */
export type News =
  | { readonly type: "typing"; readonly typing: Typing }
  | { readonly type: "presence"; readonly presence: Presence }
  | { readonly type: "sync"; readonly sync: SyncEvent }
  | { readonly type: "frame"; readonly frame: FrameEvent }
  | { readonly type: "fields"; readonly fields: Uint8Array }
  | { readonly type: "error"; readonly error: FailureRecord };

/** What a crew needs of the client. */
export interface CrewHost {
  /** The same for all tabs of one device. */
  readonly name: string;
  readonly ledger: Ledger;
  readonly waiters: Waiters;
  readonly clock: Clock;
  views(): Iterable<ConversationView>;
  /** Holds the connection from now on. */
  lead(): void;
  /** Another one holds the connection: what was told before may have been lost. */
  follow(): void;
  /** As the one that leads: carries out a command of a tab. */
  execute(command: Command, tab: string): Promise<unknown>;
  /** As the one that leads: a tab is gone. */
  left(tab: string): void;
  /** As one that follows: what the one that leads heard. */
  hear(news: News): void;
  setStatus(status: Status): void;
  status(): Status;
  /** The state was read from the store again. */
  reloaded(): void;
  /** The user's data is gone. */
  erased(): void;
  error(error: unknown): void;
}

export interface Crew {
  /** Whether there can be others. */
  readonly shared: boolean;
  /** The ledger has the state of the store. */
  loaded(): void;
  /** Has the one that leads carry out a command; waits for one, and turns to the next one when it dies. */
  ask(command: Command, signal: AbortSignal | undefined): Promise<unknown>;
  // As the one that leads: tells the others.
  tell(news: News): void;
  tellBatch(batch: StoreBatch, changes: readonly Change[]): void;
  tellStatus(): void;
  tellErased(): void;
  leave(): void;
}

/** An error as a plain value, which can be stored and sent. */
export function plain({ code, message, hint, retryAfterMs }: SkeinError): FailureRecord {
  return { code, message, hint, retryAfterMs };
}

/** A plain failure as the class that the app sees. */
export function revive(failure: FailureRecord): SkeinError {
  return new SkeinError(failure.code, failure.message, failure);
}

const nothing = (): void => undefined;

/** Nobody else is there. */
export function alone(host: CrewHost): Crew {
  return {
    shared: false,
    loaded: () => host.lead(),
    ask: (command) => host.execute(command, ""),
    tell: nothing,
    tellBatch: nothing,
    tellStatus: nothing,
    tellErased: nothing,
    leave: nothing,
  };
}
