// What does the work of all tabs: it uploads, keeps what is under way in the store, and puts the messages into the
// outbox. Exactly one tab has one.
import { asSkeinError } from "../../abort.js";
import { type ErrorCode, SkeinError } from "../../error.js";
import type { FailureRecord, SendOptions, UploadBlobs, UploadShelf } from "../../types/store.js";
import { plain } from "../../tabs/crew.js";
import type { Media, TransferState } from "./types.js";
import { type Server, terminate, upload } from "./tus.js";
import type { Attachment, File as Made } from "./wire.js";

/** One file of a message. Its bytes have the number 2n, those of its poster 2n + 1. */
export interface KeptItem {
  readonly name: string;
  readonly mime: string;
  readonly size: number;
  readonly width: number;
  readonly height: number;
  readonly durationMs: number;
  readonly voice: boolean;
  readonly waveform: Uint8Array | undefined;
  /** The message does not say how it looks. */
  readonly plain: boolean;
  /** Nothing is left to find out. */
  readonly prepared: boolean;
  /** Bytes of the poster; 0 = there is none. */
  readonly posterSize: number;
}

/** A message with files as it is kept until the server has it. */
export interface Kept {
  /** The client id of the message. */
  readonly id: string;
  /** Ascending in the order in which the user sent. */
  readonly order: number;
  readonly conversation: string;
  readonly caption: string;
  readonly replyTo: number | undefined;
  readonly mentions: readonly string[];
  readonly content: Uint8Array | undefined;
  readonly fields: Uint8Array | undefined;
  readonly options: SendOptions | undefined;
  readonly items: readonly KeptItem[];
  /** Uploads at the server, by the number of their bytes. */
  readonly uploads: Readonly<Record<number, string>>;
  /** How far they were when this was written. */
  readonly sent: Readonly<Record<number, number>>;
  readonly paused: boolean;
  readonly error: FailureRecord | undefined;
  /** The message is in the outbox, or was: from there it is sent or discarded. */
  readonly queued: boolean;
}

/** How a transfer is, as other tabs hear of it. */
export interface Report {
  readonly record: Kept;
  readonly state: TransferState;
  /** Bytes that the server has, by their number. */
  readonly sent: Readonly<Record<number, number>>;
  readonly bytesPerSecond: number;
  readonly offline: boolean;
  /** undefined: it is being written. */
  readonly kept: boolean | undefined;
  readonly error: FailureRecord | undefined;
  /** Where the message stands, with state `sent`. */
  readonly seq: number;
  /** Bytes that the hearer may not have. */
  readonly blobs: UploadBlobs | undefined;
}

export type Verb = "pause" | "resume" | "cancel" | "retry";

/** What a worker needs. */
export interface WorkerHost extends Server {
  readonly shelf: UploadShelf | undefined;
  /** Finds out what a file is; undefined = nothing. */
  readonly describe: (blob: Blob, mime: string) => Promise<Media | undefined>;
  /** What the server made of an upload. */
  made(upload: string): Promise<Made>;
  /** Whether the message is in the outbox. */
  queued(id: string): boolean;
  /** Puts the message into the outbox; resolves when it is stored. */
  enqueue(record: Kept, items: readonly Attachment[]): Promise<void>;
  /** Resolves with the message's seq when the server has it, rejects when it never will. */
  settled(id: string): Promise<number>;
  /** As `settled`, of one that was refused. */
  again(id: string): Promise<number>;
  retry(id: string): Promise<unknown>;
  discard(id: string): Promise<unknown>;
  /** Something is different. */
  tell(report: Report): void;
}

const mostAtOnce = 3;
/** How long it may take to find out what a file is. */
const describeMs = 20_000;
const tellEveryMs = 100;
/** The rate is looked at so often, to fall when nothing goes out. */
const lookEveryMs = 1000;
/** Over which time the rate is taken. */
const rateMs = 5000;

/** What the wire takes of a number. */
export function whole(value: number): number {
  return Number.isFinite(value) ? Math.round(value) : 0;
}

