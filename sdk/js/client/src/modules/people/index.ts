/**
 * Profiles, contacts and blocks: `createClient({ …, modules: { people: people() } })` gives `client.people`.
 *
 * @packageDocumentation
 */
import { SkeinError } from "../../error.js";
import { type CallOptions, type KeyedValue, type Module, type ModuleHost, type Presence, type Unsubscribe, defineModule } from "../../module.js";
import { ProfileCache } from "./profiles.js";
import type { BlockedUser, Contact, ContactPolicy, ContactRequest, DirectoryQuery, Follow, Follows, Privacy, Profile, ProfileUpdate, ReadReceipts, Status, Visibility } from "./types.js";
import { calls, contactPolicyNames, contentFields, presenceFields, readReceiptsNames, visibilityNames } from "./wire.js";
import type { ContactChange, Privacy as WirePrivacy } from "./wire.js";

export type { BlockedUser, Contact, ContactPolicy, ContactRequest, DirectoryQuery, Follow, Follows, Privacy, Profile, ProfileUpdate, ReadReceipts, Status, Visibility } from "./types.js";

/** What `client.people` offers. Lists are what this device knows: they ask nobody, and are the same array until something changes. */
export interface People {
  /**
   * The profile of a user as far as it is known, for a list or a heading: undefined when they show nothing or were not
   * asked about yet. Then, and when it is older than five minutes, it is asked for together with others, and `onProfiles` tells.
   */
  profile(user: string): Profile | undefined;
  onProfiles(listener: () => void): Unsubscribe;
  /** The profiles of some users, without those who show nothing. `fresh` asks the server whether one has changed. */
  profiles(users: readonly string[], options?: CallOptions & { readonly fresh?: boolean | undefined }): Promise<ReadonlyMap<string, Profile>>;
  updateProfile(update: ProfileUpdate, options?: CallOptions): Promise<Profile>;
  privacy(options?: CallOptions): Promise<Privacy>;
  /** Changes the settings that are given. */
  updatePrivacy(change: Partial<Privacy>, options?: CallOptions): Promise<Privacy>;
  /** Pages of users who want to be found. */
  searchDirectory(query: DirectoryQuery, options?: CallOptions & { readonly limit?: number | undefined }): AsyncGenerator<readonly Profile[]>;

  readonly contacts: readonly Contact[];
  /** Those that wait, and the user's own that were declined. */
  readonly requests: readonly ContactRequest[];
  readonly blocked: readonly BlockedUser[];
  /** One of the three lists changed. */
  onChange(listener: () => void): Unsubscribe;
  /** True: contacts at once; the other one lets everybody, or had asked already. */
  requestContact(user: string, greeting?: string, options?: CallOptions): Promise<boolean>;
  acceptContact(user: string, options?: CallOptions): Promise<void>;
  declineContact(user: string, options?: CallOptions): Promise<void>;
  removeContact(user: string, options?: CallOptions): Promise<void>;
  /** Replaces the remark and the labels. */
  updateContact(user: string, change: { readonly remark: string; readonly labels: readonly string[] }, options?: CallOptions): Promise<void>;
  /** Once it resolves nothing that they send to the direct conversation is stored. Ends a contact and requests. */
  block(user: string, options?: CallOptions): Promise<void>;
  unblock(user: string, options?: CallOptions): Promise<void>;

  /** What a user says of themselves, of a presence as `client.presence` and its event have it; undefined when nothing, or nothing any more. */
  statusOf(presence: Presence | undefined): Status | undefined;
  /** Says something of oneself: at most 128 bytes, and an emoji. undefined takes it back. Who watches is told. */
  setStatus(status: Status | undefined, options?: CallOptions): Promise<void>;

  /** Follows a user, who need not agree. Following twice is no error. */
  follow(user: string, options?: CallOptions): Promise<void>;
  unfollow(user: string, options?: CallOptions): Promise<void>;
  /** How many follow a user, and how one stands to them. */
  follows(user: string, options?: CallOptions): Promise<Follows>;
  /** Pages of whom one follows, or who follows one, by user id. */
  listFollows(which: "following" | "followers", options?: CallOptions): AsyncGenerator<readonly Follow[]>;
}

const prefixes = ["contact/", "request/", "block/"] as const;
const declined = 2;

/** The lists, read from the user's own values. */
interface Lists {
  readonly of: ReadonlyMap<string, KeyedValue> | undefined;
  readonly contacts: readonly Contact[];
  readonly requests: readonly ContactRequest[];
  readonly blocked: readonly BlockedUser[];
}

const millis = (us: number): number => Math.floor(us / 1000);

function readLists(of: ReadonlyMap<string, KeyedValue>): Lists {
  const contacts: Contact[] = [];
  const requests: ContactRequest[] = [];
  const blocked: BlockedUser[] = [];
  for (const [key, { content }] of of) {
    if (!content || !prefixes.some((p) => key.startsWith(p))) continue;
    const change: ContactChange | undefined = contentFields.read(content).contactChange;
    const { contact, request, blocked: block } = change ?? {};
    if (contact) contacts.push({ user: contact.user, since: millis(contact.sinceUs), remark: contact.remark, labels: contact.labels });
    if (request) {
      const { user, outgoing, greeting, timeUs, state } = request;
      requests.push({ user, outgoing, greeting, time: millis(timeUs), declined: state === declined });
    }
    if (block) blocked.push({ user: block.user, since: millis(block.sinceUs) });
  }
  const byUser = (a: { readonly user: string }, b: { readonly user: string }): number => (a.user < b.user ? -1 : 1);
  return { of, contacts: contacts.sort(byUser), requests: requests.sort((a, b) => b.time - a.time), blocked: blocked.sort(byUser) };
}

