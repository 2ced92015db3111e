// A crew of tabs. The one that leads tells the others each batch that it stored; they keep their state equal to it,
// read the store themselves, and put what their user sends into it before they tell the one that leads.
import type { ConversationView } from "../conversation.js";
import { Items } from "../reduce/items.js";
import { type Change, type State, putRecord } from "../reduce/state.js";
import type { Ledger } from "../ledger.js";
import type { FailureRecord, OutboxRecord, Removal, StoreBatch } from "../types/store.js";
import { type Crew, type CrewHost, type News, type Status, plain, revive } from "./crew.js";
import type { Tabs, TabsHandle } from "./tabs.js";

type Told =
  | { readonly type: "news"; readonly news: News }
  | { readonly type: "batch"; readonly batch: StoreBatch; readonly changes: readonly Change[] }
  | { readonly type: "status"; readonly status: Omit<Status, "error"> & { readonly error: FailureRecord | undefined } }
  | { readonly type: "erased" };

/** Messages from the newest on among which the fate of an unanswered send is looked for. */
const recent = 200;
/** How long a message may lie in the store that nobody was told of. */
const collectEveryMs = 5_000;

/** Takes part in what the tabs of a profile share. */
export function sharedCrew(tabs: Tabs): (host: CrewHost) => Crew {
  return (host) => {
    let isLoaded = (): void => undefined;
    const loaded = new Promise<void>((resolve) => {
      isLoaded = resolve;
    });
    // What is told while this tab reads the store; undefined = it is taken at once.
    let waiting: Told[] | undefined = [];
    let leads = false;
    let erased = false;
    // Changes of role, one after the other.
    let turn: Promise<unknown> = loaded;

    const take = (told: Told): void => {
      if (told.type === "news") host.hear(told.news);
      else if (told.type === "batch") apply(host, told.batch, told.changes);
      else if (told.type === "status") host.setStatus({ ...told.status, error: told.status.error && revive(told.status.error) });
      else {
        erased = true;
        host.erased();
      }
    };
    const takeWaiting = (): void => {
      const told = waiting ?? [];
      waiting = undefined;
      told.forEach(take);
    };
    const next = (work: () => Promise<void>): void => {
      turn = turn.then(work).catch((error: unknown) => host.error(error));
    };
    const handle: TabsHandle = tabs.join(host.name, {
      lead: () =>
        next(async () => {
          // The tab that led before may have stored what it could not tell any more.
          await reload(host);
          waiting = [];
          leads = true;
          host.lead();
          collectLater();
        }),
      follow: () =>
        next(async () => {
          waiting ??= [];
          await reload(host);
          takeWaiting();
          host.follow();
        }),
      told: (told) => {
        if (leads) return;
        if (waiting) waiting.push(told as Told);
        else take(told as Told);
      },
      command: async (command, tab) => {
        await turn;
        return host.execute(command, tab);
      },
      joined: () => tellStatus(),
      left: (tab) => host.left(tab),
    });
    // What a tab stored and died before it could tell.
    let stopCollecting = (): void => undefined;
    const collect = async (): Promise<void> => {
      const items = await strays(host.ledger);
      if (leads && items.length) await host.execute({ type: "items", items }, "");
    };
    const collectLater = (): void => {
      stopCollecting = host.clock.after(collectEveryMs, () => {
        collect()
          .catch((error: unknown) => host.error(error))
          .finally(() => leads && collectLater());
      });
    };
    const tell = (told: Told): void => handle.tell(told);
    const tellStatus = (): void => {
      const { error, ...status } = host.status();
      if (leads) tell({ type: "status", status: { ...status, error: error && plain(error) } });
    };
    return {
      shared: true,
      loaded: () => {
        isLoaded();
        takeWaiting();
      },
      ask: (command, signal) =>
        handle.ask(command, signal).catch((error: unknown) => {
          // The tab that leads says that it is done before it answers who asked for it.
          if (!erased || command.type !== "signOut") throw error;
        }),
      tell: (news) => tell({ type: "news", news }),
      tellBatch: (batch, changes) => tell({ type: "batch", batch, changes }),
      tellStatus,
      tellErased: () => tell({ type: "erased" }),
      leave: () => {
        leads = false;
        stopCollecting();
        handle.leave();
      },
    };
  };
}

