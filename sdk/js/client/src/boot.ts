// Whose client it is, and opening what the store has of them.
import { asSkeinError } from "./abort.js";
import { SkeinError } from "./error.js";
import { backOff } from "./machine/connection.js";
import { type TokenSource, readClaims } from "./token.js";
import type { Clock, Environment } from "./types/environment.js";
import type { Partition, PartitionKey, Store } from "./types/store.js";

export interface BootOptions {
  readonly endpoint: string;
  readonly appId: string;
  readonly userId: string | undefined;
  readonly store: Store;
  /** Stands in for a store that can not be opened; undefined = nothing does. */
  readonly standIn: (() => Store) | undefined;
  readonly tokens: TokenSource;
  readonly clock: Clock;
  readonly environment: Environment | undefined;
  readonly random: () => number;
  /** Nobody knows whose client it is yet: told before each wait. */
  waiting(error: SkeinError, retryAt: number): void;
  error(error: SkeinError): void;
  readonly closed: () => boolean;
}

/** The user: as the app says, else as the first token says, else while there is none the last one here. */
export async function findUser(options: BootOptions): Promise<string> {
  if (options.userId) return options.userId;
  for (let attempt = 0; !options.closed(); attempt++) {
    try {
      const { user } = readClaims(await options.tokens.fetch());
      if (user) return user;
    } catch (cause) {
      const error = asSkeinError(cause, "unavailable", "the token supplier failed");
      const last = await options.store.lastUser(options.endpoint, options.appId).catch(() => undefined);
      if (last) return last;
      const delay = backOff(attempt, options.random);
      options.waiting(error, options.clock.now() + delay);
      await pause(options, delay);
      continue;
    }
    throw new SkeinError("unauthenticated", "the token does not say whose it is", {
      hint: "its claim sub is the user's id",
    });
  }
  throw new SkeinError("closed", "the client was closed");
}

/** Waits, or until the network comes back. */
function pause({ clock, environment }: BootOptions, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      off?.();
      resolve();
    };
    const cancel = clock.after(ms, done);
    const off = environment?.subscribe((signal) => {
      if (signal === "online" || signal === "visible") done();
    });
  });
}

/** Opens the partition. A store that can not be opened is told of, and memory stands in for it where there is one. */
export async function openPartition({ store, standIn, error }: BootOptions, key: PartitionKey): Promise<Partition> {
  try {
    return await store.open(key);
  } catch (cause) {
    if (!standIn) throw cause;
    error(asSkeinError(cause, "storage", "the local store can not be opened"));
    return standIn().open(key);
  }
}
