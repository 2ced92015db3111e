/**
 * Files: uploads that go on after a reload, a day offline or a closed tab, and end in exactly one message; and the URLs
 * by which files are read. `createClient({ …, modules: { files: files() } })` gives `client.files`, and
 * `conversation.send({ file })`.
 *
 * @packageDocumentation
 */
import { abortable, abortedError } from "../../abort.js";
import { systemRandom } from "../../client.js";
import type { ConversationView } from "../../conversation.js";
import { Emitter } from "../../emitter.js";
import { type ErrorCode, SkeinError } from "../../error.js";
import { type CallOptions, type ClientState, type Module, type ModuleHost, type Unsubscribe, defineModule } from "../../module.js";
import { bodyOf } from "../../project.js";
import { platformTabs } from "../../tabs/browser.js";
import { revive } from "../../tabs/crew.js";
import type { Tabs, TabsHandle, TabsMember } from "../../tabs/tabs.js";
import type { Conversation } from "../../types/conversation.js";
import type { Message } from "../../types/message.js";
import type { ModuleCore } from "../../types/module.js";
import type { UploadBlobs } from "../../types/store.js";
import { type Deferred, deferred } from "../../waiters.js";
import { type Http, platformHttp } from "./http.js";
import { Keys } from "./keys.js";
import type { FilePlace, Files, Media, NewFile, NewFiles, OneNewFile, Transfer, TransferItem, UrlOptions } from "./types.js";
import { type Attachment, calls, contentFields } from "./wire.js";
import { type Kept, type KeptItem, type Report, type Verb, Worker, whole } from "./worker.js";

export type { Http, HttpAnswer, HttpRequest } from "./http.js";
export type { FilePlace, Files, Media, NewFile, NewFiles, OneNewFile, Transfer, TransferItem, TransferState, UrlOptions, Voice } from "./types.js";

/** What `files` takes; everything has a default. */
export interface FilesOptions {
  /**
   * Finds out what a picture, a film or a sound is, for what the sender did not say: `describe` of
   * `@skein/client/files/browser` where there is a `document`. Default: the dimensions of pictures, where the platform
   * can decode them. What it rejects with is no harm: the server looks by itself.
   */
  readonly describe?: ((blob: Blob, mime: string) => Promise<Media | undefined>) | undefined;
  /** How requests are made. Default: XMLHttpRequest, which tells of progress, and fetch where there is none. */
  readonly http?: Http | undefined;
  /** How tabs find each other. Default: as the client's do. */
  readonly tabs?: Tabs | undefined;
}

type Command =
  | { readonly type: "list" }
  | { readonly type: "add"; readonly record: Kept; readonly blobs: UploadBlobs }
  | { readonly type: "do"; readonly id: string; readonly verb: Verb };

/** What this tab has sent. */
interface Own {
  readonly record: Kept;
  readonly blobs: UploadBlobs;
  /** The seq of the message, or why there is none. */
  readonly over: Deferred<number>;
  /** Ends the telling of progress. */
  readonly off: Unsubscribe | undefined;
}

interface View {
  readonly order: number;
  readonly kept: boolean | undefined;
  readonly transfer: Transfer;
}

const ended: ReadonlySet<ClientState> = /* @__PURE__ */ new Set(["signedOut", "replaced", "closed"]);
/** Messages from the newest on among which one that was sent meanwhile is looked for. */
const recent = 200;
const mostDecoded = 32 * 1024 * 1024;
const mostFiles = 20;
const maxCaption = 4096;
const maxWaveform = 128;

function refuse(code: ErrorCode, message: string): never {
  throw new SkeinError(code, message);
}

/** What a platform without a document finds out: the size of a picture, turned upright. It is decoded for it: large ones are left to the server. */
async function dimensions(blob: Blob, mime: string): Promise<Media | undefined> {
  if (!mime.startsWith("image/") || blob.size > mostDecoded || typeof createImageBitmap === "undefined") return undefined;
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}

