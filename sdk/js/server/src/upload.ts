// One upload by tus 1.0.0 (https://tus.io/protocols/resumable-upload): creation, PATCH by PATCH, and HEAD to find out
// where it stands after anything that went wrong.
import { type CallOptions, type Calls, type Reached, type Request, firstWaitMs } from "./calls.js";
import { type ErrorCode, SkeinError, codeOf } from "./error.js";
import type { File } from "./wire.js";

/** A file that is to be uploaded. */
export interface NewFile {
  /** What it is shown and saved under. */
  readonly name: string;
  /** What the bytes are said to be; absent = not known. The server looks at them, and `File` says what it found. */
  readonly mime?: string | undefined;
  /** The bytes; `openAsBlob` of `node:fs` has those of a file on the disk without reading them. */
  readonly data: Blob | Uint8Array;
  /** SHA-256 of all bytes: with it the server refuses what is not the same to the last bit. */
  readonly sha256?: Uint8Array | undefined;
}

/** Bytes a request; fewer where what stands in between lets no more pass. */
const chunk = 8 * 2 ** 20;
const leastChunk = 256 * 1024;
/** How long a request may take: the last one of an upload is answered when the file is made. */
const timeoutMs = 150_000;
/** The most between two attempts, where the server does not say. */
const longestWaitMs = 30_000;
/** How long the server is told that an upload has ended. */
const giveUpMs = 5_000;

/** Of answers of uploads without an error of the protocol. */
const codes: Readonly<Record<number, ErrorCode>> = { 404: "not_found", 409: "failed_precondition", 410: "not_found", 423: "unavailable", 460: "unavailable", 507: "resource_exhausted" };

/** An answer that is no good one. */
class Refused extends SkeinError {
  readonly status: number;
  /** Somebody between us and the server has a bound of their own. */
  readonly narrow: boolean;

  constructor({ answer, text }: Reached) {
    const { status, headers } = answer;
    const told = headers.get("Skein-Error");
    const code = (told?.toLowerCase() as ErrorCode | undefined) ?? codes[status] ?? codeOf(status);
    super(code, (told && text.trim()) || `the server answered with status ${status}`, { retryAfterMs: 1000 * Number(headers.get("Retry-After") ?? 0) || 0 });
    this.status = status;
    this.narrow = status === 413 && !told;
  }
}

/** Whether another attempt can help. 409: it stands elsewhere, because an answer was lost. */
function passes(error: SkeinError): boolean {
  return ["unavailable", "rate_limited", "internal"].includes(error.code) || (error instanceof Refused && error.status === 409);
}

function encoded(text: string): string {
  return Buffer.from(text).toString("base64");
}

async function bytes(data: Blob | Uint8Array, from: number, to: number): Promise<Uint8Array<ArrayBuffer>> {
  if (data instanceof Uint8Array) return data.subarray(from, to) as Uint8Array<ArrayBuffer>;
  try {
    return new Uint8Array(await data.slice(from, to).arrayBuffer());
  } catch (cause) {
    throw new SkeinError("failed_precondition", "the file to upload can not be read", { cause });
  }
}

/** An upload under way. */
class Upload {
  readonly #calls: Calls;
  readonly #file: NewFile;
  readonly #size: number;
  readonly #found: (id: string, options: CallOptions | undefined) => Promise<File>;
  readonly #options: CallOptions | undefined;
  /** Empty = none was begun. */
  #id = "";
  /** How far it is; -1 = the server has to be asked. */
  #at = -1;
  /** How far it ever was. */
  #had = 0;
  #most = chunk;
  /** The server had forgotten one already. */
  #anew = false;

  constructor(calls: Calls, found: (id: string, options: CallOptions | undefined) => Promise<File>, file: NewFile, options: CallOptions | undefined) {
    this.#calls = calls;
    this.#found = found;
    this.#file = file;
    this.#size = file.data instanceof Uint8Array ? file.data.byteLength : file.data.size;
    this.#options = options;
  }

