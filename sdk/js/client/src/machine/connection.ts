// The connection's step machine: docs/sdk-spec.md §3. It decides when to ask for a token, dial, say hello,
// sync, ping, come back or stop; it starts nothing itself. Time comes with the event, dice as a function.
import type { ErrorCode, SkeinErrorDetails } from "../error.js";
import type { ClientState } from "../types/client.js";

/** Why the machine waits or stopped. */
export interface Reason extends SkeinErrorDetails {
  readonly code: ErrorCode;
  readonly message?: string | undefined;
}

export type ConnectionEvent =
  | { readonly type: "connect" | "close" | "refreshed" | "cursor" | "online" | "offline" }
  | { readonly type: "token"; readonly expiresMs: number }
  | { readonly type: "tokenFailed"; readonly error: Reason }
  | { readonly type: "opened" | "received" | "sent"; readonly socket: number }
  | { readonly type: "dialFailed"; readonly socket: number; readonly error: Reason }
  | { readonly type: "closed"; readonly socket: number; readonly code: number }
  | {
      readonly type: "welcome";
      readonly socket: number;
      readonly serverTimeMs: number;
      readonly expiresMs: number;
      readonly pingIntervalMs: number;
      readonly more: boolean;
      /** With more: the next page is on its way. */
      readonly follows?: boolean;
    }
  | { readonly type: "sync"; readonly socket: number; readonly more: boolean; readonly follows?: boolean }
  | { readonly type: "helloError" | "syncError" | "refreshError"; readonly socket: number; readonly error: Reason }
  | { readonly type: "goAway"; readonly socket: number; readonly retryAfterMs: number }
  | { readonly type: "timer"; readonly name: TimerName };

export type TimerName = "hello" | "ping" | "pong" | "refresh" | "stable" | "goAway" | "cursorAck" | "retry";

export type ConnectionEffect =
  | { readonly type: "getToken" | "dropCursor" | "flush" | "cancelAll" }
  | { readonly type: "dial" | "hello" | "sync" | "ping" | "refresh" | "cursorAck"; readonly socket: number }
  | { readonly type: "closeSocket"; readonly socket: number; readonly code: number }
  | { readonly type: "timer"; readonly name: TimerName; readonly inMs: number }
  | { readonly type: "cancel"; readonly name: TimerName }
  | { readonly type: "state"; readonly state: ClientState; readonly error?: Reason; readonly retryInMs?: number }
  | { readonly type: "error"; readonly error: Reason };

const backOffBaseMs = 500;
const backOffCapMs = 30_000;
const helloMs = 10_000;
const pongMs = 10_000;
const probeMs = 3_000;
const stableMs = 10_000;
const goAwayMs = 5_000;
const cursorAckMs = 2_000;
const refreshRetryMs = 30_000;
/** A token that ends sooner is not worth a dial. */
const tokenLeastMs = 30_000;
/** Least wait after the server said that there are too many of us. */
const rateLimitedMs = 5_000;

/** Full jitter: anything between now and a cap that doubles with every failure. */
export function backOff(attempt: number, random: () => number): number {
  return Math.floor(random() * Math.min(backOffCapMs, backOffBaseMs * 2 ** Math.min(attempt, 10)));
}

/** Errors of hello after which coming back is worth it. */
const passing: ReadonlySet<ErrorCode> = /* @__PURE__ */ new Set(["rate_limited", "unavailable", "resource_exhausted", "internal"]);

export class ConnectionMachine {
  state: ClientState = "idle";
  /** The number of the socket that counts, 0 = there was none yet. */
  socket = 0;
  /** Server time minus local time, milliseconds. */
  offset = 0;

  #phase: "none" | "token" | "dial" | "hello" = "none";
  #open = false;
  #hasToken = false;
  #fresh = false;
  #expires = 0;
  #attempt = 0;
  #refusals = 0;
  #floor = 0;
  #lastSent = 0;
  #pingInterval = 0;
  #awaitingPong = false;
  #ackPending = false;
  #cursorDropped = false;
  #now = 0;
  #effects: ConnectionEffect[] = [];
  readonly #random: () => number;

