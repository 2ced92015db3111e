/** What the user may see of somebody. What they may not see is empty, as what was never set is. */
export interface Profile {
  readonly user: string;
  /** At most 64 characters. */
  readonly name: string;
  /** https. */
  readonly avatarUrl: string;
  /** At most 500 characters. */
  readonly bio: string;
  /** At most 32 characters. */
  readonly gender: string;
  /** YYYY-MM-DD. */
  readonly birthday: string;
  /** A BCP 47 tag, such as zh-CN. */
  readonly language: string;
  /** The app's own fields: at most 20 of at most 1 KiB. */
  readonly custom: Readonly<Record<string, string>>;
}

/** What changes in one's own profile: what is absent stays, and an empty value takes a field away. `custom` replaces all custom fields. */
export type ProfileUpdate = { readonly [Field in Exclude<keyof Profile, "user">]?: Profile[Field] | undefined };

export type Visibility = "everybody" | "contacts" | "nobody";

/** What a request to be a contact does: anyone is one at once, the user answers it, or it is refused. */
export type ContactPolicy = "anyone" | "request" | "nobody";

/** The user's own settings. */
export interface Privacy {
  readonly name: Visibility;
  readonly avatarUrl: Visibility;
  readonly bio: Visibility;
  readonly gender: Visibility;
  readonly birthday: Visibility;
  readonly language: Visibility;
  readonly custom: Visibility;
  /** Covers being online, too. Who hides theirs from somebody does not see that one's. */
  readonly lastSeen: Visibility;
  /** Who finds the user in the directory. */
  readonly findable: Visibility;
  readonly contacts: ContactPolicy;
  readonly readReceipts: ReadReceipts;
}

/**
 * Whether others learn how far the user has read. Who hides theirs does not see in direct conversations how far the
 * other one has read, either.
 */
export type ReadReceipts = "send" | "hide";

/** A look-up in the directory: one of the three. */
export interface DirectoryQuery {
  /** A user id, exactly. */
  readonly user?: string | undefined;
  /** How a name begins: two characters, or one of Chinese, Japanese or Korean. */
  readonly name?: string | undefined;
  /** A custom field that the app looks up, exactly. */
  readonly field?: { readonly name: string; readonly value: string } | undefined;
}

/** One of the user's contacts. */
export interface Contact {
  readonly user: string;
  /** Milliseconds since 1970 UTC. */
  readonly since: number;
  /** What the user calls them; nobody else sees it. */
  readonly remark: string;
  /** The groups of contacts in which the user keeps them. */
  readonly labels: readonly string[];
}

/** A request that the user has made or got. */
export interface ContactRequest {
  readonly user: string;
  /** The user has made it. */
  readonly outgoing: boolean;
  readonly greeting: string;
  /** When it was made, or declined. Milliseconds since 1970 UTC. */
  readonly time: number;
  /** The other one has declined it: the user may ask again after seven days. */
  readonly declined: boolean;
}

/** Somebody whom the user has blocked. */
export interface BlockedUser {
  readonly user: string;
  readonly since: number;
}

/** What a user says of themselves beside being online, such as "on holiday". */
export interface Status {
  /** At most 128 bytes. */
  readonly text: string;
  /** One emoji. */
  readonly emoji?: string | undefined;
  /** When it ends; milliseconds since 1970 UTC. */
  readonly until?: number | undefined;
}

/** A user on the other end of a following. */
export interface Follow {
  readonly user: string;
  readonly since: number;
}

/** How many follow a user, and how one stands to them. */
export interface Follows {
  readonly followers: number;
  readonly following: number;
  /** One follows them. */
  readonly byMe: boolean;
  /** They follow one. */
  readonly ofMe: boolean;
}
