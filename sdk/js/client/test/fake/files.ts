// A server's uploads in memory, by tus as far as the SDK speaks it, and what the server says of finished files. A test
// can hold, refuse and lose what is on its way.
import type { Http, HttpAnswer, HttpRequest } from "../../src/modules/files/http.js";
import { calls } from "../../src/modules/files/wire.js";
import { fromBase64 } from "../../src/wire/codec.js";
import type { FakeServer } from "./server.js";

export interface Uploaded {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly mime: string;
  readonly size: number;
  bytes: Uint8Array;
  made: boolean;
}

/** What a test does to a request: an answer of its own, nothing to let it through, or a throw for a lost connection. */
export type Meddler = (request: HttpRequest, id: string) => Promise<Partial<HttpAnswer> | void> | Partial<HttpAnswer> | void;

export function answer(status: number, headers: Readonly<Record<string, string>> = {}, text = ""): HttpAnswer {
  return { status, header: (name) => ({ "Tus-Resumable": "1.0.0", ...headers })[name] ?? null, text };
}

function userOf(request: HttpRequest): string {
  const token = (request.headers["Authorization"] ?? "").replace("Bearer ", "");
  return (JSON.parse(atob(token.split(".")[1] ?? "")) as { sub: string }).sub;
}

export class FakeFiles {
  readonly uploads = new Map<string, Uploaded>();
  /** Each request that came, such as "PATCH 1 4096". */
  readonly heard: string[] = [];
  readonly requests: HttpRequest[] = [];
  readonly keys: string[] = [];
  keyLifeMs = 3_600_000;
  before: Meddler = () => undefined;
  /** After the server has done it: what is thrown here loses the answer. */
  after: Meddler = () => undefined;
  /** How many requests are being answered, and the most there were. */
  busy = 0;
  most = 0;
  #ids = 0;
  readonly #now: () => number;

  constructor(server: FakeServer, now: () => number) {
    this.#now = now;
    server.modules.set("GetFile", (body) => {
      const { id } = calls.GetFile.input.read(body);
      const file = this.uploads.get(id);
      if (!file?.made) return "not_found";
      const { name, mime, size } = file;
      return calls.GetFile.output.write({ file: { id, name: `safe ${name}`, mime, size, sha256: new Uint8Array(32).fill(7), media: { width: 30, height: 20, thumb: Uint8Array.of(1) } } });
    });
    server.modules.set("CreateFileKey", () => {
      const key = `key${this.keys.length + 1}`;
      this.keys.push(key);
      return calls.CreateFileKey.output.write({ key, expiresUs: (this.#now() + this.keyLifeMs) * 1000, origin: "" });
    });
  }

  readonly http: Http = async (request) => {
    const path = new URL(request.url).pathname;
    const id = path.split("/").at(-1) ?? "";
    const body = request.body ? new Uint8Array(await request.body.arrayBuffer()) : undefined;
    this.heard.push(`${request.method}${id && ` ${id}`}${body ? ` ${body.length}` : ""}`);
    this.busy++;
    this.most = Math.max(this.most, this.busy);
    this.requests.push(request);
    try {
      const given = await this.#meddled(this.before, request, id);
      if (given) return given;
      if (request.signal.aborted) throw new TypeError("aborted");
      const done = this.#answer(request, id, body);
      return (await this.#meddled(this.after, request, id)) ?? done;
    } finally {
      this.busy--;
    }
  };

  async #meddled(meddler: Meddler, request: HttpRequest, id: string): Promise<HttpAnswer | undefined> {
    const given = await new Promise<Partial<HttpAnswer> | void>((resolve, reject) => {
      request.signal.addEventListener("abort", () => reject(new TypeError("aborted")));
      Promise.resolve()
        .then(() => meddler(request, id))
        .then(resolve, reject);
    });
    return given ? { ...answer(500), ...given } : undefined;
  }

  #answer({ method, headers }: HttpRequest, id: string, body: Uint8Array | undefined): HttpAnswer {
    if (method === "POST") {
      const metadata = new Map((headers["Upload-Metadata"] ?? "").split(",").map((pair) => pair.split(" ") as [string, string]));
      const text = (key: string): string => new TextDecoder().decode(fromBase64(metadata.get(key) ?? ""));
      const fresh = String(++this.#ids);
      const size = Number(headers["Upload-Length"]);
      const owner = userOf({ headers } as HttpRequest);
      this.uploads.set(fresh, { id: fresh, owner, name: text("filename"), mime: text("filetype"), size, bytes: new Uint8Array(0), made: false });
      return answer(201, { Location: `/v1/uploads/${fresh}` });
    }
    const upload = this.uploads.get(id);
    if (!upload) return answer(404, { "Skein-Error": "NOT_FOUND" }, "not found");
    if (method === "DELETE") {
      this.uploads.delete(id);
      return answer(204);
    }
    if (method === "PATCH") {
      if (Number(headers["Upload-Offset"]) !== upload.bytes.length) return answer(409, { "Skein-Error": "FAILED_PRECONDITION" }, "it stands elsewhere");
      upload.bytes = new Uint8Array(Buffer.concat([upload.bytes, body ?? new Uint8Array(0)]));
    }
    upload.made = upload.bytes.length === upload.size;
    return answer(method === "HEAD" ? 200 : 204, { "Upload-Offset": String(upload.bytes.length) });
  }
}
