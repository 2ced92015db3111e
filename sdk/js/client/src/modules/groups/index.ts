/**
 * What groups are like and who may do what in them: `createClient({ …, modules: { groups: groups() } })` gives
 * `client.groups`.
 *
 * @packageDocumentation
 */
import { defineModule } from "../../modules.js";
import type { CallOptions, Unsubscribe } from "../../types/client.js";
import type { Conversation } from "../../types/conversation.js";
import type { Message, Role } from "../../types/message.js";
import type { Module, ModuleHost } from "../../types/module.js";
import type { Call, Piece } from "../../wire/piece.js";
import { grantNames } from "./types.js";
import type { Grant, GroupChange, GroupInfo, GroupMember, GroupRole, GroupSettings, GroupType, JoinMode, MemberAttrs, SendBlock, SettingsChange } from "./types.js";
import { calls, contentFields, conversationFields, groupTypeNames, joinModeNames, membershipFields } from "./wire.js";
import type { GroupChange as WireChange, GroupSettings as WireSettings, MemberAttrs as WireAttrs } from "./wire.js";

export { grantNames } from "./types.js";
export type { Grant, GroupChange, GroupInfo, GroupMember, GroupRole, GroupSettings, GroupType, JoinMode, MemberAttrs, SendBlock, SettingsChange } from "./types.js";

/** What `client.groups` offers. What reads asks nobody: it is what this device knows, and the same value until that changes. */
export interface Groups {
  /** What a group is like; undefined for what is no group, or not known yet. */
  settings(conversation: Conversation): GroupSettings | undefined;
  /** What the group keeps of the user. */
  attrs(conversation: Conversation): MemberAttrs;
  /** What the user may do, mutes aside; everything in a conversation that is no group. */
  may(conversation: Conversation, grant: Grant): boolean;
  /** The user's rank, or that of a member: 0, that of their highest role, 100 for admins, 1000 for the owner. */
  rank(conversation: Conversation, member?: Pick<GroupMember, "role" | "roles">): number;
  /** Why the user may not write now; undefined when they may. Ask before sending, and again when `until` has come. */
  block(conversation: Conversation): SendBlock | undefined;
  /** What a line of kind `members` or `conversation` says beside what the core reads. */
  change(message: Message): GroupChange | undefined;
  /** Settings of a group, or what it keeps of the user, changed. */
  onChange(listener: (conversation: string) => void): Unsubscribe;

  /** Of a private group only its members hear: `not_found`. */
  info(id: string, options?: CallOptions): Promise<GroupInfo>;
  /** Makes a group with settings. */
  create(group: { readonly id?: string; readonly title: string; readonly members: readonly string[] } & SettingsChange, options?: CallOptions): Promise<Conversation>;
  /** Changes what is given. Grant `manage`; `memberGrants` takes `manageRoles` beside, `type` and `adminGrants` the owner. */
  update(conversation: Conversation, change: SettingsChange, options?: CallOptions): Promise<void>;
  /** Makes a role, or changes the one with the id given. Grant `manageRoles`, a higher rank, and all of its grants. Resolves with its id. */
  putRole(conversation: Conversation, role: Omit<GroupRole, "id"> & { readonly id?: string | undefined }, options?: CallOptions): Promise<string>;
  /** Takes a role away from everybody who has it. */
  deleteRole(conversation: Conversation, role: string, options?: CallOptions): Promise<void>;
  /** Which roles a member has, by their ids. */
  setMemberRoles(conversation: Conversation, user: string, roles: readonly string[], options?: CallOptions): Promise<void>;
  /** Names a member in the group; empty = none. One's own needs no grant, that of others `nicknames`. */
  setNickname(conversation: Conversation, user: string, nickname: string, options?: CallOptions): Promise<void>;
  /** Keeps a member from writing for some seconds from now on, at most a year; 0 ends it. Grant `mute`. */
  mute(conversation: Conversation, user: string, seconds: number, options?: CallOptions): Promise<void>;
  /** The same for everybody below the admins. */
  muteAll(conversation: Conversation, seconds: number, options?: CallOptions): Promise<void>;
  /** Makes a member the owner, and the owner an admin. */
  transfer(conversation: Conversation, user: string, options?: CallOptions): Promise<void>;
  /** Ends the group for everybody, for ever. Only the owner may. */
  dissolve(conversation: Conversation, options?: CallOptions): Promise<void>;
  /** Pages of members by user id; asks the server. */
  members(conversation: Conversation, options?: CallOptions & { readonly limit?: number | undefined }): AsyncGenerator<readonly GroupMember[]>;
}

