import { createHash } from "node:crypto";
import { mkdtempSync, openAsBlob, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, createServer as listen } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { attachment, attachments, createServer } from "../src/index.js";

const upload = "0123456789abcdef0123456789abcdef";
const mib = 2 ** 20;

/** What answers a request in the server's place: a status, with the code of an error; "cut" breaks the connection with half of the bytes. */
type Says = (method: string, n: number) => readonly [status: number, code?: string] | "cut" | undefined;

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function read(request: IncomingMessage, most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let n = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    parts.push(part);
    if ((n += part.length) >= most) break;
  }
  return Buffer.concat(parts).subarray(0, most);
}

/** A server of uploads that has one at a time. */
async function uploads(says: Says = () => undefined) {
  const state = { seen: [] as string[], begun: false, size: 0, had: Buffer.alloc(0), whole: false, metadata: "" };
  const counts: Record<string, number> = {};
  const http = listen((request, response) => {
    void (async () => {
      const method = request.url?.endsWith("FileService/GetFile") ? "GetFile" : String(request.method);
      state.seen.push(method);
      const instead = says(method, (counts[method] = (counts[method] ?? 0) + 1));
      if (instead === "cut") {
        const { socket } = request;
        await read(request, Number(request.headers["content-length"] ?? 0) / 2);
        socket.destroy();
        return;
      }
      const body = await read(request, Number.POSITIVE_INFINITY);
      const found = { file: { id: upload, name: "plan.txt", mime: "text/plain", size: String(state.had.length) } };
      if (instead) {
        const [status, code] = instead;
        if (status === 404) state.begun = false;
        response.writeHead(status, code ? { "Skein-Error": code } : {}).end("no: try less\n");
      } else if (method === "POST") {
        Object.assign(state, { begun: true, had: Buffer.alloc(0), size: Number(request.headers["upload-length"]), metadata: request.headers["upload-metadata"] });
        response.writeHead(201, { Location: `/v1/uploads/${upload}` }).end();
      } else if (method === "PATCH") {
        expect(request.headers["upload-offset"]).toBe(String(state.had.length));
        state.had = Buffer.concat([state.had, body]);
        response.writeHead(204, { "Upload-Offset": String(state.had.length) }).end();
      } else if (method === "HEAD") response.writeHead(200, { "Upload-Offset": String(state.had.length) }).end();
      else if (method === "DELETE") {
        state.begun = false;
        response.writeHead(204).end();
      } else if (state.whole) response.end(JSON.stringify(found));
      else response.writeHead(404).end(JSON.stringify({ details: [{ type: "skein.v1.Error", debug: { code: "ERROR_CODE_NOT_FOUND" } }] }));
      if (method !== "GetFile" && method !== "POST") state.whole = state.begun && state.had.length === state.size;
    })();
  });
  await new Promise<void>((up) => http.listen(0, "127.0.0.1", up));
  ends.push(() => http.close().closeAllConnections());
  const server = createServer({ endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, appId: "shop", token: () => "t", attempts: 2 });
  return { server, state };
}

const first = (method: string, ...answer: readonly [number, string?]): Says => (m, n) => (m === method && n === 1 ? answer : undefined);
const always = (method: string, ...answer: readonly [number, string?]): Says => (m) => (m === method ? answer : undefined);

test.each<[name: string, size: number, says: Says | undefined, seen: string]>([
  ["in pieces", 17 * mib, undefined, "POST PATCH PATCH PATCH GetFile"],
  ["of nothing", 0, undefined, "POST HEAD GetFile"],
  ["over a connection that is cut", 9 * mib, (m, n) => (m === "PATCH" && n === 1 ? "cut" : undefined), "POST PATCH HEAD PATCH PATCH GetFile"],
  ["over a broken server", 9, first("PATCH", 500), "POST PATCH HEAD PATCH GetFile"],
  ["while another request holds it", 9, first("PATCH", 423), "POST PATCH HEAD PATCH GetFile"],
  ["from where it stands", 9, first("PATCH", 409, "FAILED_PRECONDITION"), "POST PATCH HEAD PATCH GetFile"],
  ["when there is a server", 9, first("POST", 503), "POST POST PATCH GetFile"],
  ["anew when it is forgotten", 9, first("PATCH", 404, "NOT_FOUND"), "POST PATCH GetFile POST PATCH GetFile"],
  ["anew when it has expired", 9, first("PATCH", 410), "POST PATCH GetFile POST PATCH GetFile"],
  ["through a narrow proxy", 3 * mib, first("PATCH", 413), "POST PATCH HEAD PATCH PATCH GetFile"],
])("an upload goes %s", async (_, size, says, seen) => {
  const { server, state } = await uploads(says);
  const data = Buffer.alloc(size, "skein");
  for (const bytes of [data, new Blob([data])]) {
    if (bytes !== data && says) break; // of a Blob once more, undisturbed
    state.seen.length = 0;
    expect(await server.upload({ name: "plan.txt", data: bytes })).toMatchObject({ id: upload, size });
    expect(state.seen.join(" ")).toBe(seen);
    expect(state.had.equals(data)).toBe(true);
  }
});

