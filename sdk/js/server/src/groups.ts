import { type Ask, type CallOptions, type Calls, given, pages } from "./calls.js";
import type { Conversation, Entry } from "./wire.js";

/** Groups: made for an owner, listed, changed, ended. */
export interface Groups {
  /**
   * Makes a group for the owner whom the request names. Further members, 999 at most, are those that it lists; more
   * come by `addMembers`. `already_exists` when the id is taken by a group of another owner.
   */
  createGroup(request: Ask<"ConversationService/CreateGroup", "owner">, options?: CallOptions): Promise<Conversation>;
  /** Returns all groups of the app, by id, without a membership or read markers. */
  groups(options?: CallOptions): AsyncGenerator<Conversation, void, undefined>;
  /** Returns one group, or any other conversation. `not_found` when there is none. */
  group(id: string, options?: CallOptions): Promise<Conversation>;
  /** Changes a group's title. */
  updateGroup(request: Ask<"ConversationService/UpdateGroup", "conversation" | "title">, options?: CallOptions): Promise<Entry | undefined>;
  /**
   * Changes the settings that the request names in fields; one that is absent in settings goes back to its default.
   */
  updateGroupSettings(request: Ask<"GroupService/UpdateGroupSettings", "conversation" | "fields" | "settings">, options?: CallOptions): Promise<Entry | undefined>;
  /** Keeps everybody below the admins from writing for some seconds; 0 ends it. */
  muteGroup(request: Ask<"GroupService/MuteGroup", "conversation" | "seconds">, options?: CallOptions): Promise<Entry | undefined>;
  /** Makes a member the owner, and the owner an admin. */
  transferGroup(request: Ask<"GroupService/TransferGroup", "conversation" | "user">, options?: CallOptions): Promise<Entry | undefined>;
  /** Ends a group for everybody; its id is never used again, and everybody keeps what they could read. */
  dissolveGroup(request: Ask<"GroupService/DissolveGroup", "conversation">, options?: CallOptions): Promise<Entry | undefined>;
  /** Makes a role of a group, or changes the one whose id the request has, and returns its id. */
  putGroupRole(request: Ask<"GroupService/PutGroupRole", "conversation" | "role">, options?: CallOptions): Promise<string>;
  /** Takes a role away from everybody who has it. */
  deleteGroupRole(request: Ask<"GroupService/DeleteGroupRole", "conversation" | "roleId">, options?: CallOptions): Promise<Entry | undefined>;
}

export const groups = ({ ask }: Calls): Groups => ({
  createGroup: async (request, options) => given((await ask("ConversationService/CreateGroup", request, options)).conversation),
  groups: (options) =>
    pages(async (page) => {
      const answer = await ask("ArchiveService/ListGroups", { limit: 200, page }, options);
      return [answer.groups, answer.nextPage];
    }),
  group: async (id, options) => given((await ask("ConversationService/GetConversation", { conversation: id }, options)).conversation),
  updateGroup: async (request, options) => (await ask("ConversationService/UpdateGroup", request, options)).entry,
  updateGroupSettings: async (request, options) => (await ask("GroupService/UpdateGroupSettings", request, options)).entry,
  muteGroup: async (request, options) => (await ask("GroupService/MuteGroup", request, options)).entry,
  transferGroup: async (request, options) => (await ask("GroupService/TransferGroup", request, options)).entry,
  dissolveGroup: async (request, options) => (await ask("GroupService/DissolveGroup", request, options)).entry,
  putGroupRole: async (request, options) => (await ask("GroupService/PutGroupRole", request, options)).roleId,
  deleteGroupRole: async (request, options) => (await ask("GroupService/DeleteGroupRole", request, options)).entry,
});