const ownerRank = 1000;
const adminRank = 100;
const roleNames: readonly Role[] = ["member", "member", "admin", "owner"];
/** The fields of a change on the wire, and here. */
const fieldNames = {
  type: "type",
  description: "description",
  avatarUrl: "avatar_url",
  memberGrants: "member_grants",
  adminGrants: "admin_grants",
  joinMode: "join_mode",
  historyVisible: "history",
  slowMode: "slow_mode_s",
  maxMembers: "max_members",
} as const satisfies Record<keyof SettingsChange, string>;
const noAttrs: MemberAttrs = { nickname: "", mutedUntil: 0, roles: [] };

const millis = (us: number): number => Math.ceil(us / 1000);
const grantsOf = (bits = 0): Grant[] => grantNames.filter((_, i) => Math.floor(bits / 2 ** (i + 1)) % 2 === 1);
const bitsOf = (grants: readonly Grant[]): number => grantNames.reduce((bits, name, i) => bits + (grants.includes(name) ? 2 ** (i + 1) : 0), 0);
/** A name as the SDK has it, of a field on the wire. */
const shown = (field: string): string =>
  Object.entries(fieldNames).find(([, there]) => there === field)?.[0] ?? { muted_until_us: "mutedUntil", role_ids: "roles" }[field] ?? field;

function settingsOf(wire: WireSettings): GroupSettings {
  return {
    type: (groupTypeNames[wire.type] ?? "private") as GroupType,
    description: wire.description,
    avatarUrl: wire.avatarUrl,
    memberGrants: grantsOf(wire.memberGrants?.bits),
    adminGrants: grantsOf(wire.adminGrants?.bits),
    roles: wire.roles.map(({ id, name, color, rank, grants }) => ({ id, name, color, rank, grants: grantsOf(grants) })),
    joinMode: (joinModeNames[wire.joinMode] ?? "invite") as JoinMode,
    historyVisible: wire.history === 2,
    slowMode: wire.slowModeS,
    mutedUntil: millis(wire.mutedUntilUs),
    maxMembers: wire.maxMembers,
    dissolved: wire.dissolved,
  };
}

function wireOf(change: SettingsChange): { readonly settings: Partial<WireSettings>; readonly fields: readonly string[] } {
  const { type, description, avatarUrl, memberGrants, adminGrants, joinMode, historyVisible, slowMode, maxMembers } = change;
  const settings = {
    type: type ? groupTypeNames.indexOf(type) : 0,
    description: description ?? "",
    avatarUrl: avatarUrl ?? "",
    memberGrants: memberGrants ? { bits: bitsOf(memberGrants) } : undefined,
    adminGrants: adminGrants ? { bits: bitsOf(adminGrants) } : undefined,
    joinMode: joinMode ? joinModeNames.indexOf(joinMode) : 0,
    history: historyVisible === undefined ? 0 : historyVisible ? 2 : 1,
    slowModeS: slowMode ?? 0,
    maxMembers: maxMembers ?? 0,
  };
  const given = (Object.keys(fieldNames) as (keyof SettingsChange)[]).filter((name) => change[name] !== undefined);
  return { settings, fields: given.map((name) => fieldNames[name]) };
}

const attrsOf = (wire: WireAttrs | undefined): MemberAttrs =>
  wire ? { nickname: wire.nickname, mutedUntil: millis(wire.mutedUntilUs), roles: wire.roleIds } : noAttrs;

/** What is known of a group. */
interface Known {
  readonly of: Uint8Array | undefined;
  readonly settings: GroupSettings | undefined;
  readonly attrs: MemberAttrs;
}

class GroupState {
  readonly #host: ModuleHost;
  readonly #known = new Map<string, Known>();
  readonly #own = new Map<string, number>();
  readonly #listeners = new Set<(conversation: string) => void>();

