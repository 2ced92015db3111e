// The outbox's step machine: docs/sdk-spec.md §4. It decides what is transmitted when; the items themselves
// live in the reducer's state.
import type { ErrorCode } from "../error.js";
import { backOff } from "./connection.js";

export interface OutboxEntry {
  readonly id: string;
  readonly conversation: string;
  readonly op: "send" | "edit" | "recall" | "react";
  /** The id of the send that an op waits for. */
  readonly target?: string | undefined;
  readonly key?: string | undefined;
  /** The time in the id, milliseconds. */
  readonly idMs: number;
  /** After a restart. */
  readonly attempts?: number | undefined;
  readonly firstAttemptMs?: number | undefined;
}

export type OutboxEvent =
  | ({ readonly type: "add" } & OutboxEntry)
  | { readonly type: "up"; readonly maxInFlight: number; readonly offsetMs: number }
  | { readonly type: "down" | "timer" }
  | { readonly type: "ack" | "networkError" | "discard"; readonly id: string }
  | {
      readonly type: "error";
      readonly id: string;
      readonly code: ErrorCode;
      readonly retryAfterMs?: number | undefined;
      readonly serverTimeMs?: number | undefined;
    }
  | { readonly type: "renewed"; readonly id: string; readonly newId: string; readonly idMs: number };

export type OutboxEffect =
  | { readonly type: "transmit"; readonly id: string; readonly attempts: number; readonly firstAttemptMs: number }
  | { readonly type: "fail"; readonly id: string; readonly code: ErrorCode }
  | { readonly type: "renew"; readonly id: string }
  | { readonly type: "stalled" }
  | { readonly type: "timer"; readonly inMs: number }
  | { readonly type: "cancel" };

/** Past this age of the first attempt nobody can know whether it arrived: the server forgets ids after 30 days. */
const expiredMs = 29 * 24 * 3600 * 1000;
/** How far ahead of the server an id may be. */
const aheadMs = 10 * 60 * 1000;
const maxCalls = 4;
const defaultInFlight = 64;
const keyedEveryMs = 1000;
const stalledMs = 30_000;
const maxInternalErrors = 3;
/** What is told to wait for longer, because there is no room, is given up. */
const longestWaitMs = 60_000;

interface Slot {
  id: string;
  readonly conversation: string;
  readonly op: OutboxEntry["op"];
  target: string | undefined;
  readonly key: string | undefined;
  idMs: number;
  attempts: number;
  /** Of the attempts: answered with rate_limited, since the page began. */
  turnedAway: number;
  firstAttempt: number;
  notBefore: number;
  /** Local time of the transmission that is not answered yet; undefined = none. */
  inFlight: number | undefined;
  internalErrors: number;
}

export class OutboxMachine {
  /** By id, in order. */
  #slots = new Map<string, Slot>();
  #flying = 0;
  #calling = 0;
  #up = false;
  #maxInFlight = defaultInFlight;
  #offset = 0;
  /** Local time of the last transmission of a key, by conversation and key. */
  readonly #keySent = new Map<string, number>();
  /** Local time of the timer that is set. */
  #wakeAt: number | undefined;
  #now = 0;
  #effects: OutboxEffect[] = [];
  #renews: OutboxEffect[] = [];
  readonly #random: () => number;