function readPrivacy(p: WirePrivacy | undefined): Privacy {
  const word = (v: number | undefined): Visibility => (visibilityNames[v ?? 0] ?? "") as Visibility;
  return {
    name: word(p?.name),
    avatarUrl: word(p?.avatarUrl),
    bio: word(p?.bio),
    gender: word(p?.gender),
    birthday: word(p?.birthday),
    language: word(p?.language),
    custom: word(p?.custom),
    lastSeen: word(p?.lastSeen),
    findable: word(p?.findable),
    readReceipts: (readReceiptsNames[p?.readReceipts ?? 0] ?? "") as ReadReceipts,
    contacts: (contactPolicyNames[p?.contactPolicy ?? 0] ?? "") as ContactPolicy,
  };
}

function writePrivacy(p: Partial<Privacy>): WirePrivacy {
  const value = (v: Visibility | undefined): number => (v === undefined ? 0 : index(visibilityNames, v));
  return {
    name: value(p.name),
    avatarUrl: value(p.avatarUrl),
    bio: value(p.bio),
    gender: value(p.gender),
    birthday: value(p.birthday),
    language: value(p.language),
    custom: value(p.custom),
    lastSeen: value(p.lastSeen),
    findable: value(p.findable),
    readReceipts: p.readReceipts === undefined ? 0 : index(readReceiptsNames, p.readReceipts),
    contactPolicy: p.contacts === undefined ? 0 : index(contactPolicyNames, p.contacts),
  };
}

function index(words: readonly string[], word: string): number {
  const i = words.indexOf(word);
  if (i < 1) throw new SkeinError("invalid_argument", `${word} is no setting`);
  return i;
}

/** Makes `client.people`. */
export const people = (): Module<People> => defineModule(makePeople);

function makePeople(host: ModuleHost): People {
  const cache = new ProfileCache(host);
  let lists: Lists = { of: undefined, contacts: [], requests: [], blocked: [] };
  const now = (): Lists => {
    if (!host.userId) return lists;
    const of = host.keyed(`~${host.userId}`);
    if (of !== lists.of) lists = readLists(of);
    return lists;
  };
  const about = (user: string): { user: string; clientId: Uint8Array } => ({ user, clientId: host.newClientId() });
  const answer = async (user: string, accept: boolean, options?: CallOptions): Promise<void> => {
    await host.call(calls.AnswerContactRequest, { ...about(user), accept }, options);
    cache.forget(user); // contacts may see more of each other
  };
  return {
    profile: (user) => cache.get(user),
    onProfiles: (listener) => cache.onChange(listener),
    profiles: (users, options) => cache.fetch(users, options),
    updateProfile: (update, options) => cache.update(update, options),
    privacy: async (options) => readPrivacy((await host.call(calls.GetPrivacy, {}, options)).privacy),
    updatePrivacy: async (change, options) => readPrivacy((await host.call(calls.UpdatePrivacy, { privacy: writePrivacy(change) }, options)).privacy),
    async *searchDirectory({ user = "", name = "", field }, { limit = 0, signal } = {}) {
      for (let page = ""; ; ) {
        const found = await host.call(calls.SearchDirectory, { user, name, field, limit, page }, { signal });
        yield found.profiles.map((p) => cache.keep(p));
        page = found.nextPage;
        if (!page) return;
      }
    },
    get contacts() {
      return now().contacts;
    },
    get requests() {
      return now().requests;
    },
    get blocked() {
      return now().blocked;
    },
    onChange: (listener) =>
      host.onKeyed(({ conversation, key }) => {
        if (conversation === `~${host.userId}` && (key === undefined || prefixes.some((p) => key.startsWith(p)))) listener();
      }),
    requestContact: async (user, greeting = "", options) => {
      const { added } = await host.call(calls.RequestContact, { ...about(user), greeting }, options);
      if (added) cache.forget(user);
      return added;
    },
    acceptContact: (user, options) => answer(user, true, options),
    declineContact: (user, options) => answer(user, false, options),
    removeContact: async (user, options) => {
      await host.call(calls.RemoveContact, about(user), options);
      cache.forget(user);
    },
    updateContact: async (user, { remark, labels }, options) => {
      await host.call(calls.UpdateContact, { contact: { user, remark, labels, sinceUs: 0 }, clientId: host.newClientId() }, options);
    },
    block: async (user, options) => {
      await host.call(calls.BlockUser, about(user), options);
      cache.forget(user);
    },
    unblock: async (user, options) => {
      await host.call(calls.UnblockUser, about(user), options);
    },
    statusOf: (presence) => {
      const { status } = presence?.fields ? presenceFields.read(presence.fields) : {};
      if (!status || (status.untilUs && millis(status.untilUs) <= host.now())) return undefined;
      return { text: status.text, emoji: status.emoji, until: status.untilUs ? millis(status.untilUs) : undefined };
    },
    follow: async (user, options) => void (await host.call(calls.FollowUser, { user }, options)),
    unfollow: async (user, options) => void (await host.call(calls.UnfollowUser, { user }, options)),
    follows: async (user, options) => {
      const { followers, following, byMe, ofMe } = await host.call(calls.GetFollows, { user }, options);
      return { followers, following, byMe, ofMe };
    },
    async *listFollows(which, options) {
      for (let page = ""; ; ) {
        const { follows, nextPage } = await host.call(calls.ListFollows, { followers: which === "followers", limit: 200, page }, options);
        yield follows.map((f) => ({ user: f.user, since: millis(f.sinceUs) }));
        page = nextPage;
        if (!page) return;
      }
    },
    setStatus: async (status, options) => {
      await host.call(calls.SetStatus, { status: status && { text: status.text, emoji: status.emoji ?? "", untilUs: (status.until ?? 0) * 1000 } }, options);
    },
  };
}
