import { type Ask, type CallOptions, type Calls, given, lookMs, pages } from "./calls.js";
import type { Needs } from "./json.js";
import type { Erasure, GetFollowsResponse, Profile, User, UserChange, UserResult } from "./wire.js";

/** A user to be made or changed; what is left out stays as it is. */
export type NewUser = Needs<UserChange, "id">;

/** Users: made, changed, listed, kept out, erased. */
export interface Users {
  /**
   * Makes users and changes those that are there, at most 500. The answer has one result for each, in their order: a
   * user who is refused holds no other back and has an `error`.
   */
  upsertUsers(users: readonly NewUser[], options?: CallOptions): Promise<readonly UserResult[]>;
  /** Returns one user. `not_found` when there is none. */
  user(id: string, options?: CallOptions): Promise<User>;
  /** Returns all users, by id. */
  users(options?: CallOptions): AsyncGenerator<User, void, undefined>;
  /** Signs a user out everywhere and refuses their tokens; it returns how many devices were signed in. */
  suspendUser(id: string, options?: CallOptions): Promise<number>;
  /** Lets a user in again, with a token that was issued after the suspension. */
  unsuspendUser(id: string, options?: CallOptions): Promise<void>;
  /**
   * Signs a user out everywhere and refuses every token from before; with another one they may come back. It returns
   * how many devices were signed in.
   */
  revokeUser(id: string, options?: CallOptions): Promise<number>;
  /** Suspends a user and begins to erase them; `erasure` tells how far it is. */
  eraseUser(id: string, options?: CallOptions): Promise<Erasure>;
  /** Tells how far an erasure is. `not_found` when there was none. */
  erasure(id: string, options?: CallOptions): Promise<Erasure>;
  /** Waits until an erasure is done. */
  waitErasure(id: string, options?: CallOptions): Promise<Erasure>;
  /**
   * Changes those fields of a user's profile that the request names, and returns all of it. `upsertUsers` changes
   * many users at once, of fewer fields.
   */
  updateProfile(request: Ask<"ProfileService/UpdateProfile", "profile" | "fields">, options?: CallOptions): Promise<Profile>;
  /** Counts how many follow a user, and how many they follow. */
  follows(user: string, options?: CallOptions): Promise<GetFollowsResponse>;
}

export const users = ({ ask, wait }: Calls): Users => ({
  upsertUsers: async (users, options) => (await ask("UserService/UpsertUsers", { users }, options)).results,
  user: async (id, options) => given((await ask("UserService/GetUser", { id }, options)).user),
  users: (options) =>
    pages(async (page) => {
      const answer = await ask("UserService/ListUsers", { limit: 500, page }, options);
      return [answer.users, answer.nextPage];
    }),
  suspendUser: async (id, options) => (await ask("UserService/SuspendUser", { id }, options)).devicesSignedOut,
  async unsuspendUser(id, options) {
    await ask("UserService/UnsuspendUser", { id }, options);
  },
  revokeUser: async (id, options) => (await ask("AdminService/RevokeUser", { user: id }, options)).devicesSignedOut,
  eraseUser: async (id, options) => given((await ask("UserService/EraseUser", { id }, options)).erasure),
  erasure: async (id, options) => given((await ask("UserService/GetErasure", { id }, options)).erasure),
  async waitErasure(id, options) {
    for (;;) {
      const erasure = given((await ask("UserService/GetErasure", { id }, options)).erasure);
      if (erasure.state === "done") return erasure;
      await wait(lookMs, options);
    }
  },
  updateProfile: async (request, options) => given((await ask("ProfileService/UpdateProfile", request, options)).profile),
  follows: (user, options) => ask("ContactService/GetFollows", { user }, options),
});