  /** `random` gives a number in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Takes one event; `now` is the local clock, milliseconds. The effects are to be carried out in order. */
  step(event: ConnectionEvent, now: number): readonly ConnectionEffect[] {
    this.#now = now;
    this.#effects = [];
    if (!("socket" in event) || (event.socket === this.socket && this.#open)) this.#take(event);
    return this.#effects;
  }

  #take(event: ConnectionEvent): void {
    if (event.type === "close") {
      if (this.state !== "closed") this.#stop("closed", undefined);
      return;
    }
    switch (this.state) {
      case "idle":
      case "signedOut":
      case "replaced":
      case "closed":
        if (event.type !== "connect") return;
        this.#attempt = 0;
        this.#refusals = 0;
        this.#hasToken = false;
        this.#cursorDropped = false;
        this.#begin();
        return;
      case "waiting":
        if (event.type === "connect" || event.type === "online") {
          this.#attempt = 0;
          this.#cancelAll();
          this.#begin();
        } else if (event.type === "timer" && event.name === "retry") this.#begin();
        return;
      case "connecting":
        this.#connecting(event);
        return;
      default:
        this.#connected(event);
    }
  }

  #connecting(event: ConnectionEvent): void {
    if (this.#phase === "token") {
      if (event.type === "token") {
        this.#hasToken = true;
        this.#fresh = true;
        this.#expires = event.expiresMs;
        this.#dial();
      } else if (event.type === "tokenFailed") this.#lose(event.error);
      return;
    }
    switch (event.type) {
      case "closed":
        this.#closed(event.code);
        return;
      case "timer":
        if (event.name !== "hello") return;
        this.#closeSocket();
        this.#lose({ code: "unavailable", message: "the server did not answer in time" });
        return;
      case "sent":
        this.#lastSent = this.#now;
        return;
    }
    if (this.#phase === "dial") {
      if (event.type === "opened") {
        this.#phase = "hello";
        this.#say({ type: "hello", socket: this.socket });
      } else if (event.type === "dialFailed") {
        this.#open = false;
        this.#lose({ ...event.error, code: "unavailable" });
      }
    } else if (event.type === "welcome") this.#welcome(event);
    else if (event.type === "helloError") this.#refused(event.error);
  }