test.each<[code: string, says: Says, seen: string]>([
  ["not_found", always("PATCH", 404, "NOT_FOUND"), "POST PATCH GetFile POST PATCH GetFile"],
  ["too_large", always("POST", 413, "TOO_LARGE"), "POST"],
  ["resource_exhausted", always("POST", 507, "RESOURCE_EXHAUSTED"), "POST"],
  ["resource_exhausted", always("PATCH", 507), "POST PATCH DELETE"],
  ["invalid_argument", always("PATCH", 400, "INVALID_ARGUMENT"), "POST PATCH DELETE"],
  ["unauthenticated", always("POST", 401, "UNAUTHENTICATED"), "POST"],
  ["unavailable", always("PATCH", 502), "POST PATCH HEAD PATCH HEAD PATCH HEAD PATCH DELETE"],
])("an upload ends with %s", async (code, says, seen) => {
  const { server, state } = await uploads(says);
  await expect(server.upload({ name: "plan.txt", data: new Uint8Array(9) })).rejects.toMatchObject({ code, name: "SkeinError" });
  await expect.poll(() => state.seen.join(" ")).toBe(seen);
});

test("an upload says what it brings, and ends with its signal", async () => {
  const { server, state } = await uploads();
  const data = Buffer.from("skein");
  const sha256 = createHash("sha256").update(data).digest();
  await server.upload({ name: "a, b", mime: "text/plain", data, sha256 });
  const said = Object.fromEntries(state.metadata.split(",").map((pair) => pair.split(" ")).map(([key, value]) => [key, Buffer.from(String(value), "base64").toString()]));
  expect(said).toEqual({ filename: "a, b", filetype: "text/plain", sha256: sha256.toString("hex") });

  const stop = new AbortController();
  const { server: slow, state: broken } = await uploads((method) => {
    if (method !== "PATCH") return undefined;
    setImmediate(() => stop.abort());
    return [503];
  });
  await expect(slow.upload({ name: "a", data }, { signal: stop.signal })).rejects.toMatchObject({ code: "aborted" });
  await expect.poll(() => broken.seen.at(-1)).toBe("DELETE");
});

test("a file on the disk is read piece by piece, and one that changes meanwhile is told", async () => {
  const folder = mkdtempSync(join(tmpdir(), "skein-upload-"));
  ends.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "film.bin");
  const bytes = Buffer.alloc(9 * mib, "film");
  writeFileSync(path, bytes);
  const data = await openAsBlob(path);
  const { server, state } = await uploads((method, n) => {
    if (method === "PATCH" && n === 3) writeFileSync(path, "other");
    return undefined;
  });
  await server.upload({ name: "film.bin", data });
  expect(state.had.equals(bytes)).toBe(true);
  await expect(server.upload({ name: "film.bin", data })).rejects.toMatchObject({ code: "failed_precondition" });
});

test("a message says of a file what the server found", () => {
  const media = { width: 3, height: 2, durationMs: 4, thumb: new Uint8Array([2]), animated: true, waveform: new Uint8Array([9]) };
  const file = { name: "a.png", mime: "image/png", size: 7, sha256: new Uint8Array([1]) };
  const item = attachment({ id: upload, ...file, createdUs: 5, media: { ...media, previews: [] } });
  expect(item).toEqual({ file: upload, ...file, ...media });
  expect(attachments("look", { ...item, poster: "p" })).toEqual({
    scheme: "content",
    content: { attachments: { caption: "look", items: [{ file: upload, ...file, ...media, poster: "p" }] } },
  });
});
