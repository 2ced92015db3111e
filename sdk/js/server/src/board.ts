import { type Ask, type CallOptions, type Calls, given } from "./calls.js";
import type { Announcement, GroupAttribute, GroupCounter } from "./wire.js";

/** What a group shows beside its messages. */
export interface Board {
  /** Hangs up an announcement; a group has 50 at most. */
  createAnnouncement(request: Ask<"BoardService/CreateAnnouncement", "conversation" | "title">, options?: CallOptions): Promise<Announcement>;
  /** Replaces one. */
  updateAnnouncement(request: Ask<"BoardService/UpdateAnnouncement", "conversation" | "id" | "title">, options?: CallOptions): Promise<Announcement>;
  /** Takes one down. */
  deleteAnnouncement(request: Ask<"BoardService/DeleteAnnouncement", "conversation" | "id">, options?: CallOptions): Promise<void>;
  /** Returns a group's announcements, pinned ones first, then the newest. */
  announcements(conversation: string, options?: CallOptions): Promise<readonly Announcement[]>;
  /** Sets an attribute. `failed_precondition` when it has another version than the one that the request names. */
  setGroupAttribute(request: Ask<"BoardService/SetGroupAttribute", "conversation" | "name" | "value">, options?: CallOptions): Promise<GroupAttribute>;
  /** Removes one. */
  removeGroupAttribute(request: Ask<"BoardService/RemoveGroupAttribute", "conversation" | "name">, options?: CallOptions): Promise<void>;
  /** Returns a group's attributes by name, at most 100. */
  groupAttributes(conversation: string, options?: CallOptions): Promise<readonly GroupAttribute[]>;
  /**
   * Adds to a counter, which begins at 0, and returns its value; exact, however many add at once.
   * `failed_precondition` when it would leave the bounds that the request sets.
   */
  incrementCounter(request: Ask<"BoardService/IncrementCounter", "conversation" | "name" | "delta">, options?: CallOptions): Promise<number>;
  /** Removes a counter. */
  removeCounter(request: Ask<"BoardService/RemoveCounter", "conversation" | "name">, options?: CallOptions): Promise<void>;
  /** Returns a group's counters by name, at most 50. */
  counters(conversation: string, options?: CallOptions): Promise<readonly GroupCounter[]>;
}

export const board = ({ ask }: Calls): Board => ({
  createAnnouncement: async (request, options) => given((await ask("BoardService/CreateAnnouncement", request, options)).announcement),
  updateAnnouncement: async (request, options) => given((await ask("BoardService/UpdateAnnouncement", request, options)).announcement),
  async deleteAnnouncement(request, options) {
    await ask("BoardService/DeleteAnnouncement", request, options);
  },
  announcements: async (conversation, options) => (await ask("BoardService/ListAnnouncements", { conversation }, options)).announcements,
  setGroupAttribute: async (request, options) => given((await ask("BoardService/SetGroupAttribute", request, options)).attribute),
  async removeGroupAttribute(request, options) {
    await ask("BoardService/RemoveGroupAttribute", request, options);
  },
  groupAttributes: async (conversation, options) => (await ask("BoardService/ListGroupAttributes", { conversation }, options)).attributes,
  incrementCounter: async (request, options) => (await ask("BoardService/IncrementCounter", request, options)).value,
  async removeCounter(request, options) {
    await ask("BoardService/RemoveCounter", request, options);
  },
  counters: async (conversation, options) => (await ask("BoardService/ListCounters", { conversation }, options)).counters,
});
