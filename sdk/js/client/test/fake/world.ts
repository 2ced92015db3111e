import { SkeinClient, type FullOptions } from "../../src/client.js";
import { extras } from "../../src/modules/extras/index.js";
import { directId } from "../../src/project.js";
import type { Client } from "../../src/types/client.js";
import type { Environment, EnvironmentSignal } from "../../src/types/environment.js";
import { ManualClock, until } from "./clock.js";
import { FakeServer, tokenFor } from "./server.js";

export const endpoint = "http://skein.example";
export const alicesBob = directId("alice", "bob");

/** A clock, a server, and clients that are closed at the end. */
export class World {
  readonly clock = new ManualClock();
  readonly server = new FakeServer(this.clock);
  readonly #clients: Client[] = [];

  client(user: string, options: Partial<FullOptions> = {}): Client {
    const client = new SkeinClient({
      endpoint,
      appId: "demo",
      token: () => tokenFor(user),
      userId: user,
      transport: this.server,
      clock: this.clock,
      extras,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  async online(user: string, options: Partial<FullOptions> = {}): Promise<Client> {
    const client = this.client(user, options);
    await client.connect();
    return client;
  }

  /** Waits, with the clock moving. */
  until(condition: () => unknown, what?: string): Promise<void> {
    return until(condition, what, this.clock);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

/** Surroundings whose signals a test gives. */
export class ManualEnvironment implements Environment {
  readonly #listeners = new Set<(signal: EnvironmentSignal) => void>();

  subscribe(listener: (signal: EnvironmentSignal) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  signal(signal: EnvironmentSignal): void {
    for (const listener of this.#listeners) listener(signal);
  }
}