  #welcome(event: ConnectionEvent & { readonly type: "welcome" }): void {
    this.#phase = "none";
    this.offset = event.serverTimeMs - this.#now;
    this.#expires = event.expiresMs;
    this.#pingInterval = Math.max(event.pingIntervalMs, 1000);
    this.#refusals = 0;
    this.#fresh = false;
    this.#cursorDropped = false;
    this.#cancelAll();
    this.#timer("ping", this.#pingInterval);
    this.#refreshTimer();
    this.#timer("stable", stableMs);
    if (event.more) {
      this.#setState("syncing");
      if (!event.follows) this.#say({ type: "sync", socket: this.socket });
    } else this.#online();
  }

  #online(): void {
    this.#setState("online");
    this.#effects.push({ type: "flush" });
  }

  #connected(event: ConnectionEvent): void {
    switch (event.type) {
      case "sync":
        if (this.state !== "syncing") return;
        if (!event.more) this.#online();
        else if (!event.follows) this.#say({ type: "sync", socket: this.socket });
        return;
      case "syncError":
        this.#syncError(event.error);
        return;
      case "received":
        if (!this.#awaitingPong) return;
        this.#awaitingPong = false;
        this.#effects.push({ type: "cancel", name: "pong" });
        return;
      case "sent":
        this.#lastSent = this.#now;
        return;
      case "online":
      case "offline":
        if (!this.#awaitingPong) this.#ping(probeMs);
        return;
      case "token":
        this.#hasToken = true;
        this.#expires = event.expiresMs;
        this.#say({ type: "refresh", socket: this.socket });
        this.#refreshTimer();
        return;
      case "tokenFailed":
        this.#effects.push({ type: "error", error: event.error });
        this.#timer("refresh", refreshRetryMs);
        return;
      case "refreshError":
        if (event.error.code === "signed_out") this.#stop("signedOut", event.error);
        else {
          this.#hasToken = false;
          this.#effects.push({ type: "error", error: event.error });
          this.#timer("refresh", refreshRetryMs);
        }
        return;
      case "goAway":
        this.#floor = event.retryAfterMs;
        this.#timer("goAway", goAwayMs);
        return;
      case "cursor":
        if (this.#ackPending) return;
        this.#ackPending = true;
        this.#timer("cursorAck", cursorAckMs);
        return;
      case "closed":
        this.#closed(event.code);
        return;
      case "timer":
        this.#connectedTimer(event.name);
    }
  }

  #connectedTimer(name: TimerName): void {
    switch (name) {
      case "ping": {
        const rest = this.#lastSent + this.#pingInterval - this.#now;
        if (rest > 0) this.#timer("ping", rest);
        else this.#ping(pongMs);
        return;
      }
      case "pong":
        this.#closeSocket();
        this.#lose({ code: "unavailable", message: "the connection went silent" }, this.#floor);
        return;
      case "refresh":
        this.#effects.push({ type: "getToken" });
        return;
      case "goAway":
        this.#closeSocket();
        this.#lose({ code: "unavailable", message: "the server goes away" }, this.#floor);
        return;
      case "stable":
        this.#attempt = 0;
        return;
      case "cursorAck":
        this.#ackPending = false;
        this.#say({ type: "cursorAck", socket: this.socket });
    }
  }

  #ping(patienceMs: number): void {
    this.#lastSent = this.#now;
    this.#say({ type: "ping", socket: this.socket });
    this.#timer("ping", this.#pingInterval);
    if (this.#awaitingPong) return;
    this.#awaitingPong = true;
    this.#timer("pong", patienceMs);
  }

  #syncError(error: Reason): void {
    if (this.state !== "syncing") return;
    if (error.code === "cursor_invalid" && !this.#cursorDropped) {
      this.#cursorDropped = true;
      this.#effects.push({ type: "dropCursor" });
      this.#say({ type: "sync", socket: this.socket });
      return;
    }
    this.#closeSocket();
    this.#lose(error, error.retryAfterMs);
  }

  #refused(error: Reason): void {
    this.#closeSocket();
    if (error.code === "unauthenticated" || error.code === "token_expired") this.#tokenRefused(error);
    else if (error.code === "signed_out") this.#stop("signedOut", error);
    else if (error.code === "cursor_invalid" && !this.#cursorDropped) {
      this.#cursorDropped = true;
      this.#effects.push({ type: "dropCursor" });
      this.#cancelAll();
      this.#begin();
    } else if (passing.has(error.code) || error.code === "cursor_invalid") this.#lose(error, error.retryAfterMs);
    else this.#stop("closed", error);
  }

  /** The table of close codes, §3.4. */
  #closed(code: number): void {
    this.#open = false;
    const lost: Reason = { code: "unavailable", message: "the connection was lost" };
    if (code === 4401) this.#tokenRefused({ code: "unauthenticated", message: "the server refuses the token" });
    else if (code === 4402) this.#tokenRefused({ code: "token_expired", message: "the token has expired" });
    else if (code === 4403) this.#stop("signedOut", { code: "signed_out", message: "this device was signed out" });
    else if (code === 4405) {
      this.#stop("replaced", { code: "failed_precondition", message: "another connection took over" });
    } else if (code === 4400 || code === 4404) {
      this.#stop("closed", { code: "invalid_argument", message: `the server refuses what it was sent (${code})` });
    } else if (code === 4406) {
      this.#stop("closed", { code: "unsupported", message: "the server does not know this protocol version" });
    } else if (code === 4504) {
      this.#lose({ code: "rate_limited", message: "too many connections" }, Math.max(this.#floor, rateLimitedMs));
    } else this.#lose(lost, this.#floor);
  }

  /**
   * Gets another token: not at all when two fresh ones were refused; at once when hello was refused, so at most
   * twice, or the session had been a stable one; else with back-off, for a server that welcomes and then refuses.
   */
  #tokenRefused(error: Reason): void {
    this.#hasToken = false;
    if (this.#fresh) this.#refusals++;
    if (this.#refusals >= 2) this.#stop("signedOut", { ...error, code: "unauthenticated" });
    else if (this.#phase === "hello" || this.#attempt === 0) {
      this.#attempt = Math.max(this.#attempt, 1);
      this.#leave();
      this.#cancelAll();
      this.#begin();
    } else this.#lose(error);
  }

  #begin(): void {
    this.#setState("connecting");
    const left = this.#expires - (this.#now + this.offset);
    if (this.#hasToken && (this.#expires === 0 || left > tokenLeastMs)) {
      this.#fresh = false;
      this.#dial();
    } else {
      this.#phase = "token";
      this.#effects.push({ type: "getToken" });
    }
  }

  #dial(): void {
    this.#phase = "dial";
    this.#open = true;
    this.socket++;
    this.#effects.push({ type: "dial", socket: this.socket });
    this.#timer("hello", helloMs);
  }

  #lose(error: Reason, floor = 0): void {
    this.#cancelAll();
    const inMs = floor + backOff(this.#attempt, this.#random);
    this.#attempt++;
    this.#leave();
    this.#setState("waiting", error, inMs);
    this.#timer("retry", inMs);
  }

  #stop(state: ClientState, error: Reason | undefined): void {
    this.#closeSocket();
    this.#cancelAll();
    this.#leave();
    this.#setState(state, error);
  }

  /** What was of the socket that is gone. */
  #leave(): void {
    this.#phase = "none";
    this.#fresh = false;
    this.#awaitingPong = false;
    this.#ackPending = false;
    this.#floor = 0;
  }

  #closeSocket(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#effects.push({ type: "closeSocket", socket: this.socket, code: 1000 });
  }

  /** The driver reports each packet that it sends as `sent`. */
  #say(effect: ConnectionEffect & { readonly socket: number }): void {
    this.#effects.push(effect);
  }

  #refreshTimer(): void {
    if (!this.#expires) return;
    this.#timer("refresh", Math.max(1000, Math.floor(0.8 * (this.#expires - (this.#now + this.offset)))));
  }

  #timer(name: TimerName, inMs: number): void {
    this.#effects.push({ type: "timer", name, inMs });
  }

  #cancelAll(): void {
    this.#effects.push({ type: "cancelAll" });
  }

  #setState(state: ClientState, error?: Reason, retryInMs?: number): void {
    this.state = state;
    this.#effects.push({ type: "state", state, ...(error && { error }), ...(retryInMs !== undefined && { retryInMs }) });
  }
}
