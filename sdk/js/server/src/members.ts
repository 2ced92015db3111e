import { type Ask, type CallOptions, type Calls, pages } from "./calls.js";
import type { Entry, Membership } from "./wire.js";

/** Who is in a group, and as what. */
export interface Members {
  /**
   * Returns a group's members, by user id. The request can ask for those with a role, or whose name begins with
   * something.
   */
  members(request: Pick<Ask<"ConversationService/ListMembers", "conversation">, "conversation" | "query" | "role">, options?: CallOptions): AsyncGenerator<Membership, void, undefined>;
  /** Adds users to a group, at most 1,000. The entry is undefined when all of them were in it already. */
  addMembers(request: Ask<"ConversationService/AddMembers", "conversation" | "users">, options?: CallOptions): Promise<Entry | undefined>;
  /** Takes a user out of a group. After the answer nothing that is said later reaches them. */
  removeMember(request: Ask<"ConversationService/RemoveMember", "conversation" | "user">, options?: CallOptions): Promise<Entry | undefined>;
  /**
   * Makes a member an admin, or a plain member again. The role of an owner hands the group over, as `transferGroup`
   * does.
   */
  setRole(request: Ask<"ConversationService/SetRole", "conversation" | "user" | "role">, options?: CallOptions): Promise<Entry | undefined>;
  /** Says which of the group's own roles a member has. */
  setMemberRoles(request: Ask<"GroupService/SetMemberRoles", "conversation" | "user" | "roleIds">, options?: CallOptions): Promise<Entry | undefined>;
  /** Names a member in a group; empty takes the name away. */
  setNickname(request: Ask<"GroupService/SetNickname", "conversation" | "user" | "nickname">, options?: CallOptions): Promise<Entry | undefined>;
  /** Keeps a member from writing for some seconds; 0 ends it. */
  muteMember(request: Ask<"GroupService/MuteMember", "conversation" | "user" | "seconds">, options?: CallOptions): Promise<Entry | undefined>;
}

export const members = ({ ask }: Calls): Members => ({
  members: ({ conversation, query, role }, options) =>
    pages(async (page) => {
      const answer = await ask("ConversationService/ListMembers", { conversation, query, role, limit: 200, page }, options);
      return [answer.members, answer.nextPage];
    }),
  addMembers: async (request, options) => (await ask("ConversationService/AddMembers", request, options)).entry,
  removeMember: async (request, options) => (await ask("ConversationService/RemoveMember", request, options)).entry,
  setRole: async (request, options) => (await ask("ConversationService/SetRole", request, options)).entry,
  setMemberRoles: async (request, options) => (await ask("GroupService/SetMemberRoles", request, options)).entry,
  setNickname: async (request, options) => (await ask("GroupService/SetNickname", request, options)).entry,
  muteMember: async (request, options) => (await ask("GroupService/MuteMember", request, options)).entry,
});