  /** `random` gives a number in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** The items that wait or are on their way, in order. */
  get ids(): readonly string[] {
    return [...this.#slots.keys()];
  }

  /** Takes one event; `now` is the local clock, milliseconds. The effects are to be carried out in order. */
  step(event: OutboxEvent, now: number): readonly OutboxEffect[] {
    this.#now = now;
    this.#effects = [];
    this.#renews = [];
    if (event.type === "timer" && this.#stalled()) this.#effects.push({ type: "stalled" });
    else {
      this.#take(event);
      this.#pump();
      // Last: the driver answers each with an event of its own, whose timer is newer than this step's.
      this.#effects.push(...this.#renews);
    }
    return this.#effects;
  }

  /** A lost answer: what is in flight on the socket has not been answered for too long. */
  #stalled(): boolean {
    this.#wakeAt = undefined;
    return [...this.#slots.values()].some((s) => s.op === "send" && s.inFlight !== undefined && this.#now - s.inFlight >= stalledMs);
  }

  #take(event: OutboxEvent): void {
    if (event.type === "up") {
      this.#up = true;
      this.#maxInFlight = event.maxInFlight || defaultInFlight;
      this.#offset = event.offsetMs;
      for (const s of this.#slots.values()) {
        this.#land(s);
        s.notBefore = 0;
      }
    } else if (event.type === "down") {
      this.#up = false;
      for (const s of this.#slots.values()) this.#land(s);
      this.#wake(Infinity);
    }
    if (!("id" in event)) return;
    const slot = this.#find(event.id);
    if (event.type === "add") {
      if (!slot) this.#slots.set(event.id, newSlot(event));
    } else if (slot) this.#takeOf(slot, event);
  }

  #takeOf(slot: Slot, event: OutboxEvent): void {
    switch (event.type) {
      case "ack":
      case "discard":
        this.#remove(slot);
        return;
      case "networkError":
        this.#land(slot);
        slot.notBefore = this.#now + backOff(slot.attempts, this.#random);
        return;
      case "error":
        if (slot.inFlight === undefined) return;
        this.#land(slot);
        this.#refused(slot, event.code, event.retryAfterMs ?? 0, event.serverTimeMs ?? 0);
        return;
      case "renewed":
        for (const s of this.#slots.values()) if (s.target === slot.id) s.target = event.newId;
        this.#land(slot);
        Object.assign(slot, { id: event.newId, idMs: event.idMs, attempts: 0, turnedAway: 0, firstAttempt: 0, notBefore: 0 });
        this.#slots = new Map([...this.#slots.values()].map((s) => [s.id, s]));
    }
  }

  #refused(slot: Slot, code: ErrorCode, retryAfterMs: number, serverTimeMs: number): void {
    switch (code) {
      case "internal":
        if (++slot.internalErrors >= maxInternalErrors) {
          this.#fail(slot, code);
          return;
        }
        break;
      case "rate_limited":
        slot.turnedAway++; // before anybody looked at it: nothing was stored
        break;
      case "unavailable":
        break;
      case "resource_exhausted":
        if (retryAfterMs > longestWaitMs) {
          this.#fail(slot, code); // a quota that is used up: the user decides
          return;
        }
        break;
      case "clock_skew":
        this.#offset = serverTimeMs - this.#now;
        if (slot.attempts === slot.turnedAway + 1) {
          this.#renew(slot);
        } else slot.notBefore = this.#now + Math.max(backOff(slot.attempts, this.#random), slot.idMs - aheadMs - serverTimeMs);
        return;
      case "unauthenticated":
      case "token_expired":
        retryAfterMs = 0;
        break;
      case "signed_out":
        slot.notBefore = Infinity;
        return;
      default:
        this.#fail(slot, code);
        return;
    }
    slot.notBefore = this.#now + retryAfterMs + backOff(slot.attempts, this.#random);
  }

  /** Gives an item up, and what waits for it. */
  #fail(slot: Slot, code: ErrorCode): void {
    this.#effects.push({ type: "fail", id: slot.id, code });
    this.#remove(slot);
    for (const s of this.#slots.values()) {
      if (s.target !== slot.id) continue;
      this.#effects.push({ type: "fail", id: s.id, code: "failed_precondition" });
      this.#remove(s);
    }
  }