/** How many bytes a second, over the last seconds. */
class Meter {
  #samples: { at: number; bytes: number }[] = [];

  take(at: number, bytes: number): void {
    // What is sent again does not count twice.
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples = [];
    this.#samples.push({ at, bytes });
    while ((this.#samples[1]?.at ?? at) < at - rateMs) this.#samples.shift();
  }

  rate(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    return first && last && last.at > first.at ? ((last.bytes - first.bytes) * 1000) / (last.at - first.at) : 0;
  }
}

interface Task {
  record: Kept;
  readonly blobs: Map<number, Blob>;
  readonly sent: Record<number, number>;
  readonly made: Map<number, Made>;
  /** Items that are worked on, and how many of them have bytes on their way. */
  readonly active: Set<number>;
  uploading: number;
  meter: Meter;
  offline: boolean;
  kept: boolean | undefined;
  /** The message is in the outbox, or at the server, or was refused there. */
  late: "sending" | "sent" | "refused" | undefined;
  stop: AbortController;
  error: FailureRecord | undefined;
  seq: number;
  /** Its files were uploaded again because the server had given them up: once is enough. */
  twice: boolean;
  /** Some tabs have not got all bytes. */
  fresh: boolean;
}

export class Worker {
  readonly #host: WorkerHost;
  readonly #tasks = new Map<string, Task>();
  readonly #changed = new Set<Task>();
  #told = 0;
  #telling: (() => void) | undefined;
  #looking: (() => void) | undefined;
  #stopped = false;

  constructor(host: WorkerHost) {
    this.#host = host;
  }

  /** Goes on with what the store has. */
  async start(): Promise<void> {
    const stored = (await this.#host.shelf?.load().catch(() => [])) ?? [];
    const kept = stored.map(({ record, blobs }) => ({ record: record as Kept, blobs }));
    for (const { record, blobs } of kept.sort((a, b) => a.record.order - b.record.order)) {
      const queued = this.#host.queued(record.id);
      if (record.queued && !queued) this.#forget(record.id);
      else {
        const task = this.#take(record, blobs, true);
        if (queued) void this.#finish(task);
      }
    }
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#telling?.();
    this.#looking?.();
    for (const task of this.#tasks.values()) task.stop.abort();
  }

  /** Tells of all of them, with their bytes, in turn with what else is told; and returns their ids. */
  tellAll(): readonly string[] {
    for (const task of this.#tasks.values()) {
      task.fresh = true;
      this.#tell(task);
    }
    return [...this.#tasks.keys()];
  }

  /** Takes a new one. */
  add(record: Kept, blobs: UploadBlobs): void {
    if (this.#tasks.has(record.id) || this.#stopped) return;
    const task = this.#take(record, blobs, this.#host.shelf ? undefined : false);
    // What is kept of it later comes after this, and finds it kept.
    this.#host.shelf?.put(record, blobs).then(
      () => this.#isKept(task, true),
      // It is uploaded all the same, and says that it will not survive.
      () => this.#isKept(task, false),
    );
    this.#schedule();
  }

  #isKept(task: Task, kept: boolean): void {
    task.kept = kept;
    this.#change(task);
  }

  do(id: string, verb: Verb): void {
    const task = this.#tasks.get(id);
    if (!task) return;
    if (verb === "cancel") {
      this.#cancel(task);
      return;
    }
    if (verb === "retry" && task.late === "refused") {
      task.late = "sending";
      task.error = undefined;
      this.#host.retry(id).catch(() => undefined);
    } else if (!task.late) {
      const failed = task.error !== undefined;
      if (verb === "pause" ? failed : verb === "retry" ? !failed : !task.record.paused) return;
      this.#halt(task);
      task.error = undefined;
      task.offline = false;
      this.#save(task, { ...task.record, paused: verb === "pause", error: undefined });
      this.#schedule();
    }
    this.#change(task);
  }

  #take(record: Kept, blobs: UploadBlobs, kept: boolean | undefined): Task {
    const task: Task = {
      record,
      blobs: new Map(blobs),
      sent: { ...record.sent },
      made: new Map(),
      active: new Set(),
      uploading: 0,
      meter: new Meter(),
      offline: false,
      kept,
      late: undefined,
      stop: new AbortController(),
      error: record.error,
      seq: 0,
      twice: false,
      fresh: true,
    };
    this.#tasks.set(record.id, task);
    this.#change(task);
    return task;
  }

  /** It was neither cancelled nor given to another tab. */
  #has(task: Task): boolean {
    return !this.#stopped && this.#tasks.get(task.record.id) === task;
  }

  /** Ends what is on its way. */
  #halt(task: Task): void {
    task.stop.abort();
    task.stop = new AbortController();
  }

  #save(task: Task, record: Kept): void {
    task.record = { ...record, sent: { ...task.sent } };
    if (task.kept !== false && this.#has(task)) this.#host.shelf?.update(task.record).catch(() => undefined);
  }

  #cancel(task: Task): void {
    this.#halt(task);
    if (task.late) {
      // What becomes of it the outbox tells.
      this.#host.discard(task.record.id).catch(() => undefined);
      return;
    }
    for (const [number, id] of Object.entries(task.record.uploads)) {
      if (id && !task.made.has(Number(number))) terminate(this.#host, id).catch(() => undefined);
    }
    task.error = plain(new SkeinError("aborted", "the transfer was cancelled"));
    this.#change(task);
    this.#tasks.delete(task.record.id);
    this.#forget(task.record.id);
  }

  /** Begins what may begin: the oldest first. */
  #schedule(): void {
    if (this.#stopped) return;
    let room = mostAtOnce;
    for (const task of this.#tasks.values()) room -= task.active.size;
    for (const task of this.#tasks.values()) {
      if (task.late || task.error || task.record.paused) continue;
      let open = 0;
      for (const [n] of task.record.items.entries()) {
        if (this.#whole(task, n)) continue;
        open++;
        if (room <= 0 || task.active.has(n)) continue;
        room--;
        void this.#work(task, n, task.stop.signal);
      }
      if (!open) void this.#finish(task);
    }
    this.#look();
  }

  #whole({ record, made }: Task, n: number): boolean {
    const item = record.items[n];
    return made.has(2 * n) && item !== undefined && item.prepared && (!item.posterSize || made.has(2 * n + 1));
  }

  async #work(task: Task, n: number, signal: AbortSignal): Promise<void> {
    task.active.add(n);
    try {
      await this.#prepare(task, n);
      signal.throwIfAborted();
      task.uploading++;
      try {
        await this.#bring(task, 2 * n, signal);
        if (task.record.items[n]?.posterSize) await this.#bring(task, 2 * n + 1, signal);
      } finally {
        task.uploading--;
      }
    } catch (cause) {
      if (!signal.aborted) this.#fail(task, asSkeinError(cause, "internal", "the upload failed"));
    } finally {
      task.active.delete(n);
      this.#change(task);
      this.#schedule();
    }
  }

  #fail(task: Task, error: SkeinError): void {
    this.#halt(task);
    task.error = plain(error);
    this.#save(task, { ...task.record, error: task.error });
    this.#change(task);
  }

