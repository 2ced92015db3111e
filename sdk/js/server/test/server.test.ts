import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer as listen } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Server, SkeinError, createServer, newId, signer, text } from "../src/index.js";

interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly headers: Readonly<Record<string, string>>;
}

/** A server in this process: what is asked of it, and what it answers. */
function fake(answer: (asked: Asked, n: number) => { status?: number; json?: unknown } | "broken", options: { attempts?: number } = {}) {
  const asked: Asked[] = [];
  const server = createServer({
    endpoint: "http://shop.test/",
    appId: "shop",
    token: signer({ appId: "shop", kid: "k1", secret: "hush" }),
    ...options,
    fetch: (url, init) => {
      init?.signal?.throwIfAborted();
      const request = { path: String(url).replace("http://shop.test/skein.v1.", ""), body: JSON.parse(String(init?.body)), headers: init?.headers as Record<string, string> };
      asked.push(request);
      const a = answer(request, asked.length);
      if (a === "broken") return Promise.reject(new TypeError("fetch failed"));
      return Promise.resolve(new Response(JSON.stringify(a.json ?? {}), { status: a.status ?? 200 }));
    },
  });
  return { server, asked };
}

const refusal = (code: string, more: object = {}) => ({
  code: "unknown",
  details: [{ type: "skein.v1.Error", value: "", debug: { code: `ERROR_CODE_${code}`, message: "no", ...more } }],
});

test("each method makes the call that it makes in Go, and there is no other", async () => {
  const calls = JSON.parse(readFileSync(new URL("../../../testdata/server/calls.json", import.meta.url), "utf8")) as Record<string, string>;
  const { server, asked } = fake(() => ({ status: 404, json: refusal("NOT_FOUND") }));
  // What uploads makes no unary call: upload.test.ts has it.
  expect(Object.keys(server).filter((name) => name !== "upload").sort()).toEqual(Object.keys(calls).sort());
  // What a method needs so that it gets as far as its call.
  const needed: Readonly<Record<string, readonly unknown[]>> = {
    broadcast: [newId()],
    cancelBroadcast: [newId()],
    import: ["g", newId(), [{ sender: "ann" }]],
    upsertUsers: [[]],
    waitBroadcast: [newId()],
  };
  for (const [name, path] of Object.entries(calls)) {
    const method = server[name as keyof Server] as (...args: readonly unknown[]) => Promise<unknown> | AsyncGenerator<unknown>;
    const outcome = async () => {
      const result = method(...(needed[name] ?? [{}]));
      if (Symbol.asyncIterator in result) for await (const _ of result);
      else await result;
    };
    await expect(outcome(), name).rejects.toMatchObject({ code: "not_found" });
    expect(asked.at(-1)?.path, name).toBe(path);
  }
  expect(asked).toHaveLength(Object.keys(calls).length);
});

test("a call that nobody answers is made again with its id", async () => {
  const { server, asked } = fake((_, n) => (n === 1 ? "broken" : n === 2 ? { status: 503 } : { json: { entry: { seq: "7" } } }));
  const entry = await server.addMembers({ conversation: "g", users: ["bob"] });
  expect(entry?.seq).toBe(7);
  expect(asked).toHaveLength(3);
  expect(new Set(asked.map((a) => a.body["clientId"])).size).toBe(1);
  const id = Buffer.from(String(asked[0]?.body["clientId"]), "base64");
  expect(id).toHaveLength(16);
  expect((id[6] ?? 0) >> 4).toBe(7);
  expect(Math.abs(id.readUIntBE(0, 6) - Date.now())).toBeLessThan(60_000);

  const own = newId();
  await server.addMembers({ conversation: "g", users: ["bob"], clientId: own });
  expect(asked.at(-1)?.body["clientId"]).toBe(Buffer.from(own).toString("base64"));
});

