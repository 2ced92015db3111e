import { fromBinary, toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { BodySchema, EntrySchema, HistoryItemSchema } from "../src/gen/skein/v1/entry_pb.js";
import { ErrorSchema } from "../src/gen/skein/v1/error_pb.js";
import { ListMessagesResponseSchema } from "../src/gen/skein/v1/message_pb.js";
import { ServerPacketSchema } from "../src/gen/skein/v1/realtime_pb.js";
import { type Event, needsOf, reduce } from "../src/reduce/reduce.js";
import { Items } from "../src/reduce/items.js";
import { rangeAt } from "../src/reduce/spans.js";
import { type Change, type ConversationState, type State, holeOf, newDirty, newState, putRecord, takeBatch, unreadOf } from "../src/reduce/state.js";
import type { ErrorCode } from "../src/error.js";
import type { MessageRecord, OutboxRecord, Partition } from "../src/types/store.js";
import { memoryStore } from "../src/store/memory.js";
import { threads } from "../src/modules/threads/index.js";
import type { ModuleCore } from "../src/module.js";
import { encode, toBase64 } from "../src/wire/codec.js";
import type { Body } from "../src/wire/schema.js";
import { errorCodes } from "../src/wire/schema.js";
import { sparse, vectors, wire } from "./vectors.js";

interface Vector {
  readonly about: string;
  readonly user: string;
  readonly steps: readonly { readonly event: Record<string, Record<string, unknown>>; readonly changes: unknown }[];
  readonly expect: unknown;
}

function itemOf(op: OutboxRecord["op"], x: Record<string, unknown>, order: number): OutboxRecord {
  const target = (x["target"] ?? {}) as { id?: string; seq?: number };
  return {
    id: x["id"] as string,
    order,
    conversation: x["conversation"] as string,
    op,
    body: x["body"] ? wire("Body", BodySchema, x["body"]) : undefined,
    emoji: (x["emoji"] as string) ?? "",
    remove: (x["remove"] as boolean) ?? false,
    key: (x["key"] as string) ?? "",
    toDevices: (x["toDevices"] as string[]) ?? [],
    handshake: (x["handshake"] as boolean) ?? false,
    targetSeq: target.seq ?? 0,
    targetId: target.id ?? "",
    time: (x["time"] as number) ?? 0,
    state: "sending",
    error: undefined,
    seq: 0,
    ord: 0,
    ackTime: 0,
    attempts: 0,
    firstAttempt: 0,
  };
}

function eventOf(event: Record<string, Record<string, unknown>>, order: number): Event {
  const [[name, x]] = Object.entries(event) as [[string, Record<string, unknown>]];
  switch (name) {
    case "packet":
      return { type: "packet", packet: wire("ServerPacket", ServerPacketSchema, x) };
    case "answer":
      return { type: "answer", entry: wire("Entry", EntrySchema, x) };
    case "page":
    case "repair":
      return {
        type: "page",
        repair: name === "repair",
        conversation: x["conversation"] as string,
        before: (x["before"] as number) ?? 0,
        after: x["after"] as number | undefined,
        page: wire("ListMessagesResponse", ListMessagesResponseSchema, x["response"]),
      };
    case "send":
    case "edit":
    case "recall":
    case "react":
      return { type: "enqueue", item: itemOf(name, x, order) };
    case "failed": {
      const error = wire("Error", ErrorSchema, x["error"]);
      const code = errorCodes.split(" ")[error.code] as ErrorCode;
      return { type: "failed", id: x["id"] as string, error: { code, message: error.message, hint: error.hint } };
    }
    case "renewed":
    case "retry":
      return { type: name, id: x["id"] as string, newId: x["newId"] as string };
    case "discard":
      return { type: "discard", id: x["id"] as string };
    case "read":
      return { type: "read", conversation: x["conversation"] as string, seq: x["seq"] as number };
    case "restart":
      return { type: "restart" };
    default:
      throw new Error(`no event is called ${name}`);
  }
}

/** What the vectors say of changes: what only modules hear is not among them. */
function told(changes: readonly Change[]): unknown {
  return changes.filter(({ type }) => type !== "keyed" && type !== "entry").map(changeJson);
}

function changeJson(change: Change): unknown {
  const { type, conversation, seq, id, to, error } = change as unknown as Record<string, unknown>;
  return sparse({ type, conversation, seq, id, newId: to, error: (error as { code?: string } | undefined)?.code });
}

/** A state whose votes, extensions and replies are folded, as with the module of threads. */
function stateWithModule(user: string): State {
  const state = newState(user);
  const core = { client: { on: () => () => {} } } as unknown as ModuleCore;
  threads()(core);
  for (const [kind, fold] of core.hub?.folds ?? []) state.folds.set(kind, fold);
  return state;
}

/** With what of it only modules read. */
const bodyJson = (body: Body): unknown => toJson(BodySchema, fromBinary(BodySchema, encode("Body", body)));

const position = (p: { seq: number; ord: number }): number[] => [p.seq, p.ord];

function messageJson(m: MessageRecord, stale: boolean): unknown {
  const { votes, extensions } = fromBinary(HistoryItemSchema, m.itemRest ?? new Uint8Array(0));
  return sparse({
    seq: m.seq,
    id: m.id,
    kind: { 1: "message", 5: "members", 6: "conversation" }[m.kind],
    ord: m.ord,
    sender: m.sender,
    time: m.time,
    version: m.version,
    recalled: m.recalled,
    expired: m.delivery?.expired,
    stale,
    body: m.body && bodyJson(m.body),
    reactions: m.reactions.map((r) => sparse({ ...r })),
    votes: votes.map(({ emoji, count, users, mine }) => sparse({ emoji, count, users, mine })),
    extensions: extensions.map(({ key, value }) => sparse({ key, value: toBase64(value) })),
  });
}

function conversationJson(c: ConversationState, messages: readonly MessageRecord[]): unknown {
  const hole = holeOf(c);
  return sparse({
    kind: c.id.startsWith("@") ? "direct" : c.id.startsWith("~") ? "self" : "group",
    from: c.from === 1 ? 0 : c.from,
    hole: hole.from <= hole.to ? [hole.from, hole.to] : undefined,
    title: c.title,
    members: c.members,
    role: ["", "member", "admin", "owner"][c.role],
    to: c.to,
    head: position(c.head),
    live: c.live,
    ranges: c.ranges,
    read: position(c.read),
    readUnsent: c.readUnsent,
    unread: unreadOf(c),
    markers: Object.fromEntries([...c.markers].map(([user, marker]) => [user, position(marker)])),
    activity: c.activity,
    messages: messages.map((m) => messageJson(m, !rangeAt(c.ranges, m.seq))),
    keyed: Object.fromEntries([...c.keyed].map(([key, { seq, body }]) => [key, { seq, body: body && bodyJson(body) }])),
  });
}

function stateJson(state: State, messagesOf: (c: ConversationState) => readonly MessageRecord[]): unknown {
  return sparse({
    user: state.user,
    incarnation: state.incarnation,
    cursor: toBase64(state.cursor),
    conversations: Object.fromEntries([...state.conversations].map(([id, c]) => [id, conversationJson(c, messagesOf(c))])),
    outbox: state.outbox.all().map((item) =>
      sparse({
        id: item.id,
        conversation: item.conversation,
        op: item.op,
        state: item.state,
        seq: item.seq,
        key: item.key,
        emoji: item.emoji,
        remove: item.remove,
        body: item.body && bodyJson(item.body),
        target: item.op === "send" ? undefined : sparse({ id: item.targetId, seq: item.targetSeq }),
        error: item.error?.code,
      }),
    ),
  });
}

const bySeq = (a: MessageRecord, b: MessageRecord): number => a.seq - b.seq;

/** Brings what the event needs from the store. */
async function load(state: State, partition: Partition, event: Event): Promise<void> {
  for (const need of needsOf(state, event)) {
    const { conversation, range } = need;
    const records = range
      ? await partition.messages({ conversation, from: range[1], until: range[0], limit: need.nearest ? 1 : 1e6 })
      : await partition.messagesAt(conversation, need.seqs);
    for (const record of records) state.conversations.get(conversation)?.messages.set(record.seq, record);
  }
}

describe.each(vectors<Vector>("reduce", 50))("%s", (_, vector) => {
  test("gives the changes and the state with everything in memory", () => {
    const state = stateWithModule(vector.user);
    vector.steps.forEach((step, i) => {
      expect(told(reduce(state, eventOf(step.event, i))), `changes of step ${i + 1}`).toEqual(step.changes);
    });
    expect(stateJson(state, (c) => [...c.messages.values()].sort(bySeq))).toEqual(vector.expect);
  });

  test("gives the same state with all messages left in the store, and the same changes", async () => {
    const partition = await memoryStore().open({ endpoint: "http://skein.example", appId: "demo", userId: vector.user });
    const state = stateWithModule(vector.user);
    for (const [i, step] of vector.steps.entries()) {
      const event = eventOf(step.event, i);
      await load(state, partition, event);
      expect(told(reduce(state, event)), `changes of step ${i + 1}`).toEqual(step.changes);
      const batch = takeBatch(state, "device");
      if (batch) await partition.commit(batch);
      for (const c of state.conversations.values()) c.messages.clear();
    }
    const stored = await partition.load();
    const again = newState(vector.user);
    again.outbox = new Items(stored.outbox);
    again.cursor = stored.meta?.cursor ?? again.cursor;
    again.incarnation = stored.meta?.incarnation ?? "";
    for (const record of stored.conversations) putRecord(again, record);
    const messages = new Map<string, readonly MessageRecord[]>();
    for (const { id } of again.conversations.values()) {
      messages.set(id, await partition.messages({ conversation: id, from: 1, until: 1e6, limit: 1e6 }));
    }
    // What is not persisted is what a restart forgets: the hole of positions that were held back.
    const forgets = (json: unknown): unknown =>
      JSON.parse(JSON.stringify(json), (key, value: unknown) => (key === "hole" ? undefined : value));
    expect(forgets(stateJson(again, (c) => messages.get(c.id) ?? []))).toEqual(forgets(vector.expect));
    expect(state.dirty).toEqual(newDirty());
  });
});