class FilesOfHost implements Files {
  readonly #core: ModuleCore;
  readonly #host: ModuleHost;
  readonly #options: FilesOptions;
  readonly #keys: Keys;
  readonly #events = new Emitter<{ change: Transfer }>();
  readonly #views = new Map<string, View>();
  readonly #blobs = new Map<string, Map<number, Blob>>();
  readonly #own = new Map<string, Own>();
  #lists = new Map<string, readonly Transfer[]>();
  #tabs: TabsHandle<Command> | undefined;
  #worker: Worker | undefined;
  /** The worker has what the store had. */
  #begun: Promise<void> = Promise.resolve();
  #lastOrder = 0;

  constructor(core: ModuleCore, host: ModuleHost, options: FilesOptions) {
    this.#core = core;
    this.#host = host;
    this.#options = options;
    this.#keys = new Keys(core, host);
    host.sends((conversation, message, signal) => {
      if (!("file" in message || "files" in message)) return undefined;
      const { file, ...rest } = message;
      return this.#sent(conversation, { ...rest, files: file ? [file] : (message.files ?? []) }, signal);
    });
    host.on("state", ({ state }) => {
      if (ended.has(state)) this.#leave();
      else if (state === "online") this.#join();
    });
    host.ready.then(() => this.#join()).catch(() => undefined);
  }

  send(conversation: Conversation | string, message: NewFiles): Transfer {
    return this.#send(conversation, message).transfer;
  }

  #send(to: Conversation | string, message: NewFiles): { readonly own: Own; readonly transfer: Transfer } {
    const conversation = typeof to === "string" ? to : to.id;
    const { files, caption = "", signal, onProgress, options, content, fields, mentions = [] } = message;
    if (signal?.aborted) throw abortedError(signal);
    if (this.#core.closed()) refuse("closed", "the client was closed");
    if (files.length < 1 || files.length > mostFiles) refuse("invalid_argument", `a message has 1 to ${mostFiles} files`);
    if (new TextEncoder().encode(caption).length > maxCaption) refuse("too_large", `a caption has at most ${maxCaption} bytes of UTF-8`);
    const replyTo = bodyOf({ content: new Uint8Array(0), replyTo: message.replyTo, mentions }, conversation).content?.replyToSeq || undefined;
    const blobs = new Map<number, Blob>();
    const items = files.map((given, n): KeptItem => {
      const file: NewFile = given instanceof Blob ? { blob: given, name: "name" in given ? given.name : "file" } : given;
      const { blob, name, voice, plain = false, poster, width = 0, height = 0, durationMs = 0 } = file;
      if ((voice?.waveform.length ?? 0) > maxWaveform) refuse("too_large", `a waveform has at most ${maxWaveform} bytes`);
      const mime = blob.type.split(";")[0] || "application/octet-stream";
      blobs.set(2 * n, blob);
      if (poster) blobs.set(2 * n + 1, poster);
      return {
        name,
        mime,
        size: blob.size,
        width: whole(width),
        height: whole(height),
        durationMs: whole(voice?.durationMs ?? durationMs),
        voice: voice !== undefined,
        waveform: voice?.waveform,
        plain,
        prepared: voice !== undefined || plain || (width > 0 && (poster !== undefined || !mime.startsWith("video/"))),
        posterSize: poster?.size ?? 0,
      };
    });
    this.#lastOrder = Math.max(this.#lastOrder + 1, Math.floor(this.#host.now()));
    const id = this.#core.host().newId();
    const record: Kept = {
      id,
      order: this.#lastOrder,
      conversation,
      caption,
      replyTo,
      mentions,
      content,
      fields,
      options,
      items,
      uploads: {},
      sent: {},
      paused: false,
      error: undefined,
      queued: false,
    };
    const off = onProgress && this.onChange((transfer) => transfer.id === id && onProgress(transfer));
    const own: Own = { record, blobs, over: deferred(), off };
    own.over.promise.catch(() => undefined);
    this.#own.set(id, own);
    const transfer = this.#take({ record, state: "waiting", sent: {}, bytesPerSecond: 0, offline: false, kept: undefined, error: undefined, seq: 0, blobs });
    this.#ask({ type: "add", record, blobs });
    signal?.addEventListener("abort", () => this.cancel(id), { once: true });
    return { own, transfer };
  }

  /** As a promise of the message. */
  async #sent(conversation: string, message: NewFiles, signal: AbortSignal | undefined): Promise<Message> {
    const { own } = this.#send(conversation, message);
    const { ledger } = this.#core.host();
    const seq = await abortable(own.over.promise, signal);
    const view = this.#host.conversation(conversation) as ConversationView;
    return ledger.pinned(async () => {
      await ledger.bringAt(conversation, [seq]);
      return view.find(seq) ?? view.echo(own.record.id) ?? refuse("not_found", "the message is not here any more");
    });
  }

