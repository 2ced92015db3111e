/**
 * Messages by the clock: sent later, gone after a while, burning once they were read.
 * `createClient({ …, modules: { timed: timed() } })` gives `client.timed`.
 *
 * @packageDocumentation
 */
import { SkeinError } from "../../error.js";
import { uuidBytes, uuidText } from "../../ids.js";
import { type CallOptions, type Module, type ModuleHost, type Unsubscribe, defineModule } from "../../module.js";
import { type Viewer, bodyOf, readBody } from "../../project.js";
import { WireFailure } from "../../rpc.js";
import type { Conversation } from "../../types/conversation.js";
import type { CustomContent, Message, MessageContent, MessageFailure, MessageKind, Outgoing } from "../../types/message.js";
import type { SendOptions } from "../../types/store.js";
import type { Init } from "../../wire/codec.js";
import type { SendMessageRequest } from "../../wire/schema.js";
import { type Scheduled as Row, calls } from "./wire.js";

/** `waiting` for its time, `sending` now that it has come, or `failed`: refused when it came, see `error`. */
export type ScheduledState = "waiting" | "sending" | "failed";

/** A message that the server sends later, as the user. */
export interface Scheduled {
  /** A UUID. */
  readonly id: string;
  readonly conversation: string;
  /** What it says, as a message would. */
  readonly kind: MessageKind;
  readonly text: string | undefined;
  readonly custom: CustomContent | undefined;
  readonly content: MessageContent | undefined;
  readonly options: SendOptions;
  /** When, milliseconds since 1970 UTC, by the server's clock. */
  readonly sendAt: number;
  readonly state: ScheduledState;
  /** With `failed`: why. */
  readonly error: MessageFailure | undefined;
  /** Raised by each change. */
  readonly version: number;
}

/** What `client.timed` offers. */
export interface Timed {
  /**
   * Has the server send a message at a time, 1 second to 365 days ahead, exactly once, also when no device of the user is
   * online. Whether it may be sent is decided then; what is refused stays in `list` with the reason. It needs the network.
   */
  schedule(conversation: Conversation | string, message: Outgoing, at: Date | number, options?: CallOptions): Promise<Scheduled>;
  /** What waits and what could not be sent, soonest first; at most 100. */
  list(options?: CallOptions): Promise<readonly Scheduled[]>;
  /** Changes what is sent, or when, or both; what has failed waits again. `failed_precondition`: it is being sent, or was changed meanwhile. */
  update(scheduled: Scheduled, change: { readonly message?: Outgoing | undefined; readonly at?: Date | number | undefined }, options?: CallOptions): Promise<Scheduled>;
  /** Forgets a message. `not_found`: it was sent. */
  cancel(scheduled: Scheduled, options?: CallOptions): Promise<void>;
  /** Sends a message before its time, or one that has failed once more. */
  sendNow(scheduled: Scheduled, options?: CallOptions): Promise<void>;
  /** Hears that the list has changed, on whichever device: read it again. */
  onChange(listener: () => void): Unsubscribe;
  /**
   * How long a message is still shown, in milliseconds: Infinity for most, 0 when its time is up. A device that is offline
   * shows it no longer either, so ask this before you show a body; `message.delivery.expired` comes when the server says so.
   */
  left(message: Pick<Message, "delivery">): number;
}

const states: Readonly<Record<number, ScheduledState>> = { 2: "sending", 4: "failed" };
const listKey = "scheduled";

function micros(at: Date | number): number {
  const ms = Math.floor(Number(at));
  if (!Number.isSafeInteger(ms * 1000)) throw new SkeinError("invalid_argument", "a time is a Date or milliseconds since 1970");
  return ms * 1000;
}

class TimedOfHost implements Timed {
  readonly #host: ModuleHost;
  readonly #viewer: () => Viewer;

  constructor(host: ModuleHost, viewer: () => Viewer) {
    this.#host = host;
    this.#viewer = viewer;
  }

  #request(conversation: string, message: Outgoing): Init<SendMessageRequest> {
    const { options: { threadSeq = 0, toUsers = [], silent = false, priority = 0, ttlS = 0, burnAfterS = 0 } = {}, fields } = message;
    return { conversation, body: bodyOf(message, conversation), toUsers: [...toUsers], silent, priority, ttlS, burnAfterS, threadSeq, rest: fields };
  }

  #read(row: Row | undefined): Scheduled {
    if (!row?.message) throw new SkeinError("internal", "the answer has no message");
    const { conversation, body, toUsers, silent, priority, ttlS, burnAfterS, threadSeq } = row.message;
    const { kind, text, custom, content } = readBody(body, this.#viewer());
    const failed = row.state === 4 ? row.error : undefined;
    return {
      id: uuidText(row.id),
      conversation,
      kind,
      text,
      custom,
      content,
      options: { toUsers, silent, priority, ttlS, burnAfterS, threadSeq },
      sendAt: Math.floor(row.sendAtUs / 1000),
      state: states[row.state] ?? "waiting",
      error: failed && failure(new WireFailure(failed)),
      version: row.version,
    };
  }

  async schedule(conversation: Conversation | string, message: Outgoing, at: Date | number, options?: CallOptions): Promise<Scheduled> {
    const id = typeof conversation === "string" ? conversation : conversation.id;
    const request = { message: this.#request(id, message), sendAtUs: micros(at), clientId: this.#host.newClientId() };
    return this.#read((await this.#host.call(calls.ScheduleMessage, request, options)).scheduled);
  }

  async list(options?: CallOptions): Promise<readonly Scheduled[]> {
    const { scheduled } = await this.#host.call(calls.ListScheduled, {}, options);
    return scheduled.map((row) => this.#read(row));
  }

  async update({ id, conversation, version }: Scheduled, { message, at }: { readonly message?: Outgoing | undefined; readonly at?: Date | number | undefined }, options?: CallOptions): Promise<Scheduled> {
    const request = { id: uuidBytes(id), version, message: message && this.#request(conversation, message), sendAtUs: at === undefined ? 0 : micros(at) };
    return this.#read((await this.#host.call(calls.UpdateScheduled, request, options)).scheduled);
  }

  async cancel({ id }: Scheduled, options?: CallOptions): Promise<void> {
    await this.#host.call(calls.CancelScheduled, { id: uuidBytes(id) }, options);
  }

  async sendNow({ id }: Scheduled, options?: CallOptions): Promise<void> {
    await this.#host.call(calls.SendScheduledNow, { id: uuidBytes(id) }, options);
  }

  onChange(listener: () => void): Unsubscribe {
    return this.#host.onKeyed(({ conversation, key }) => {
      if (conversation === `~${this.#host.userId}` && (key === undefined || key === listKey)) listener();
    });
  }

  left({ delivery }: Pick<Message, "delivery">): number {
    if (delivery?.expired) return 0;
    return delivery?.expiresUs ? Math.max(0, delivery.expiresUs / 1000 - this.#host.now()) : Infinity;
  }
}

const failure = ({ code, message, hint }: WireFailure): MessageFailure => ({ code, message, hint });

/** Messages by the clock, for `createClient`'s `modules`. */
export const timed = (): Module<Timed> => (core) => defineModule((host) => new TimedOfHost(host, core.host))(core);
