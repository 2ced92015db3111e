// What a client remembers of profiles: the server announces no change, so each is asked for again after a while, together
// with others, and only what has changed crosses the network.
import type { CallOptions, ModuleHost, Unsubscribe } from "../../module.js";
import type { Profile, ProfileUpdate } from "./types.js";
import { calls, type Profile as WireProfile } from "./wire.js";

/** For how long a profile is shown without asking. */
const freshMs = 300_000;
/** How long one who looks waits for others to look: the names of a whole list are one call. */
const gatherMs = 20;
/** Of one call. */
const most = 100;
const kept = 5000;

interface Kept {
  readonly profile: Profile | undefined;
  readonly version: string;
  readonly at: number;
}

const writable = ["name", "avatarUrl", "bio", "gender", "birthday", "language"] as const;
const wireNames: Readonly<Record<string, string>> = { avatarUrl: "avatar_url" };

function read({ user, name, avatarUrl, bio, gender, birthday, language, custom }: WireProfile): Profile {
  return { user, name, avatarUrl, bio, gender, birthday, language, custom: Object.fromEntries(custom.map((f) => [f.name, f.value])) };
}

export class ProfileCache {
  readonly #host: ModuleHost;
  readonly #known = new Map<string, Kept>();
  readonly #wanted = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #gathering = false;

  constructor(host: ModuleHost) {
    this.#host = host;
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get(user: string): Profile | undefined {
    const have = this.#known.get(user);
    if (user && (!have || this.#host.now() - have.at >= freshMs)) this.#want(user);
    return have?.profile;
  }

  /** The next look asks again. */
  forget(user: string): void {
    const have = this.#known.get(user);
    if (have) this.#known.set(user, { ...have, at: 0 });
    this.#tell();
  }

  keep(wire: WireProfile): Profile {
    const profile = read(wire);
    // Who is found without showing anything has no version.
    if (wire.version) this.#put(wire.user, { profile, version: wire.version, at: this.#host.now() });
    return profile;
  }

  async fetch(users: readonly string[], { fresh = false, signal }: CallOptions & { readonly fresh?: boolean | undefined } = {}): Promise<ReadonlyMap<string, Profile>> {
    const now = this.#host.now();
    const ask = [...new Set(users)].filter((user) => fresh || now - (this.#known.get(user)?.at ?? -Infinity) >= freshMs);
    for (let i = 0; i < ask.length; i += most) await this.#ask(ask.slice(i, i + most), { signal });
    const out = new Map<string, Profile>();
    for (const user of users) {
      const profile = this.#known.get(user)?.profile;
      if (profile) out.set(user, profile);
    }
    return out;
  }

  async update(update: ProfileUpdate, options?: CallOptions): Promise<Profile> {
    const profile: { -readonly [Name in keyof WireProfile]?: WireProfile[Name] } = {};
    const fields: string[] = [];
    for (const name of writable) {
      const value = update[name];
      if (value === undefined) continue;
      profile[name] = value;
      fields.push(wireNames[name] ?? name);
    }
    if (update.custom) {
      profile.custom = Object.entries(update.custom).map(([name, value]) => ({ name, value }));
      fields.push("custom");
    }
    const answer = await this.#host.call(calls.UpdateProfile, { profile, fields }, options);
    const wire = answer.profile as WireProfile;
    this.#put(wire.user, { profile: read(wire), version: wire.version, at: this.#host.now() });
    this.#tell();
    return read(wire);
  }

  #want(user: string): void {
    this.#wanted.add(user);
    if (this.#gathering || this.#host.state !== "online") return;
    this.#gathering = true;
    void this.#host.ready.then(() => setTimeout(() => void this.#gather(), gatherMs));
  }

  async #gather(): Promise<void> {
    const users = [...this.#wanted].slice(0, most);
    for (const user of users) this.#wanted.delete(user);
    try {
      if (users.length > 0) await this.#ask(users);
    } catch {
      // Whoever looks next asks again.
    }
    this.#gathering = false;
    const next = this.#wanted.values().next().value;
    if (next !== undefined) this.#want(next);
  }

  async #ask(users: readonly string[], options?: CallOptions): Promise<void> {
    const known = users.flatMap((user) => {
      const version = this.#known.get(user)?.version;
      return version ? [{ user, version }] : [];
    });
    const { profiles, unchanged } = await this.#host.call(calls.GetProfiles, { users, known }, options);
    const at = this.#host.now();
    const got = new Map<string, Kept>();
    for (const user of unchanged) {
      const have = this.#known.get(user);
      if (have) got.set(user, { ...have, at });
    }
    for (const wire of profiles) got.set(wire.user, { profile: read(wire), version: wire.version, at });
    let changed = false;
    for (const user of users) {
      const now = got.get(user) ?? { profile: undefined, version: "", at };
      changed ||= (this.#known.get(user)?.version ?? "") !== now.version;
      this.#put(user, now);
    }
    if (changed) this.#tell();
  }

  #put(user: string, value: Kept): void {
    if (this.#known.size >= kept && !this.#known.has(user)) this.#known.clear();
    this.#known.set(user, value);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
