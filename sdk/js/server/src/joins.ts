import { type Ask, type CallOptions, type Calls, pages } from "./calls.js";
import type { Ban, CreateInviteResponse, Invite, JoinRequest } from "./wire.js";

/** Who comes into a group by themselves, and who is kept out. */
export interface Joins {
  /** Returns the open requests to join a group, oldest first. */
  joinRequests(conversation: string, options?: CallOptions): AsyncGenerator<JoinRequest, void, undefined>;
  /** Accepts or declines a request. Accepting who is in already succeeds. */
  answerJoinRequest(request: Ask<"JoinService/AnswerJoinRequest", "conversation" | "user" | "accept">, options?: CallOptions): Promise<void>;
  /**
   * Makes an invitation. Its code is in this answer alone: the server keeps a hash. A retry gets another code, and
   * the first one ends.
   */
  createInvite(request: Ask<"JoinService/CreateInvite", "conversation">, options?: CallOptions): Promise<CreateInviteResponse>;
  /** Returns a group's invitations, newest first, without their codes. */
  invites(conversation: string, options?: CallOptions): AsyncGenerator<Invite, void, undefined>;
  /** Ends an invitation. After the answer nobody comes in by it. */
  revokeInvite(request: Ask<"JoinService/RevokeInvite", "conversation" | "invite">, options?: CallOptions): Promise<void>;
  /** Takes a user out of a group and keeps them out; also one who is no member. */
  banMember(request: Ask<"JoinService/BanMember", "conversation" | "user">, options?: CallOptions): Promise<void>;
  /** Lets a user come back; it does not bring them. `not_found` without a ban. */
  unbanMember(conversation: string, user: string, options?: CallOptions): Promise<void>;
  /** Returns whom a group keeps out, by user id. */
  bans(conversation: string, options?: CallOptions): AsyncGenerator<Ban, void, undefined>;
  /**
   * Adds users to a group's allow list, at most 1,000, says whether it is in force, and returns how many are on it.
   */
  setAllowList(request: Ask<"JoinService/SetAllowList", "conversation" | "enforced">, options?: CallOptions): Promise<number>;
  /** Takes users off the list, at most 1,000, and returns how many are left. */
  removeFromAllowList(request: Ask<"JoinService/RemoveFromAllowList", "conversation" | "users">, options?: CallOptions): Promise<number>;
  /** Returns the users on a group's allow list, by id. */
  allowList(conversation: string, options?: CallOptions): AsyncGenerator<string, void, undefined>;
}

export const joins = ({ ask }: Calls): Joins => ({
  joinRequests: (conversation, options) =>
    pages(async (page) => {
      const answer = await ask("JoinService/ListJoinRequests", { conversation, limit: 200, page }, options);
      return [answer.requests, answer.nextPage];
    }),
  async answerJoinRequest(request, options) {
    await ask("JoinService/AnswerJoinRequest", request, options);
  },
  createInvite: (request, options) => ask("JoinService/CreateInvite", request, options),
  invites: (conversation, options) =>
    pages(async (page) => {
      const answer = await ask("JoinService/ListInvites", { conversation, limit: 200, page }, options);
      return [answer.invites, answer.nextPage];
    }),
  async revokeInvite(request, options) {
    await ask("JoinService/RevokeInvite", request, options);
  },
  async banMember(request, options) {
    await ask("JoinService/BanMember", request, options);
  },
  async unbanMember(conversation, user, options) {
    await ask("JoinService/UnbanMember", { conversation, user }, options);
  },
  bans: (conversation, options) =>
    pages(async (page) => {
      const answer = await ask("JoinService/ListBans", { conversation, limit: 200, page }, options);
      return [answer.bans, answer.nextPage];
    }),
  setAllowList: async (request, options) => (await ask("JoinService/SetAllowList", request, options)).size,
  removeFromAllowList: async (request, options) => (await ask("JoinService/RemoveFromAllowList", request, options)).size,
  allowList: (conversation, options) =>
    pages(async (page) => {
      const answer = await ask("JoinService/ListAllowList", { conversation, limit: 1000, page }, options);
      return [answer.users, answer.nextPage];
    }),
});
