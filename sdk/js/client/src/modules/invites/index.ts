/**
 * Coming into groups by oneself: joining, requests, invitations, bans and allow lists.
 * `createClient({ …, modules: { invites: invites() } })` gives `client.invites`.
 *
 * @packageDocumentation
 */
import { type CallOptions, type Conversation, type KeyedValue, type Module, type ModuleHost, type Unsubscribe, defineModule } from "../../module.js";
import { calls, contentFields } from "./wire.js";
import type { Invite as WireInvite, JoinRequest as WireRequest } from "./wire.js";

/** One user's wish to come into a group. It ends after 30 days. */
export interface JoinRequest {
  readonly conversation: string;
  readonly user: string;
  readonly message: string;
  /** Whose invitation they came by; empty = nobody's. */
  readonly inviter: string;
  /** Milliseconds since 1970 UTC. */
  readonly created: number;
  readonly expires: number;
  /** Only its user still sees it, and may ask again. */
  readonly declined: boolean;
}

/** What came of joining: a conversation that the user is in now, or a request that somebody answers. */
export type Joining = { readonly conversation: Conversation; readonly request?: undefined } | { readonly conversation?: undefined; readonly request: JoinRequest };

export interface Invite {
  /** What `revoke` takes. It opens nothing. */
  readonly id: string;
  /** Empty = the app's back end. */
  readonly creator: string;
  readonly label: string;
  readonly created: number;
  /** undefined = never. */
  readonly expires: number | undefined;
  /** 0 = any number. */
  readonly maxUses: number;
  readonly uses: number;
  /** Whoever comes by it files a request. */
  readonly approval: boolean;
  /** Nobody comes in by it any more. */
  readonly ended: boolean;
}

export interface NewInvite {
  /** Seconds, at most a year; absent = until it is revoked. */
  readonly expires?: number | undefined;
  /** At most 100,000; absent = any number. */
  readonly maxUses?: number | undefined;
  readonly approval?: boolean | undefined;
  /** At most 64 bytes. */
  readonly label?: string | undefined;
}

/** What an invitation shows to who is invited. */
export interface InvitePreview {
  readonly title: string;
  readonly avatarUrl: string;
  readonly members: number;
  readonly inviter: string;
  readonly approval: boolean;
}

export interface Ban {
  readonly user: string;
  /** Empty = the app's back end. */
  readonly by: string;
  readonly reason: string;
  readonly created: number;
}

export interface AllowList {
  /** Only those on it join by themselves, also by invitation. */
  readonly enforced: boolean;
  readonly users: readonly string[];
}

/** What `client.invites` offers. */
export interface Invites {
  /** Joins a group that can be looked up, or files a request with a message of at most 256 bytes where it wants to be asked. */
  join(group: string, message?: string, options?: CallOptions): Promise<Joining>;
  /** The user's own requests, the open ones first: what this device knows. */
  readonly mine: readonly JoinRequest[];
  /** Takes a request back, or a declined one off the list. */
  cancel(group: string, options?: CallOptions): Promise<void>;

  /** How many requests wait for an answer that the user may give, by group: what this device knows. */
  readonly waiting: ReadonlyMap<string, number>;
  /** `mine` or `waiting` changed. */
  onChange(listener: () => void): Unsubscribe;
  /** Pages of a group's open requests, oldest first. Grant `addMembers`. */
  requests(conversation: Conversation, options?: CallOptions): AsyncGenerator<readonly JoinRequest[]>;
  answer(conversation: Conversation, user: string, accept: boolean, options?: CallOptions): Promise<void>;

  /** Makes an invitation. Its code is shown this once. Grant `invite`. */
  create(conversation: Conversation, invite?: NewInvite, options?: CallOptions): Promise<{ readonly invite: Invite; readonly code: string }>;
  /** Pages of a group's invitations, newest first: all of them with the grant `addMembers`, else one's own. */
  list(conversation: Conversation, options?: CallOptions): AsyncGenerator<readonly Invite[]>;
  /** Once it resolves nobody comes in by it. */
  revoke(conversation: Conversation, invite: string, options?: CallOptions): Promise<void>;
  /** What a code opens; `not_found` for whatever does not. */
  preview(code: string, options?: CallOptions): Promise<InvitePreview>;
  /** Joins by a code, or files a request where the invitation asks for approval. */
  use(code: string, message?: string, options?: CallOptions): Promise<Joining>;

  /** Takes a user out, if they are in, and keeps them out by every way. Grant `removeMembers`, and a higher rank. */
  ban(conversation: Conversation, user: string, reason?: string, options?: CallOptions): Promise<void>;
  unban(conversation: Conversation, user: string, options?: CallOptions): Promise<void>;
  /** Pages of banned users, by id. */
  bans(conversation: Conversation, options?: CallOptions): AsyncGenerator<readonly Ban[]>;

  /** Who may join by themselves. Grant `manage`. */
  allowList(conversation: Conversation, options?: CallOptions): Promise<AllowList>;
  /** Adds users, at most 1,000, and says whether the list is in force. */
  allow(conversation: Conversation, users: readonly string[], enforced: boolean, options?: CallOptions): Promise<void>;
  disallow(conversation: Conversation, users: readonly string[], options?: CallOptions): Promise<void>;
}

/** The link of a code, as the web app that the server brings opens it. */
export function inviteLink(endpoint: string, code: string): string {
  return `${endpoint.replace(/\/+$/, "")}/#/join/${code}`;
}

/** The code of a link, or of what was typed in place of one; undefined when there is none. */
export function inviteCode(text: string): string | undefined {
  return /(?:^|\/join\/)([A-Za-z0-9_-]{24})\/?$/.exec(text.trim())?.[1];
}

const declined = 2;
const millis = (us: number): number => Math.floor(us / 1000);