  /** Makes attempts until the file is there, or can not be. */
  async run(): Promise<File> {
    try {
      for (let n = 1, pause = firstWaitMs; ; n++, pause = Math.min(2 * pause, longestWaitMs)) {
        const had = this.#had;
        try {
          return await this.#attempt();
        } catch (error) {
          if (this.#had > had) {
            n = 1;
            pause = firstWaitMs;
          }
          const e = error as SkeinError;
          if (n >= 2 * this.#calls.attempts || !passes(e)) throw e;
          await this.#calls.wait(Math.max(pause, e.retryAfterMs), this.#options);
        }
      }
    } catch (error) {
      this.#giveUp();
      throw error;
    }
  }

  /** Goes on until the file is there, or something goes wrong. */
  async #attempt(): Promise<File> {
    if (!this.#id) await this.#begin();
    while (this.#at < this.#size) {
      try {
        await this.#step();
      } catch (error) {
        this.#at = -1;
        const e = error as SkeinError;
        if (e instanceof Refused && e.narrow && this.#most > leastChunk) this.#most = Math.max(leastChunk, this.#most / 4);
        else if (e.code === "not_found") break; // it may be complete, and forgotten for that: the file tells
        else throw e;
      }
    }
    try {
      return await this.#found(this.#id, this.#options);
    } catch (error) {
      if ((error as SkeinError).code !== "not_found") throw error;
    }
    this.#id = "";
    this.#had = 0;
    if (this.#anew) throw new SkeinError("not_found", "the server forgets the upload again and again");
    this.#anew = true;
    return this.#attempt();
  }

  /** Makes an upload. */
  async #begin(): Promise<void> {
    const { name, mime, sha256 } = this.#file;
    const metadata = [`filename ${encoded(name)}`];
    if (mime) metadata.push(`filetype ${encoded(mime)}`);
    if (sha256) metadata.push(`sha256 ${encoded(Buffer.from(sha256).toString("hex"))}`);
    const answer = await this.#ask("", "POST", { "Upload-Length": String(this.#size), "Upload-Metadata": metadata.join(",") });
    const id = answer.headers.get("Location")?.split("/").at(-1) ?? "";
    if (!/^[0-9a-f]{32}$/.test(id)) throw new SkeinError("internal", "the server does not say where the upload is");
    this.#id = id;
    // To ask makes the file of an empty one: there are no bytes to send that would.
    this.#at = this.#size ? 0 : -1;
  }

  /** Asks how far the upload is where that is not known, else sends bytes. */
  async #step(): Promise<void> {
    const at = this.#at;
    let answer: Response;
    if (at < 0) answer = await this.#ask(this.#id, "HEAD", {});
    else {
      const body = await bytes(this.#file.data, at, at + this.#most);
      answer = await this.#ask(this.#id, "PATCH", { "Upload-Offset": String(at), "Content-Type": "application/offset+octet-stream" }, body);
    }
    const now = Number(answer.headers.get("Upload-Offset") ?? Number.NaN);
    if (!(now > at)) throw new SkeinError("internal", "the server does not say how far the upload is");
    this.#at = now;
    this.#had = Math.max(this.#had, now);
  }

  async #ask(id: string, method: Request["method"], headers: Request["headers"], body?: Uint8Array<ArrayBuffer>): Promise<Response> {
    const request = { method, headers: { "Tus-Resumable": "1.0.0", ...headers }, timeoutMs, ...(body && { body }) };
    const reached = await this.#calls.reach(`v1/uploads/${id}`, request, this.#options);
    if (!reached.answer.ok) throw new Refused(reached);
    return reached.answer;
  }

  /** Tells the server that nothing more comes. If it does not hear of it, it forgets the upload by itself. */
  #giveUp(): void {
    if (!this.#id) return;
    const request = { method: "DELETE", headers: { "Tus-Resumable": "1.0.0" }, timeoutMs: giveUpMs } as const;
    this.#calls.reach(`v1/uploads/${this.#id}`, request, undefined).catch(() => undefined);
  }
}

/** Uploads a file; `found` tells what the server made of it, `not_found` that it has none. */
export function upload(calls: Calls, found: (id: string, options: CallOptions | undefined) => Promise<File>, file: NewFile, options: CallOptions | undefined): Promise<File> {
  return new Upload(calls, found, file, options).run();
}
