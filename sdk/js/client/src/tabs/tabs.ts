// What a crew needs of its surroundings: an election, a way to ask the elected, and a way to hear from it.
import type { Command } from "./crew.js";

export interface TabsMember<C = Command> {
  /** This one leads from now on. */
  lead(): void;
  /** Another one leads, or leads anew: what was told before may have been lost. */
  follow(): void;
  /** As one that follows: what the one that leads told. */
  told(value: unknown): void;
  /** As the one that leads: a command of another tab. */
  command(command: C, tab: string): Promise<unknown>;
  /** As the one that leads: another tab came, or went. */
  joined(tab: string): void;
  left(tab: string): void;
}

export interface TabsHandle<C = Command> {
  /** Tells all others, as the one that leads. */
  tell(value: unknown): void;
  /** Asks the one that leads. It waits for one, and asks the next one when it dies. */
  ask(command: C, signal: AbortSignal | undefined): Promise<unknown>;
  leave(): void;
}

export interface Tabs {
  /** Takes part; `name` is the same for all tabs of one device. Nothing of `member` is called before this returns. */
  join<C = Command>(name: string, member: TabsMember<C>): TabsHandle<C>;
}