  /** Finds out what a file is. */
  async #prepare(task: Task, n: number): Promise<void> {
    const item = task.record.items[n];
    const blob = task.blobs.get(2 * n);
    if (!item || item.prepared || !blob) return;
    this.#change(task);
    const { clock, describe } = this.#host;
    let stop = (): void => undefined;
    const late = new Promise<undefined>((resolve) => {
      stop = clock.after(describeMs, () => resolve(undefined));
    });
    const media = await Promise.race([describe(blob, item.mime).catch(() => undefined), late]).finally(stop);
    if (!this.#has(task)) return;
    const { width = 0, height = 0, durationMs = 0, poster } = media ?? {};
    const found: KeptItem = {
      ...item,
      width: item.width || whole(width),
      height: item.height || whole(height),
      durationMs: item.durationMs || whole(durationMs),
      posterSize: item.posterSize || (poster?.size ?? 0),
      prepared: true,
    };
    const record = { ...task.record, items: task.record.items.map((one, i) => (i === n ? found : one)) };
    if (poster && !item.posterSize) {
      task.blobs.set(2 * n + 1, poster);
      task.fresh = true;
      if (task.kept !== false) await this.#host.shelf?.put(record, new Map([[2 * n + 1, poster]])).catch(() => undefined);
    }
    this.#save(task, record);
    this.#change(task);
  }