function readRequest(q: WireRequest): JoinRequest {
  const { conversation, user, message, inviter, createdUs, expiresUs, state } = q;
  return { conversation, user, message, inviter, created: millis(createdUs), expires: millis(expiresUs), declined: state === declined };
}

function readInvite(v: WireInvite): Invite {
  const { id, creator, label, createdUs, expiresUs, maxUses, uses, approval, ended } = v;
  return { id, creator, label, created: millis(createdUs), expires: expiresUs ? millis(expiresUs) : undefined, maxUses, uses, approval, ended };
}

/** What the user's own values say. */
interface Known {
  readonly of: ReadonlyMap<string, KeyedValue> | undefined;
  readonly mine: readonly JoinRequest[];
  readonly waiting: ReadonlyMap<string, number>;
}

function readKnown(of: ReadonlyMap<string, KeyedValue>): Known {
  let mine: readonly JoinRequest[] = [];
  const waiting = new Map<string, number>();
  for (const [key, { content }] of of) {
    if (!content || (key !== "join" && !key.startsWith("join/"))) continue;
    const { join } = contentFields.read(content);
    if (!join) continue;
    if (key === "join") mine = join.requests.map(readRequest);
    else if (join.open) waiting.set(join.conversation, join.open);
  }
  return { of, mine, waiting };
}

/** Makes `client.invites`. */
export const invites = (): Module<Invites> => defineModule(makeInvites);

function makeInvites(host: ModuleHost): Invites {
  let known: Known = { of: undefined, mine: [], waiting: new Map() };
  const now = (): Known => {
    if (!host.userId) return known;
    const of = host.keyed(`~${host.userId}`);
    if (of !== known.of) known = readKnown(of);
    return known;
  };
  const joining = (r: { conversation?: { id: string } | undefined; request?: WireRequest | undefined }): Joining =>
    r.conversation ? { conversation: host.conversation(r.conversation.id) } : { request: readRequest(r.request as WireRequest) };
  async function* pages<R extends { nextPage: string }, T>(ask: (page: string) => Promise<R>, rows: (r: R) => readonly T[]): AsyncGenerator<readonly T[]> {
    for (let page = ""; ; ) {
      const r = await ask(page);
      yield rows(r);
      page = r.nextPage;
      if (!page) return;
    }
  }
  const limit = 200;
  return {
    join: async (group, message = "", options) => joining(await host.call(calls.JoinGroup, { conversation: group, message, clientId: host.newClientId() }, options)),
    get mine() {
      return now().mine;
    },
    get waiting() {
      return now().waiting;
    },
    onChange: (listener) =>
      host.onKeyed(({ conversation, key }) => {
        if (conversation === `~${host.userId}` && (key === undefined || key === "join" || key.startsWith("join/"))) listener();
      }),
    cancel: async (group, options) => {
      await host.call(calls.CancelJoinRequest, { conversation: group }, options);
    },
    requests: ({ id }, options) =>
      pages(
        (page) => host.call(calls.ListJoinRequests, { conversation: id, limit, page }, options),
        (r) => r.requests.map(readRequest),
      ),
    answer: async ({ id }, user, accept, options) => {
      await host.call(calls.AnswerJoinRequest, { conversation: id, user, accept, clientId: host.newClientId() }, options);
    },
    create: async ({ id }, { expires = 0, maxUses = 0, approval = false, label = "" } = {}, options) => {
      const ask = { conversation: id, expiresS: expires, maxUses, approval, label, clientId: host.newClientId() };
      const { invite, code } = await host.call(calls.CreateInvite, ask, options);
      return { invite: readInvite(invite as WireInvite), code };
    },
    list: ({ id }, options) =>
      pages(
        (page) => host.call(calls.ListInvites, { conversation: id, limit, page }, options),
        (r) => r.invites.map(readInvite),
      ),
    revoke: async ({ id }, invite, options) => {
      await host.call(calls.RevokeInvite, { conversation: id, invite, clientId: host.newClientId() }, options);
    },
    preview: async (code, options) => {
      const { title, avatarUrl, memberCount, inviter, approval } = await host.call(calls.GetInvite, { code }, options);
      return { title, avatarUrl, members: memberCount, inviter, approval };
    },
    use: async (code, message = "", options) => joining(await host.call(calls.JoinByInvite, { code, message, clientId: host.newClientId() }, options)),
    ban: async ({ id }, user, reason = "", options) => {
      await host.call(calls.BanMember, { conversation: id, user, reason, clientId: host.newClientId() }, options);
    },
    unban: async ({ id }, user, options) => {
      await host.call(calls.UnbanMember, { conversation: id, user }, options);
    },
    bans: ({ id }, options) =>
      pages(
        (page) => host.call(calls.ListBans, { conversation: id, limit, page }, options),
        (r) => r.bans.map(({ user, by, reason, createdUs }) => ({ user, by, reason, created: millis(createdUs) })),
      ),
    allowList: async ({ id }, options) => {
      const users: string[] = [];
      let enforced = false;
      const read = (page: string): Promise<{ users: readonly string[]; enforced: boolean; nextPage: string }> =>
        host.call(calls.ListAllowList, { conversation: id, limit: 1000, page }, options);
      for await (const page of pages(read, (r) => [r])) for (const r of page) [enforced] = [r.enforced, users.push(...r.users)];
      return { enforced, users };
    },
    allow: async ({ id }, users, enforced, options) => {
      await host.call(calls.SetAllowList, { conversation: id, users, enforced, clientId: host.newClientId() }, options);
    },
    disallow: async ({ id }, users, options) => {
      await host.call(calls.RemoveFromAllowList, { conversation: id, users, clientId: host.newClientId() }, options);
    },
  };
}