  #remove(slot: Slot): void {
    this.#land(slot);
    this.#slots.delete(slot.id);
  }

  /** It is not on its way any more. */
  #land(slot: Slot): void {
    if (slot.inFlight === undefined) return;
    slot.inFlight = undefined;
    this.#flying--;
    if (slot.op !== "send") this.#calling--;
  }

  /** Transmits what may go, in order, and sets the timer for the rest. */
  #pump(): void {
    if (!this.#up) return;
    const waiting = new Set<string>();
    const called = new Set<string>();
    let wake = Infinity;
    let seen = 0;
    for (const s of this.#slots.values()) {
      const idle = s.inFlight === undefined;
      // What is behind can neither go nor stall: thousands may wait there.
      if (idle && this.#flying >= this.#maxInFlight && seen >= this.#flying) break;
      if (idle && s.firstAttempt !== 0 && this.#now + this.#offset - s.firstAttempt > expiredMs) {
        this.#fail(s, "expired");
        continue;
      }
      // The server would refuse it, and after one lost answer for good.
      const early = s.idMs - aheadMs > this.#now + this.#offset;
      if (idle && early && s.attempts === s.turnedAway && s.notBefore !== Infinity) this.#renew(s);
      const room = this.#flying < this.#maxInFlight;
      const due = Math.max(s.notBefore, s.key ? (this.#keySent.get(keyOf(s)) ?? -keyedEveryMs) + keyedEveryMs : 0);
      if (s.op === "send") {
        if (idle && !waiting.has(s.conversation)) {
          if (due > this.#now) wake = Math.min(wake, due);
          // Sends stay in order; values of keys have none between them.
          if (s.notBefore > this.#now || !room) waiting.add(s.conversation);
          else if (due <= this.#now) this.#transmit(s);
        }
        if (s.inFlight !== undefined) wake = Math.min(wake, s.inFlight + stalledMs);
      } else {
        if (idle && !called.has(s.conversation) && !this.#find(s.target) && room && this.#calling < maxCalls) {
          if (due > this.#now) wake = Math.min(wake, due);
          else this.#transmit(s);
        }
        called.add(s.conversation);
      }
      if (s.inFlight !== undefined) seen++;
    }
    this.#wake(wake);
  }

  /** Asks for a new id for an item of which nothing can be stored. */
  #renew(slot: Slot): void {
    slot.notBefore = Infinity;
    this.#renews.push({ type: "renew", id: slot.id });
  }

  #transmit(slot: Slot): void {
    slot.attempts++;
    slot.firstAttempt ||= this.#now + this.#offset;
    slot.inFlight = this.#now;
    this.#flying++;
    if (slot.op !== "send") this.#calling++;
    if (slot.key) {
      for (const [key, at] of this.#keySent) if (at + keyedEveryMs <= this.#now) this.#keySent.delete(key);
      this.#keySent.set(keyOf(slot), this.#now);
    }
    this.#effects.push({ type: "transmit", id: slot.id, attempts: slot.attempts, firstAttemptMs: slot.firstAttempt });
  }

  /** Sets the one timer, or cancels it. */
  #wake(at: number): void {
    if (at === Infinity) {
      if (this.#wakeAt !== undefined) this.#effects.push({ type: "cancel" });
      this.#wakeAt = undefined;
    } else if (at !== this.#wakeAt) {
      this.#wakeAt = at;
      this.#effects.push({ type: "timer", inMs: Math.max(0, at - this.#now) });
    }
  }

  #find(id: string | undefined): Slot | undefined {
    return id ? this.#slots.get(id) : undefined;
  }
}

function keyOf(slot: Slot): string {
  return `${slot.conversation}\n${slot.key}`;
}

function newSlot(entry: OutboxEntry): Slot {
  return {
    id: entry.id,
    conversation: entry.conversation,
    op: entry.op,
    target: entry.target,
    key: entry.key,
    idMs: entry.idMs,
    attempts: entry.attempts ?? 0,
    turnedAway: 0,
    firstAttempt: entry.firstAttemptMs ?? 0,
    notBefore: 0,
    inFlight: undefined,
    internalErrors: 0,
  };
}
