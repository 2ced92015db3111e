import type { Member } from "../../types/conversation.js";

/** What a member may do in a group. The order is the protocol's. */
export const grantNames = [
  "send",
  "sendMedia",
  "react",
  "mentionAll",
  "pin",
  "invite",
  "addMembers",
  "removeMembers",
  "mute",
  "manage",
  "manageRoles",
  "announce",
  "recallOthers",
  "topics",
  "createThread",
  "poll",
  "nicknames",
  "attributes",
  "call",
] as const;

export type Grant = (typeof grantNames)[number];

/**
 * `private`: nobody outside knows of it. `public`: everybody may look it up. `broadcast`: owner and admins write, the
 * others read and react. `livestream`: nothing is kept; a group is one from its first moment or never. `community`: talk in topics.
 */
export type GroupType = "private" | "public" | "broadcast" | "livestream" | "community";

/** How somebody becomes a member by themselves. */
export type JoinMode = "open" | "approval" | "invite";

/** A role that a group defines for itself. */
export interface GroupRole {
  /** The server's; never used twice. */
  readonly id: string;
  /** 1 to 64 bytes. */
  readonly name: string;
  /** 0xRRGGBB, 0 = none. */
  readonly color: number;
  /** 1 to 99. Members have 0, admins 100, the owner more: nobody acts on who is not below them. */
  readonly rank: number;
  /** Beside what every member may do. */
  readonly grants: readonly Grant[];
}

/** What a group is like, with the defaults of its type. */
export interface GroupSettings {
  readonly type: GroupType;
  readonly description: string;
  /** An https address, or empty. */
  readonly avatarUrl: string;
  readonly memberGrants: readonly Grant[];
  /** What admins may do beside what every member may. */
  readonly adminGrants: readonly Grant[];
  readonly roles: readonly GroupRole[];
  readonly joinMode: JoinMode;
  /** Newcomers read what was said before they came. */
  readonly historyVisible: boolean;
  /** Seconds that who is no admin waits between two messages; 0 = none. */
  readonly slowMode: number;
  /** Until when nobody below the admins may write: milliseconds since 1970 UTC, 0 = not muted. */
  readonly mutedUntil: number;
  /** 0 = the server's limit. */
  readonly maxMembers: number;
  readonly dissolved: boolean;
}

/** What can be changed by `update`; the rest has calls of its own. Grants of `null` are those of the group's type again. */
export type SettingsChange = Partial<Omit<GroupSettings, "roles" | "mutedUntil" | "dissolved" | "memberGrants" | "adminGrants">> & {
  readonly memberGrants?: readonly Grant[] | null | undefined;
  readonly adminGrants?: readonly Grant[] | null | undefined;
};

/** What a group keeps of a member beside their role. */
export interface MemberAttrs {
  /** Empty = none. */
  readonly nickname: string;
  /** Milliseconds since 1970 UTC; 0 = not muted. */
  readonly mutedUntil: number;
  /** Ids of the group's roles. */
  readonly roles: readonly string[];
}

/** A member with what the group keeps of them. */
export interface GroupMember extends Member, MemberAttrs {}

/** What may be known of a group before one is in it. */
export interface GroupInfo {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly avatarUrl: string;
  readonly type: GroupType;
  readonly joinMode: JoinMode;
  readonly memberCount: number;
  /** Whether the user is in it. */
  readonly member: boolean;
  /** Milliseconds since 1970 UTC. */
  readonly created: number;
}

/** What a message of kind `members` or `conversation` says of a group beside who came and went and its title. */
export interface GroupChange {
  /** Of the settings what changed, as `SettingsChange` names it, or `roles`, `mutedUntil`, `dissolved`; of a member `nickname`, `mutedUntil`, `roles`. */
  readonly changed: readonly string[];
  /** Whole, after the change. */
  readonly settings: GroupSettings | undefined;
  /** Whose attributes changed; empty = nobody's. */
  readonly user: string;
  readonly attrs: MemberAttrs;
  readonly dissolved: boolean;
}

/** Why the user may not write now. */
export interface SendBlock {
  /** `muted` and `slow_mode` end by themselves. A `livestream` keeps no messages: what is said there goes through `@skein/client/rooms`. */
  readonly reason: "dissolved" | "livestream" | "not_allowed" | "muted" | "slow_mode";
  /** Milliseconds since 1970 UTC, by the server's clock; 0 = it does not end by itself. */
  readonly until: number;
}