  /** Uploads some bytes, unless they are there. */
  async #bring(task: Task, number: number, signal: AbortSignal): Promise<void> {
    if (task.made.has(number)) return;
    const blob = task.blobs.get(number);
    const item = task.record.items[number >> 1];
    if (!blob || !item) throw new SkeinError("data_loss", "the bytes of the file are not here any more", { hint: "choose it again" });
    const poster = number % 2 === 1;
    const source = {
      blob,
      name: poster ? `${item.name}.jpg` : item.name,
      mime: poster ? blob.type || "image/jpeg" : item.mime,
      upload: task.record.uploads[number] ?? "",
    };
    this.#change(task);
    const made = await upload(this.#host, source, {
      signal,
      begun: (id) => {
        this.#save(task, { ...task.record, uploads: { ...task.record.uploads, [number]: id } });
        if (!this.#stopped && !this.#has(task)) terminate(this.#host, id).catch(() => undefined);
      },
      sent: (bytes) => {
        if (signal.aborted) return;
        task.sent[number] = bytes;
        this.#measure(task);
        this.#change(task, true);
      },
      offline: (offline) => {
        if (task.offline === offline || signal.aborted) return;
        task.offline = offline;
        this.#change(task);
      },
      made: (id) => this.#host.made(id),
    });
    signal.throwIfAborted();
    task.made.set(number, made);
    task.sent[number] = blob.size;
    this.#change(task);
  }

  #measure(task: Task): void {
    const bytes = Object.values(task.sent).reduce((sum, sent) => sum + sent, 0);
    task.meter.take(this.#host.clock.now(), bytes);
  }

  #forget(id: string): void {
    this.#host.shelf?.remove(id).catch(() => undefined);
  }

  /** All files are made, or the message is in the outbox: what is left is the message. */
  async #finish(task: Task): Promise<void> {
    task.late = "sending";
    this.#change(task);
    // Before it can be: what is settled is told once.
    const settled = this.#host.settled(task.record.id);
    settled.catch(() => undefined);
    try {
      if (!this.#host.queued(task.record.id)) {
        const items = task.record.items.map((item, n) => attachmentOf(item, task.made.get(2 * n), task.made.get(2 * n + 1)));
        await this.#host.enqueue(task.record, items);
      }
      this.#save(task, { ...task.record, queued: true });
      void this.#follow(task, settled);
    } catch (cause) {
      if (this.#stopped) return;
      task.late = undefined;
      this.#fail(task, asSkeinError(cause, "internal", "the message was not put into the outbox"));
    }
  }

  /** Waits for what the outbox makes of the message. */
  async #follow(task: Task, settled: Promise<number>): Promise<void> {
    for (;;) {
      try {
        task.seq = await settled;
        task.late = "sent";
        task.error = undefined;
      } catch (cause) {
        const error = asSkeinError(cause, "internal", "the message was not sent");
        if (error.code === "failed_precondition" && !task.twice && (await this.#again(task))) return;
        task.late = "refused";
        task.error = plain(error);
        settled = this.#host.again(task.record.id);
        settled.catch(() => undefined);
      }
      this.#change(task);
      if (!task.error || ended.has(task.error.code)) {
        if (this.#has(task)) this.#forget(task.record.id);
        this.#tasks.delete(task.record.id);
        return;
      }
    }
  }

  /** Uploads files again that the server has given up, because no message had them for long. False: it has all of them. */
  async #again(task: Task): Promise<boolean> {
    const uploads = { ...task.record.uploads };
    let any = false;
    for (const [number, id] of Object.entries(task.record.uploads)) {
      const gone = await this.#host.made(id).then(
        () => false,
        (error: unknown) => error instanceof SkeinError && error.code === "not_found",
      );
      if (!gone) continue;
      any = true;
      delete uploads[Number(number)];
      delete task.sent[Number(number)];
      task.made.delete(Number(number));
    }
    if (!any || !this.#has(task)) return any;
    await this.#host.discard(task.record.id).catch(() => undefined);
    task.twice = true;
    task.late = undefined;
    this.#save(task, { ...task.record, uploads, queued: false });
    this.#change(task);
    this.#schedule();
    return true;
  }

  #state({ late, error, record, uploading, active }: Task): TransferState {
    if (late === "sending" || late === "sent") return late;
    if (error) return "failed";
    if (record.paused) return "paused";
    if (uploading) return "uploading";
    return active.size ? "preparing" : "waiting";
  }

  #report(task: Task): Report {
    const { record, sent, offline, kept, error, seq, blobs } = task;
    const state = this.#state(task);
    const moving = state === "uploading" && !offline;
    return {
      record,
      state: state === "uploading" && offline ? "waiting" : state,
      sent: { ...sent },
      bytesPerSecond: moving ? Math.round(task.meter.rate()) : 0,
      offline: offline && state === "uploading",
      kept,
      error,
      seq,
      blobs: task.fresh ? new Map(blobs) : undefined,
    };
  }

  /** Tells of a change: of progress now and then. */
  #change(task: Task, progress = false): void {
    if (!this.#has(task)) return;
    if (!progress) {
      this.#changed.delete(task);
      this.#tell(task);
      return;
    }
    this.#changed.add(task);
    const wait = this.#told + tellEveryMs - this.#host.clock.now();
    if (wait <= 0) this.#flush();
    else this.#telling ??= this.#host.clock.after(wait, () => this.#flush());
  }

  #flush(): void {
    this.#telling?.();
    this.#telling = undefined;
    this.#told = this.#host.clock.now();
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const task of changed) this.#tell(task);
  }

  #tell(task: Task): void {
    const report = this.#report(task);
    task.fresh = false;
    this.#host.tell(report);
  }

  /** Lets the rate fall while nothing goes out. */
  #look(): void {
    if (this.#looking) return;
    this.#looking = this.#host.clock.after(lookEveryMs, () => {
      this.#looking = undefined;
      let any = false;
      for (const task of this.#tasks.values()) {
        if (!task.uploading) continue;
        any = true;
        this.#measure(task);
        this.#change(task, true);
      }
      if (any) this.#look();
    });
  }
}

/** The message is gone by the user's own doing, or with the client. */
const ended: ReadonlySet<ErrorCode> = /* @__PURE__ */ new Set(["aborted", "closed", "signed_out"]);

/** What the message says of a file: the server's word first. */
function attachmentOf(item: KeptItem, made: Made | undefined, poster: Made | undefined): Attachment {
  if (!made) throw new SkeinError("internal", "a file is missing");
  const { id, name, mime, size, sha256 } = made;
  const media = item.plain ? undefined : made.media;
  return {
    file: id,
    name,
    mime,
    size,
    sha256,
    url: "",
    width: media?.width || item.width,
    height: media?.height || item.height,
    durationMs: media?.durationMs || item.durationMs,
    thumb: media?.thumb.length ? media.thumb : (poster?.media?.thumb ?? new Uint8Array(0)),
    animated: media?.animated ?? false,
    waveform: item.waveform ?? media?.waveform ?? new Uint8Array(0),
    voice: item.voice,
    poster: poster?.id ?? "",
  };
}