  transfers(of?: Conversation | string): readonly Transfer[] {
    const conversation = typeof of === "object" ? of.id : (of ?? "");
    let list = this.#lists.get(conversation);
    if (!list) {
      const views = [...this.#views.values()].filter(({ transfer }) => !conversation || transfer.conversation === conversation);
      list = views.sort((a, b) => a.order - b.order).map(({ transfer }) => transfer);
      this.#lists.set(conversation, list);
    }
    return list;
  }

  onChange(listener: (transfer: Transfer) => void): Unsubscribe {
    return this.#events.on("change", listener);
  }

  pause(id: string): void {
    this.#ask({ type: "do", id, verb: "pause" });
  }

  resume(id: string): void {
    this.#ask({ type: "do", id, verb: "resume" });
  }

  cancel(id: string): void {
    this.#ask({ type: "do", id, verb: "cancel" });
  }

  retry(id: string): void {
    this.#ask({ type: "do", id, verb: "retry" });
  }

  url(of: FilePlace, options?: UrlOptions): string | undefined {
    return this.#keys.url(of, options);
  }

  onKey(listener: () => void): Unsubscribe {
    return this.#keys.onKey(listener);
  }

  ready(options?: CallOptions): Promise<void> {
    return this.#keys.ready(options);
  }

  #ask(command: Command): void {
    this.#tabs?.ask(command, undefined).catch(() => undefined);
  }

