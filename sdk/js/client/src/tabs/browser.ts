// Tabs over Web Locks and BroadcastChannel. The lock elects: whoever holds it leads, and the browser gives it to
// the next one in the queue the moment its holder dies. The channel carries commands to the leader and news from it.
import { abortedError } from "../abort.js";
import { SkeinError } from "../error.js";
import type { FailureRecord } from "../types/store.js";
import { toBase64 } from "../wire/codec.js";
import { plain, revive } from "./crew.js";
import type { Tabs, TabsHandle, TabsMember } from "./tabs.js";

/** What of a BroadcastChannel is used. */
export interface ChannelLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(data: unknown): void;
  close(): void;
}

/** What of the Web Locks API is used. */
export interface LocksLike {
  request(name: string, options: { readonly signal: AbortSignal }, callback: () => Promise<void>): Promise<unknown>;
}

export interface BrowserTabsOptions {
  readonly locks: LocksLike;
  readonly channel: (name: string) => ChannelLike;
  /** Names this tab among the others. */
  readonly id: string;
}

type Envelope =
  | { readonly kind: "hello" | "bye" | "lead"; readonly from: string }
  | { readonly kind: "told"; readonly from: string; readonly value: unknown }
  | { readonly kind: "ask"; readonly from: string; readonly ask: number; readonly command: unknown }
  | { readonly kind: "answer"; readonly to: string; readonly ask: number; readonly value?: unknown; readonly error?: FailureRecord };

interface Pending<C> {
  readonly command: C;
  resolve(value: unknown): void;
  reject(error: SkeinError): void;
}

class BrowserTabs<C> implements TabsHandle<C> {
  readonly shared = true;
  readonly #id: string;
  readonly #channel: ChannelLike;
  readonly #member: TabsMember<C>;
  readonly #left = new AbortController();
  readonly #pending = new Map<number, Pending<C>>();
  #asks = 0;
  #leads = false;
  #release: (() => void) | undefined;

  constructor(name: string, member: TabsMember<C>, { locks, channel, id }: BrowserTabsOptions) {
    this.#id = id;
    this.#member = member;
    this.#channel = channel(name);
    this.#channel.onmessage = ({ data }) => this.#receive(data as Envelope);
    this.#post({ kind: "hello", from: id });
    locks
      .request(name, { signal: this.#left.signal }, () => this.#lead())
      .catch(() => {
        // Given up while waiting for it.
      });
  }

  /** Holds the lock until it leaves. */
  #lead(): Promise<void> {
    return new Promise((release) => {
      if (this.#left.signal.aborted) {
        release();
        return;
      }
      this.#release = release;
      this.#leads = true;
      this.#member.lead();
      this.#post({ kind: "lead", from: this.#id });
      // What was asked of the one before is this one's to do now.
      for (const [ask, { command }] of this.#pending) void this.#answer(this.#id, ask, command);
    });
  }

  tell(value: unknown): void {
    if (this.#leads) this.#post({ kind: "told", from: this.#id, value });
  }

  ask(command: C, signal: AbortSignal | undefined): Promise<unknown> {
    const ask = ++this.#asks;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#pending.delete(ask);
        reject(signal ? abortedError(signal) : undefined);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const over = (): void => {
        this.#pending.delete(ask);
        signal?.removeEventListener("abort", onAbort);
      };
      this.#pending.set(ask, {
        command,
        resolve: (value) => {
          over();
          resolve(value);
        },
        reject: (error) => {
          over();
          reject(error);
        },
      });
      if (this.#leads) void this.#answer(this.#id, ask, command);
      else this.#post({ kind: "ask", from: this.#id, ask, command });
    });
  }

  leave(): void {
    if (this.#left.signal.aborted) return;
    this.#post({ kind: "bye", from: this.#id });
    this.#left.abort();
    this.#leads = false;
    this.#release?.();
    this.#channel.onmessage = null;
    this.#channel.close();
    for (const pending of [...this.#pending.values()]) pending.reject(new SkeinError("closed", "the client was closed"));
  }

  #post(envelope: Envelope): void {
    if (!this.#left.signal.aborted) this.#channel.postMessage(envelope);
  }

  #receive(envelope: Envelope): void {
    switch (envelope.kind) {
      case "hello":
        if (this.#leads) this.#member.joined(envelope.from);
        return;
      case "bye":
        if (this.#leads) this.#member.left(envelope.from);
        return;
      case "lead":
        if (this.#leads) return;
        this.#member.follow();
        for (const [ask, { command }] of this.#pending) this.#post({ kind: "ask", from: this.#id, ask, command });
        return;
      case "told":
        if (!this.#leads) this.#member.told(envelope.value);
        return;
      case "ask":
        if (this.#leads) void this.#answer(envelope.from, envelope.ask, envelope.command as C);
        return;
      case "answer":
        if (envelope.to === this.#id) this.#settle(envelope.ask, envelope.value, envelope.error);
    }
  }

  async #answer(to: string, ask: number, command: C): Promise<void> {
    let value: unknown;
    let error: FailureRecord | undefined;
    try {
      value = await this.#member.command(command, to);
    } catch (cause) {
      error = cause instanceof SkeinError ? plain(cause) : { code: "internal", message: String(cause) };
    }
    if (to === this.#id) this.#settle(ask, value, error);
    else this.#post({ kind: "answer", to, ask, value, ...(error && { error }) });
  }

  #settle(ask: number, value: unknown, error: FailureRecord | undefined): void {
    const pending = this.#pending.get(ask);
    if (error) pending?.reject(revive(error));
    else pending?.resolve(value);
  }
}

/** Those of this platform; undefined where tabs can not find each other. `random` gives bytes for the tab's name. */
export function platformTabs(random: (length: number) => Uint8Array): Tabs | undefined {
  if (typeof navigator === "undefined" || !("locks" in navigator) || typeof BroadcastChannel === "undefined") return undefined;
  const channel = (name: string): ChannelLike => new BroadcastChannel(name) as unknown as ChannelLike;
  return browserTabs({ locks: navigator.locks, channel, id: toBase64(random(12)) });
}

/** All tabs, windows and workers of an origin that join the same name. */
export function browserTabs(options: BrowserTabsOptions): Tabs {
  return { join: (name, member) => new BrowserTabs(name, member, options) };
}