  constructor(host: ModuleHost) {
    this.#host = host;
    host.on("message", ({ conversation, message, missed }) => {
      this.#said(message);
      this.#heard(conversation, message, missed);
    });
    host.on("messageUpdated", ({ message }) => this.#said(message));
    host.on("conversation", ({ conversation }) => {
      const held = this.#known.get(conversation.id);
      if (held && held.of !== conversation.snapshot.fields) this.#tell(conversation.id);
    });
  }

  of(conversation: Conversation): Known {
    const { fields } = conversation.snapshot;
    const held = this.#known.get(conversation.id);
    if (held && held.of === fields) return held;
    const { settings, attrs } = conversationFields.read(fields);
    const known = { of: fields, settings: settings && settingsOf(settings), attrs: attrsOf(attrs) };
    this.#known.set(conversation.id, known);
    return known;
  }

  onChange(listener: (conversation: string) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** When the user last said something in it, as far as this device has heard. */
  lastOwn({ id, messages }: Conversation): number {
    return Math.max(this.#own.get(id) ?? 0, ...messages.filter(isOwn).map(({ time }) => time).slice(-1));
  }

  #said(message: Message): void {
    const { conversation, time } = message;
    if (isOwn(message) && time > (this.#own.get(conversation) ?? 0)) this.#own.set(conversation, time);
  }

  #tell(id: string): void {
    for (const listener of this.#listeners) listener(id);
  }

  /** An entry says what is new at once; that it is stored, too, the conversation is asked for again. */
  #heard(conversation: Conversation, message: Message, missed: boolean): void {
    const change = missed ? undefined : changeIn(message);
    const own = change?.user !== undefined && change.user === this.#host.userId;
    if (!change?.settings && !own) return;
    const known = this.of(conversation);
    this.#known.set(conversation.id, {
      of: known.of,
      settings: change.settings ? settingsOf(change.settings) : known.settings,
      attrs: own ? attrsOf(change.attrs) : known.attrs,
    });
    this.#tell(conversation.id);
    if (change.dissolved) return; // the server says nothing more of it
    // Not all the devices of a large group at the same moment.
    const wait = own ? 0 : Math.random() * Math.min(conversation.memberCount * 10, 60_000);
    const timer = setTimeout(() => void this.#host.call(calls.GetConversation, { conversation: conversation.id }).catch(() => undefined), wait);
    if (typeof timer === "object") (timer as { unref?: () => void }).unref?.(); // in Node nothing waits for it
  }
}

function changeIn(message: Message): WireChange | undefined {
  return message.fields?.content && (message.kind === "members" || message.kind === "conversation")
    ? contentFields.read(message.fields.content).groupChange
    : undefined;
}

/** What a line of kind `members` or `conversation` says beside what the core reads; the same as `client.groups.change`. */
export function readGroupChange(message: Message): GroupChange | undefined {
  const said = changeIn(message);
  return (
    said && {
      changed: said.changed.map(shown),
      settings: said.settings && settingsOf(said.settings),
      user: said.user,
      attrs: attrsOf(said.attrs),
      dissolved: said.dissolved,
    }
  );
}

function rankOf(known: Known, role: Role | undefined, roles: readonly string[]): number {
  if (role === "owner") return ownerRank;
  const own = known.settings?.roles.filter(({ id }) => roles.includes(id)).map(({ rank }) => rank) ?? [];
  return Math.max(role === "admin" ? adminRank : 0, ...own);
}

function mayDo({ settings, attrs }: Known, role: Role | undefined, grant: Grant): boolean {
  if (role === "owner") return true;
  if (!settings || !role) return false;
  if (settings.memberGrants.includes(grant) || (role === "admin" && settings.adminGrants.includes(grant))) return true;
  return settings.roles.some(({ id, grants }) => attrs.roles.includes(id) && grants.includes(grant));
}

const isOwn = ({ mine, state }: Message): boolean => mine && state === "sent";

/** Adds `client.groups`. */
export const groups = (): Module<Groups> =>
  defineModule((host) => {
    const state = new GroupState(host);
    const change = async <I extends { readonly conversation: string; readonly clientId: Uint8Array }, O>(
      call: Call<I, O>,
      { id }: Conversation,
      input: Parameters<Piece<Omit<I, "conversation" | "clientId">>["write"]>[0],
      { signal }: CallOptions = {},
    ): Promise<O> => host.call(call, { ...(input as object), conversation: id, clientId: host.newClientId() } as never, { signal });
    const seconds = (n: number): number => Math.max(0, Math.ceil(n));

    return {
      settings: (conversation) => state.of(conversation).settings,
      attrs: (conversation) => state.of(conversation).attrs,
      may: (conversation, grant) => conversation.kind !== "group" || mayDo(state.of(conversation), conversation.myRole, grant),
      rank: (conversation, member) => {
        const known = state.of(conversation);
        return member ? rankOf(known, member.role, member.roles) : rankOf(known, conversation.myRole, known.attrs.roles);
      },
      block: (conversation) => {
        const known = state.of(conversation);
        const { settings, attrs } = known;
        const role = conversation.myRole;
        if (settings?.dissolved) return { reason: "dissolved", until: 0 };
        if (!settings || !role) return undefined;
        if (settings.type === "livestream") return { reason: "livestream", until: 0 };
        if (!mayDo(known, role, "send")) return { reason: "not_allowed", until: 0 };
        if (role === "owner") return undefined;
        const now = host.now();
        const muted = Math.max(attrs.mutedUntil, role === "member" ? settings.mutedUntil : 0);
        if (now < muted) return { reason: "muted", until: muted };
        const slow = role === "member" && settings.slowMode ? state.lastOwn(conversation) + settings.slowMode * 1000 : 0;
        return now < slow ? { reason: "slow_mode", until: slow } : undefined;
      },
      change: readGroupChange,
      onChange: (listener) => state.onChange(listener),

      async info(id, { signal } = {}) {
        const { group } = await host.call(calls.GetGroupInfo, { conversation: id }, { signal });
        const { title = "", description = "", avatarUrl = "", type = 0, joinMode = 0, memberCount = 0, member = false, createdUs = 0 } = group ?? {};
        return {
          id,
          title,
          description,
          avatarUrl,
          type: (groupTypeNames[type] ?? "private") as GroupType,
          joinMode: (joinModeNames[joinMode] ?? "invite") as JoinMode,
          memberCount,
          member,
          created: millis(createdUs),
        };
      },
      async create({ id = "", title, members, ...settings }, { signal } = {}) {
        const input = { id, title, members, clientId: host.newClientId(), settings: wireOf(settings).settings };
        const { conversation } = await host.call(calls.CreateGroup, input, { signal });
        return host.conversation(conversation?.id ?? id);
      },
      update: async (conversation, settings, options) => void (await change(calls.UpdateGroupSettings, conversation, wireOf(settings), options)),
      async putRole(conversation, { id = "", name, color, rank, grants }, options) {
        const { roleId } = await change(calls.PutGroupRole, conversation, { role: { id, name, color, rank, grants: bitsOf(grants) } }, options);
        return roleId;
      },
      deleteRole: async (conversation, roleId, options) => void (await change(calls.DeleteGroupRole, conversation, { roleId }, options)),
      setMemberRoles: async (conversation, user, roleIds, options) => void (await change(calls.SetMemberRoles, conversation, { user, roleIds }, options)),
      setNickname: async (conversation, user, nickname, options) => void (await change(calls.SetNickname, conversation, { user, nickname }, options)),
      mute: async (conversation, user, n, options) => void (await change(calls.MuteMember, conversation, { user, seconds: seconds(n) }, options)),
      muteAll: async (conversation, n, options) => void (await change(calls.MuteGroup, conversation, { seconds: seconds(n) }, options)),
      transfer: async (conversation, user, options) => void (await change(calls.TransferGroup, conversation, { user }, options)),
      dissolve: async (conversation, options) => void (await change(calls.DissolveGroup, conversation, {}, options)),
      async *members({ id }, { limit = 100, signal } = {}) {
        for (let page = ""; ; ) {
          const answer = await host.call(calls.ListMembers, { conversation: id, limit, page }, { signal });
          yield answer.members.map(({ user, role, readSeq, readOrd, rest }) => ({
            user,
            role: roleNames[role] ?? "member",
            read: { seq: readSeq, ord: readOrd },
            ...attrsOf(membershipFields.read(rest).attrs),
          }));
          page = answer.nextPage;
          if (!page) return;
        }
      },
    };
  });
