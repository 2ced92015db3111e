// What lasts seconds and is never stored: who is writing, who is online.
import type { Presence, Unsubscribe } from "./types/client.js";
import type { Clock } from "./types/environment.js";

/** How long a typing sign is shown after the last one. */
const typingShownMs = 6_000;
/** How often it is sent while the user goes on writing. */
const typingEveryMs = 3_000;

const nobody: readonly string[] = [];

export interface EphemeralHooks {
  typing(conversation: string, user: string, typing: boolean): void;
  presence(presence: Presence): void;
}

export class Ephemeral {
  readonly #clock: Clock;
  readonly #hooks: EphemeralHooks;
  readonly #typing = new Map<string, Map<string, Unsubscribe>>();
  readonly #lists = new Map<string, readonly string[]>();
  readonly #presence = new Map<string, Presence>();
  /** When the own typing was told last, by conversation. */
  readonly #told = new Map<string, number>();

  constructor(clock: Clock, hooks: EphemeralHooks) {
    this.#clock = clock;
    this.#hooks = hooks;
  }

  typingIn(conversation: string): readonly string[] {
    return this.#lists.get(conversation) ?? nobody;
  }

  /** Somebody wrote, stopped, or sent what they wrote. */
  takeTyping(conversation: string, user: string, typing: boolean): void {
    let users = this.#typing.get(conversation);
    const cancel = users?.get(user);
    cancel?.();
    if (!typing) {
      if (!users?.delete(user)) return;
    } else {
      if (!users) this.#typing.set(conversation, (users = new Map()));
      users.set(user, this.#clock.after(typingShownMs, () => this.takeTyping(conversation, user, false)));
      if (cancel) return;
    }
    this.#lists.set(conversation, [...users.keys()]);
    this.#hooks.typing(conversation, user, typing);
  }

  /** Whether the own typing is to be told now. */
  tell(conversation: string, typing: boolean): boolean {
    const last = this.#told.get(conversation) ?? -Infinity;
    const now = this.#clock.now();
    if (typing) {
      if (now - last < typingEveryMs) return false;
      this.#told.set(conversation, now);
      return true;
    }
    this.#told.delete(conversation);
    return now - last < typingShownMs;
  }

  /** A sent message ends the typing for the others; the next key tells it again. */
  sent(conversation: string): void {
    this.#told.delete(conversation);
  }

  presenceOf(user: string): Presence | undefined {
    return this.#presence.get(user);
  }

  takePresence(presence: Presence): void {
    this.#presence.set(presence.user, presence);
    this.#hooks.presence(presence);
  }

  /** The connection is gone: nobody's state is known any more. */
  forget(): void {
    this.#presence.clear();
    for (const [conversation, users] of this.#typing) for (const user of [...users.keys()]) this.takeTyping(conversation, user, false);
  }
}