test("a call ends with its attempts, with its signal, and at once with what can not be helped", async () => {
  let { server, asked } = fake(() => ({ status: 503 }), { attempts: 2 });
  await expect(server.app()).rejects.toMatchObject({ code: "unavailable" });
  expect(asked).toHaveLength(2);

  ({ server, asked } = fake(() => ({ status: 429, json: refusal("RATE_LIMITED", { retryAfterMs: 60_000 }) })));
  const stop = new AbortController();
  const ended = server.app({ signal: stop.signal });
  setImmediate(() => stop.abort());
  await expect(ended).rejects.toMatchObject({ code: "aborted" });
  await expect(server.app({ signal: stop.signal })).rejects.toMatchObject({ code: "aborted" });
  expect(asked).toHaveLength(1);

  for (const [status, code] of [[400, "invalid_argument"], [401, "unauthenticated"], [403, "permission_denied"], [404, "unsupported"], [500, "internal"]] as const) {
    ({ server, asked } = fake(() => ({ status })));
    await expect(server.app()).rejects.toMatchObject({ code });
    expect(asked).toHaveLength(1);
  }
  ({ server } = fake(() => ({ status: 400, json: refusal("ALREADY_EXISTS", { hint: "take another" }) })));
  const error = await server.createGroup({ owner: "ann" }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(SkeinError);
  expect(error).toMatchObject({ code: "already_exists", message: "no", hint: "take another" });
});

test("a supplier of tokens that fails is told, and without its parts there is no signer", async () => {
  const broken = createServer({ endpoint: "http://shop.test", appId: "shop", attempts: 1, token: () => Promise.reject(new Error("vault")) });
  await expect(broken.app()).rejects.toMatchObject({ code: "unavailable", cause: new Error("vault") });
  expect(() => signer({ appId: "shop", kid: "", secret: "x" })).toThrow(SkeinError);
  expect(() => createServer({ endpoint: "", appId: "shop", token: () => "" })).toThrow(SkeinError);
});

test("a token says who signed it, for what and until when", async () => {
  const { server, asked } = fake(() => ({ json: { app: { id: "shop" } } }));
  await server.app();
  await server.app();
  const [token, again] = asked.map((a) => a.headers["Authorization"]?.replace("Bearer ", ""));
  expect(again).toBe(token);
  const [head = "", claims = "", signature] = String(token).split(".");
  const read = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
  expect(read(head)).toEqual({ alg: "HS256", typ: "JWT", kid: "k1" });
  expect(read(claims)).toMatchObject({ iss: "shop", scope: "server", aud: "skein" });
  expect(Number(read(claims)["exp"]) - Number(read(claims)["iat"])).toBe(600);
  expect(signature).toBe(createHmac("sha256", "hush").update(`${head}.${claims}`).digest("base64url"));
  expect(asked[0]?.headers["Skein-App"]).toBe("shop");
});

test("messages go over the wire in the protocol's JSON, and come back whole", async () => {
  const { server, asked } = fake(() => ({
    json: {
      entry: { conversation: "g", seq: "9007199254740991", kind: "ENTRY_KIND_MESSAGE", clientId: "AAE=", body: { scheme: "BODY_SCHEME_CONTENT", content: { text: { text: "hi", later: 1 } } } },
    },
  }));
  const entry = await server.send({ conversation: "g", body: text("hi"), priority: "high", threadSeq: 3, silent: true, toUsers: ["bob"] });
  expect(asked[0]?.body).toMatchObject({
    conversation: "g",
    body: { scheme: "BODY_SCHEME_CONTENT", content: { text: { text: "hi" } } },
    priority: "PRIORITY_HIGH",
    threadSeq: "3",
    silent: true,
    toUsers: ["bob"],
  });
  expect(entry).toMatchObject({ seq: 9007199254740991, kind: "message", sender: "", recalled: false, clientId: new Uint8Array([0, 1]), body: { scheme: "content" } });
  expect(entry.body?.content?.text?.text).toBe("hi");
  expect(entry.body?.content?.poll).toBeUndefined();

  await expect(server.recallMessage({ conversation: "g", seq: 2 ** 53 })).rejects.toMatchObject({ code: "invalid_argument" });
  await expect(server.recallMessage({ conversation: "g", seq: 1.5 })).rejects.toMatchObject({ code: "invalid_argument" });
  const slip = { conversation: "g", seq: 1, message: 2 };
  await expect(server.recallMessage(slip)).rejects.toThrow("RecallMessageRequest has no message");
});

test("what a value is that this SDK does not know is unspecified", async () => {
  const { server } = fake(() => ({ json: { broadcast: { state: 17 } } }));
  expect((await server.broadcast(newId())).state).toBe("unspecified");
});

test("lists are read page by page, as far as they are read", async () => {
  const { server, asked } = fake(({ body }) => {
    const n = Number(body["page"] || 0);
    return { json: { users: [{ id: `u${2 * n}` }, { id: `u${2 * n + 1}` }], ...(n < 2 ? { nextPage: String(n + 1) } : {}) } };
  });
  const ids: string[] = [];
  for await (const user of server.users()) ids.push(user.id);
  expect(ids).toEqual(["u0", "u1", "u2", "u3", "u4", "u5"]);
  expect(asked).toHaveLength(3);
  for await (const _ of server.users()) break;
  expect(asked).toHaveLength(4);
});

test("an export goes from its position to the head, and stops when the store is another one", async () => {
  let incarnation = "a";
  const { server, asked } = fake(({ body }) => {
    const after = Number(body["afterSeq"] ?? 0);
    return { json: { entries: [{ seq: String(after + 1) }, { seq: String(after + 2) }], headSeq: "6", incarnation } };
  });
  const seqs: number[] = [];
  for await (const e of server.export("g", 2)) seqs.push(e.seq);
  expect(seqs).toEqual([3, 4, 5, 6]);
  expect(asked).toHaveLength(2);
  const restored = async () => {
    for await (const _ of server.export("g")) incarnation = "b";
  };
  await expect(restored()).rejects.toMatchObject({ code: "failed_precondition" });
  await expect(server.export("g", 7).next()).rejects.toMatchObject({ code: "failed_precondition" });
});

test("an import makes as many calls as its messages take", async () => {
  const { server, asked } = fake(({ body }) => ({ json: { seqs: (body["messages"] as unknown[]).map(String) } }));
  const message = (i: number, words = "word") => ({ sender: "ann", timeUs: 1 + i, clientId: Buffer.from(`old-${i}`), body: text(words) });
  const importId = newId();
  expect(await server.import("g", importId, Array.from({ length: 1001 }, (_, i) => message(i)))).toBe(1001);
  expect(asked.map((a) => (a.body["messages"] as unknown[]).length)).toEqual([500, 500, 1]);
  expect(new Set(asked.map((a) => a.body["importId"])).size).toBe(1);
  async function* long() {
    for (let i = 0; i < 20; i++) yield message(i, "x".repeat(16_384));
  }
  expect(await server.import("g", importId, long())).toBe(20);
  for (const a of asked) expect(JSON.stringify(a.body).length).toBeLessThan(256 * 1024);
  expect(await server.import("g", importId, [])).toBe(0);
});

test("it speaks over a real socket", async () => {
  const http = listen((request, response) => {
    request.resume().on("end", () => response.end(JSON.stringify({ app: { id: request.headers["skein-app"] } })));
  });
  await new Promise<void>((up) => http.listen(0, "127.0.0.1", up));
  const { port } = http.address() as { port: number };
  const server = createServer({ endpoint: `http://127.0.0.1:${port}`, appId: "shop", token: () => "t" });
  expect((await server.app()).id).toBe("shop");
  http.close();
});

test("nothing that runs in a page names this package, and bundlers for pages do not find it", () => {
  const root = new URL("../../../../", import.meta.url);
  for (const folder of ["sdk/js/client/src/", "web/chat/src/"]) {
    for (const file of readdirSync(new URL(folder, root), { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      expect(readFileSync(`${file.parentPath}/${file.name}`, "utf8"), file.name).not.toContain("@skein/server");
    }
  }
  const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { exports: Record<string, Record<string, string>> };
  expect(Object.keys(exports["."] ?? {}).sort()).toEqual(["node", "types"]);
});

test("the README's code compiles against the sources", () => {
  const root = fileURLToPath(new URL("../", import.meta.url));
  const block = /```ts\n([^]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1] ?? "";
  expect(block).toContain("createServer");
  const folder = mkdtempSync(join(tmpdir(), "skein-readme-"));
  try {
    writeFileSync(join(folder, "block.ts"), block);
    const compilerOptions = { rootDir: "/", typeRoots: [createRequire(import.meta.url).resolve("@types/node/package.json").replace(/node.package.json$/, "")], paths: { "@skein/server": [join(root, "src/index.ts")] } };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions, include: ["block.ts"] }));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
    expect(execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" })).toBe("");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