  #join(): void {
    if (this.#tabs || ended.has(this.#host.state)) return;
    const { endpoint, appId, client } = this.#core;
    const member: TabsMember<Command> = {
      lead: () => this.#lead(),
      follow: () => this.#reload(),
      told: (report) => void this.#take(report as Report),
      command: async (command) => {
        await this.#begun;
        if (command.type === "list") return this.#worker?.tellAll();
        if (command.type === "add") this.#worker?.add(command.record, command.blobs);
        else this.#worker?.do(command.id, command.verb);
        return undefined;
      },
      joined: () => undefined,
      left: () => undefined,
    };
    const tabs = this.#options.tabs ?? (client.snapshot.tab === "alone" ? undefined : platformTabs(systemRandom));
    this.#tabs = tabs?.join(`skein files ${JSON.stringify([endpoint, appId, client.userId])}`, member) ?? {
      tell: () => undefined,
      ask: (command) => member.command(command, ""),
      leave: () => undefined,
    };
    if (tabs) this.#reload();
    else this.#lead();
  }

  /** This tab does the work from now on. */
  #lead(): void {
    const { endpoint, appId, tokens, clock, random, client, host } = this.#core;
    const { ledger, retry, discard, settled, enqueue } = host();
    const worker = new Worker({
      endpoint,
      appId,
      tokens,
      clock,
      random,
      deviceId: () => client.snapshot.deviceId,
      http: this.#options.http ?? platformHttp,
      onOnline: (listener) => this.#host.on("state", ({ state }) => state === "online" && listener()),
      shelf: ledger.partition.uploads,
      describe: this.#options.describe ?? dimensions,
      made: async (id) => {
        const { file } = await this.#host.call(calls.GetFile, { id });
        return file ?? refuse("invalid_argument", "the answer has no file");
      },
      queued: (id) => ledger.state.outbox.get(id) !== undefined,
      enqueue: async (record, items) => {
        const { id, conversation, options, fields: rest, replyTo, mentions } = record;
        const content = contentOf(record, items);
        enqueue({ op: "send", id, conversation, options, rest, body: bodyOf({ content, replyTo, mentions }, conversation) });
        await ledger.stored();
      },
      settled: (id) => {
        const { state, error, seq = 0 } = ledger.state.outbox.get(id) ?? {};
        if (error) return Promise.reject(revive(error));
        return state === "sent" ? Promise.resolve(seq) : settled(id);
      },
      again: settled,
      retry,
      discard,
      tell: (report) => {
        this.#tabs?.tell(report);
        this.#take(report);
      },
    });
    this.#worker = worker;
    this.#begun = worker.start();
    this.#reload();
  }

  /** Asks the tab that does the work what there is. */
  #reload(): void {
    const known = [...this.#views.keys()];
    this.#tabs?.ask({ type: "list" }, undefined).then(
      (answer) => {
        const there = new Set(answer as readonly string[]);
        for (const id of known) {
          const view = this.#views.get(id);
          if (!view || there.has(id)) continue;
          const { kept, transfer } = view;
          const own = this.#own.get(id);
          // One that the store did not have, when the tab that worked on it went.
          if (own && kept !== true) this.#ask({ type: "add", record: own.record, blobs: own.blobs });
          // The message is in the outbox, and shows.
          else {
            if (own) this.#find(own).then(own.over.resolve, own.over.reject);
            this.#tell(id, { ...transfer, state: "sending" }, true);
          }
        }
      },
      () => undefined,
    );
  }

  /** The seq of a message that another tab put into the outbox before it went. */
  async #find({ record: { id, conversation } }: Own): Promise<number> {
    const { ledger, settled } = this.#core.host();
    if (ledger.state.outbox.get(id)) return settled(id);
    const page = await ledger.read({ conversation, from: ledger.conversation(conversation)?.live ?? 0, until: 1, limit: recent });
    return page.find((message) => message.id === id)?.seq ?? 0;
  }

  #take(report: Report): Transfer {
    const { record, state, sent, bytesPerSecond, offline, kept, error, seq, blobs } = report;
    const { id, conversation, caption, options, replyTo } = record;
    if (blobs) this.#blobs.set(id, new Map(blobs));
    const held = this.#blobs.get(id);
    const items = record.items.map(({ name, mime, size, width, height, durationMs, voice, waveform }, n): TransferItem => {
      return { name, mime, size, sent: Math.min(size, sent[2 * n] ?? 0), blob: held?.get(2 * n), width, height, durationMs, voice, waveform };
    });
    const size = record.items.reduce((sum, item) => sum + item.size + item.posterSize, 0);
    const done = Object.values(sent).reduce((sum, bytes) => sum + bytes, 0);
    const transfer: Transfer = {
      id,
      conversation,
      state,
      items,
      caption,
      options,
      replyTo,
      size,
      sent: done,
      bytesPerSecond,
      secondsLeft: bytesPerSecond ? Math.ceil((size - done) / bytesPerSecond) : undefined,
      error: error && revive(error),
      offline,
      kept: kept !== false,
      clientId: id,
    };
    this.#views.set(id, { order: record.order, kept, transfer });
    if (state === "sent") this.#own.get(id)?.over.resolve(seq);
    this.#tell(id, transfer, state === "sent" || error?.code === "aborted");
    return transfer;
  }

  /** Tells of a change. */
  #tell(id: string, transfer: Transfer, over: boolean): void {
    const own = this.#own.get(id);
    if (over) for (const map of [this.#views, this.#blobs, this.#own]) map.delete(id);
    this.#lists = new Map();
    if (transfer.state === "failed" && transfer.error) own?.over.reject(transfer.error);
    this.#events.emit("change", transfer);
    if (over) own?.off?.();
  }

  /** Nothing can be done until the client is online again, if ever. */
  #leave(): void {
    this.#worker?.stop();
    this.#tabs?.leave();
    this.#worker = undefined;
    this.#tabs = undefined;
    if (!this.#core.closed()) return;
    for (const { over } of this.#own.values()) over.reject(new SkeinError("closed", "the client was closed"));
  }
}

function contentOf({ caption, content = new Uint8Array(0) }: Kept, items: readonly Attachment[]): Uint8Array {
  const attachments = contentFields.write({ attachments: { items, caption } });
  const both = new Uint8Array(attachments.length + content.length);
  both.set(attachments);
  both.set(content, attachments.length);
  return both;
}

/** The module: see `Files`. */
export const files =
  (options: FilesOptions = {}): Module<Files> =>
  (core) =>
    defineModule((host) => new FilesOfHost(core, host, options))(core);