/** Outbox items that another tab has stored and that nobody told of. */
async function strays(ledger: Ledger): Promise<readonly OutboxRecord[]> {
  await ledger.stored();
  const earlier = new Set(ledger.state.outbox.all().map((item) => item.id));
  const stored = await ledger.partition.outbox();
  return stored.filter((item) => !earlier.has(item.id) && !ledger.state.outbox.get(item.id));
}

/** Takes over what the one that leads has stored. */
function apply({ ledger }: CrewHost, batch: StoreBatch, changes: readonly Change[]): void {
  const removed: readonly Removal[] = batch.removed ?? [];
  ledger.amend(batch.meta?.revision ?? 0, removed, changes, (state: State) => {
    for (const id of batch.dropped ?? []) state.conversations.delete(id);
    for (const { conversation, from, to } of removed) {
      const messages = state.conversations.get(conversation)?.messages;
      for (const seq of messages?.keys() ?? []) if (seq >= from && seq <= to) messages?.delete(seq);
    }
    for (const record of batch.conversations ?? []) putRecord(state, record);
    for (const record of batch.messages ?? []) state.conversations.get(record.conversation)?.messages.set(record.seq, record);
    for (const id of batch.outboxDone ?? []) state.outbox.put(id, undefined);
    const late = (batch.outbox ?? []).some((item) => !state.outbox.get(item.id) && item.order < state.outbox.lastOrder);
    for (const item of batch.outbox ?? []) state.outbox.put(item.id, item);
    if (late) state.outbox = new Items([...state.outbox.all()].sort((a, b) => a.order - b.order));
    if (batch.meta) ledger.deviceId = batch.meta.deviceId;
  });
}

/** Reads the store again: what is shown, what is unsent, and which promises were kept meanwhile. */
async function reload(host: CrewHost): Promise<void> {
  const { ledger, waiters } = host;
  await ledger.load();
  await Promise.all([...host.views()].map((view) => reread(host, view)));
  host.reloaded();
  for (const id of waiters.ids) {
    const item = ledger.state.outbox.get(id);
    if (item?.state === "failed" && item.error) waiters.failed(id, revive(item.error));
    else if (!item) waiters.sent(id, await findSent(host, id));
  }
}

/** Reads again what a conversation shows: what the store says is true, unless it is older. */
async function reread({ ledger }: CrewHost, view: ConversationView): Promise<void> {
  const { shown, id } = view;
  const c = ledger.conversation(id);
  if (!shown || !c) {
    view.invalidate();
    return;
  }
  const [from, to] = [shown[0], Math.min(shown[1], c.live)];
  await ledger.pinned(async () => {
    const records = await ledger.scan({ conversation: id, from: to, until: from, limit: Infinity });
    const held = c.messages;
    const stored = new Map(records.map((record) => [record.seq, record]));
    for (const seq of [...held.keys()]) if (seq >= from && seq <= to && !stored.has(seq)) held.delete(seq);
    for (const record of records) {
      const here = held.get(record.seq);
      const newer = here?.id === record.id && (here.asOf > record.asOf || here.version > record.version);
      if (!newer) held.set(record.seq, record);
    }
    view.handle({ type: "conversation", conversation: id });
  });
}

/** The seq of a message of whose ack this tab was not told; 0 = it was something else than a message. */
async function findSent({ ledger }: CrewHost, id: string): Promise<number> {
  for (const c of ledger.state.conversations.values()) {
    const page = await ledger.read({ conversation: c.id, from: c.live, until: 1, limit: recent });
    const found = page.find((record) => record.id === id);
    if (found) return found.seq;
  }
  return 0;
}
