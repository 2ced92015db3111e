/**
 * What the package root has and `./core` has not, for a client that is made with `./core`:
 * `createClient({ …, extras })`.
 *
 * @packageDocumentation
 */
import type { ConversationHost } from "../../conversation.js";
import { SkeinError } from "../../error.js";
import { uuidBytes } from "../../ids.js";
import { showFrame } from "./frames.js";
import { searchMessages } from "./search.js";
import { calls } from "./wire.js";
import { readBody, roles } from "../../project.js";
import { memoryStore } from "../../store/memory.js";
import type { CallOptions, Device, NewGroup, Platform, Presence } from "../../types/client.js";
import type { Member, MemberFilter } from "../../types/conversation.js";
import type { Message, Revision, Role } from "../../types/message.js";

const platforms: readonly (Platform | undefined)[] = [undefined, "web", "android", "ios", "desktop", "server"];
const pageOfMembers = 100;

function millis(us: number): number {
  return Math.floor(us / 1000);
}

function about(host: ConversationHost, conversation: string): { conversation: string; clientId: Uint8Array } {
  return { conversation, clientId: uuidBytes(host.newId()) };
}

/** The calls that a client without `extras` refuses with `unsupported`. */
export const extras = {
  frame: showFrame,
  memoryStore,
  search: searchMessages,

  async listDevices(host: ConversationHost, { signal }: CallOptions = {}): Promise<readonly Device[]> {
    const { devices } = await host.post(calls.ListDevices, {}, signal);
    return devices.map(({ id, platform, name, createdUs, lastSeenUs, online, current }) => ({
      id,
      platform: platforms[platform],
      name,
      created: millis(createdUs),
      lastSeen: millis(lastSeenUs),
      online,
      current,
    }));
  },

  async fetchPresence(host: ConversationHost, users: readonly string[], { signal }: CallOptions = {}): Promise<readonly Presence[]> {
    const { presences } = await host.post(calls.GetPresence, { users }, signal);
    return presences.map(({ user, online, lastSeenUs, rest }) => ({ user, online, lastSeen: lastSeenUs ? millis(lastSeenUs) : undefined, fields: rest }));
  },

  /** The id of the new group. */
  async createGroup(host: ConversationHost, { id, title, members }: NewGroup, { signal }: CallOptions = {}): Promise<string> {
    const input = { id: id ?? "", title, members, clientId: uuidBytes(host.newId()) };
    const { conversation } = await host.post(calls.CreateGroup, input, signal);
    if (!conversation) throw new SkeinError("internal", "the server made no group");
    return conversation.id;
  },

  async edits(host: ConversationHost, conversation: string, { seq }: Message, { signal }: CallOptions = {}): Promise<readonly Revision[]> {
    const { revisions } = await host.post(calls.ListEdits, { conversation, seq: seq ?? 0 }, signal);
    return revisions.map(({ body, timeUs, editSeq }) => {
      const { text, custom, content } = readBody(body, host);
      return { text, custom, content, time: millis(timeUs), editSeq: editSeq || undefined };
    });
  },

  async *members(
    host: ConversationHost,
    conversation: string,
    { limit = pageOfMembers, query = "", role, signal }: CallOptions & MemberFilter & { readonly limit?: number | undefined } = {},
  ): AsyncGenerator<readonly Member[]> {
    for (let page = ""; ; ) {
      const answer = await host.post(calls.ListMembers, { conversation, limit, page, query, role: role ? roles.indexOf(role) : 0 }, signal);
      yield answer.members.map(({ user, role: has, readSeq, readOrd }) => ({ user, role: roles[has] ?? "member", read: { seq: readSeq, ord: readOrd } }));
      page = answer.nextPage;
      if (!page) return;
    }
  },

  async addMembers(host: ConversationHost, id: string, users: readonly string[], { signal }: CallOptions = {}): Promise<void> {
    await host.post(calls.AddMembers, { ...about(host, id), users }, signal);
  },

  async removeMember(host: ConversationHost, id: string, user: string, { signal }: CallOptions = {}): Promise<void> {
    await host.post(calls.RemoveMember, { ...about(host, id), user }, signal);
  },

  async leave(host: ConversationHost, id: string, { signal }: CallOptions = {}): Promise<void> {
    await host.post(calls.LeaveGroup, about(host, id), signal);
  },

  async setRole(host: ConversationHost, id: string, user: string, role: Role, { signal }: CallOptions = {}): Promise<void> {
    await host.post(calls.SetRole, { ...about(host, id), user, role: roles.indexOf(role) }, signal);
  },

  async setTitle(host: ConversationHost, id: string, title: string, { signal }: CallOptions = {}): Promise<void> {
    await host.post(calls.UpdateGroup, { ...about(host, id), title }, signal);
  },
};

/** What `extras` offers; made by the SDK alone. */
export type Extras = typeof extras;
