// The small parts: ids, conversation ids, calls, the socket.
import fc from "fast-check";
import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type WebSocket as Peer, WebSocketServer } from "ws";
import { SkeinError } from "../src/error.js";
import { IdMaker, uuidBytes, uuidText, uuidTime } from "../src/ids.js";
import { createClient, nodeTransport } from "../src/node.js";
import { directId, peerOf } from "../src/project.js";
import { addRange, cutRange, rangeAt, type Ranges } from "../src/reduce/spans.js";
import { call } from "../src/rpc.js";
import { TokenSource, readClaims } from "../src/token.js";
import type { HttpResponse, Transport } from "../src/types/transport.js";
import { encode, toBase64 } from "../src/wire/codec.js";
import { ManualClock, until } from "./fake/clock.js";
import { errorCode, tokenFor } from "./fake/server.js";

describe("client ids", () => {
  const zeros = (length: number): Uint8Array => new Uint8Array(length);

  test("are UUIDs of version 7 that hold the time and ascend", () => {
    const maker = new IdMaker((length) => crypto.getRandomValues(new Uint8Array(length)));
    const made = [1000, 1000, 1001, 1001, 999, 2000].map((ms) => maker.next(1_800_000_000_000 + ms));
    expect(made).toEqual([...made].sort());
    for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuidTime(made[0] ?? "")).toBe(1_800_000_001_000);
    expect(uuidText(uuidBytes(made[0] ?? ""))).toBe(made[0]);
  });

  test("thousands in one millisecond still differ and ascend", () => {
    const maker = new IdMaker(zeros);
    const made = Array.from({ length: 10_000 }, () => maker.next(5));
    expect(new Set(made).size).toBe(10_000);
    expect(made).toEqual([...made].sort());
  });

  test("follow a clock that was set back, since a server refuses ids of the future", () => {
    const maker = new IdMaker(zeros);
    maker.next(1_800_000_000_000);
    expect(uuidTime(maker.next(1_799_996_400_000))).toBe(1_799_996_400_000);
  });
});

describe("ids of direct conversations", () => {
  test.each([
    ["alice", "bob", "@5:alice:bob"],
    ["bob", "alice", "@5:alice:bob"],
    ["a", "a:b", "@1:a:a:b"],
    ["é", "z", "@1:z:é"],
    ["ab", "a", "@1:a:ab"],
  ])("of %s and %s is %s, from either side", (a, b, id) => {
    expect(directId(a, b)).toBe(id);
    expect(peerOf(id, a)).toBe(b);
    expect(peerOf(id, b)).toBe(a);
  });
});

test("ranges stay sorted, disjoint and merged, and hold just what was put in", () => {
  const change = fc.record({ add: fc.boolean(), from: fc.integer({ min: 1, max: 40 }), width: fc.nat({ max: 8 }) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (steps) => {
      let ranges: Ranges = [];
      const held = new Set<number>();
      for (const { add, from, width } of steps) {
        ranges = add ? addRange(ranges, from, from + width) : cutRange(ranges, from, from + width);
        for (let seq = from; seq <= from + width; seq++) if (add) held.add(seq);
        else held.delete(seq);
      }
      for (let seq = 0; seq <= 50; seq++) expect(rangeAt(ranges, seq) !== undefined).toBe(held.has(seq));
      for (const [i, [from, to]] of ranges.entries()) {
        expect(from).toBeLessThanOrEqual(to);
        expect(from).toBeGreaterThan((ranges[i - 1]?.[1] ?? -1) + 1);
      }
    }),
  );
});

test("claims are read without trust: what is no token has none", () => {
  expect(readClaims(tokenFor("алиса", 5000))).toEqual({ user: "алиса", expiresMs: 5000 });
  for (const bad of ["", "a.b.c", "..", `x.${toBase64(new TextEncoder().encode("[]"))}.y`]) {
    expect(readClaims(bad)).toEqual({ user: "", expiresMs: 0 });
  }
});

describe("calls", () => {
  const answer = (response: Partial<HttpResponse>): Transport => ({
    connect: () => ({ send: () => undefined, close: () => undefined }),
    post: () => Promise.resolve({ status: 200, contentType: "", body: new Uint8Array(0), ...response }),
  });
  const made = (transport: Transport, signal?: AbortSignal, clock = new ManualClock()): Promise<unknown> =>
    call(
      { endpoint: "http://skein.example", appId: "demo", deviceId: () => "дом", tokens: new TokenSource(() => tokenFor("alice")), transport, clock },
      "DeviceService/ListDevices",
      new Uint8Array(0),
      signal,
    );
  const json = (value: unknown): Partial<HttpResponse> => ({
    status: 400,
    contentType: "application/json; charset=utf-8",
    body: new TextEncoder().encode(JSON.stringify(value)),
  });
  const detail = (bytes: Uint8Array): unknown => [{ type: "google.rpc.Other", value: "" }, { type: "skein.v1.Error", value: toBase64(bytes).replaceAll("=", "") }];

  test.each<[string, Partial<HttpResponse>, Partial<SkeinError>]>([
    ["the protocol's error", json({ code: "resource_exhausted", details: detail(encode("Error", { code: errorCode("rate_limited"), message: "slow", hint: "wait", retryAfterMs: 7 })) }), { code: "rate_limited", message: "slow", hint: "wait", retryAfterMs: 7 }],
    ["a code of tomorrow", json({ code: "aborted", details: detail(encode("Error", { code: 99, message: "new" })) }), { code: "internal", message: "new" }],
    ["a Connect error without details", json({ code: "permission_denied", message: "no" }), { code: "permission_denied", message: "no" }],
    ["a Connect code that Skein does not have", json({ code: "canceled" }), { code: "internal" }],
    ["a proxy in the way", { status: 502, contentType: "text/html" }, { code: "unavailable" }],
    ["a proxy that limits", { status: 429 }, { code: "rate_limited" }],
    ["something that is no Skein server", { status: 404, contentType: "text/html" }, { code: "unsupported" }],
    ["JSON that is none", { ...json(1), body: new Uint8Array([1]) }, { code: "internal" }],
  ])("%s becomes a SkeinError", async (_, response, expected) => {
    await expect(made(answer(response))).rejects.toMatchObject({ name: "SkeinError", ...expected });
  });

  test("name the app, the device and the user, percent-encoded where headers need it", async () => {
    let seen: Readonly<Record<string, string>> = {};
    await made({ ...answer({}), post: (request) => ((seen = { ...request.headers, url: request.url }), answer({}).post(request)) });
    expect(seen).toMatchObject({
      url: "http://skein.example/skein.v1.DeviceService/ListDevices",
      "Content-Type": "application/proto",
      "Skein-App": "demo",
      "Skein-Device": "%D0%B4%D0%BE%D0%BC",
      Authorization: `Bearer ${tokenFor("alice")}`,
    });
  });

  test("end with their signal, and by themselves when nobody answers", async () => {
    const hanging: Transport = {
      ...answer({}),
      post: ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("cut")))),
    };
    const given = new AbortController();
    const waiting = made(hanging, given.signal);
    given.abort("enough");
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    await expect(made(hanging, AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
    const clock = new ManualClock();
    const late = expect(made(hanging, undefined, clock)).rejects.toMatchObject({ code: "unavailable" });
    await until(() => (clock.advance(1000), clock.now() > 1_800_000_031_000));
    await late;
  });
});

describe("the transport of Node", () => {
  let http: Server;
  let sockets: WebSocketServer;
  let url: string;
  beforeEach(async () => {
    http = createServer();
    sockets = new WebSocketServer({ server: http });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    url = `ws://127.0.0.1:${(http.address() as { port: number }).port}`;
  });
  afterEach(async () => {
    sockets.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });

  test("carries binary packets both ways and tells the close code", async () => {
    const events: unknown[] = [];
    sockets.on("connection", (peer: Peer, request) => {
      events.push(request.headers["sec-websocket-protocol"]);
      peer.on("message", (data: Buffer, binary) => {
        events.push([...data], binary);
        peer.send(Uint8Array.from([4, 5]));
        peer.close(4403, "out");
      });
    });
    const socket = nodeTransport().connect(url, "skein.v1.proto", {
      open: () => socket.send(Uint8Array.from([1, 2, 3])),
      message: (data) => events.push([...data]),
      close: (code, reason) => events.push(code, reason),
    });
    await until(() => events.includes(4403));
    expect(events).toEqual(["skein.v1.proto", [1, 2, 3], true, [4, 5], 4403, "out"]);
  });

  test("tells of nobody there as a close, never as an exception", async () => {
    const closed: number[] = [];
    const handlers = { open: () => undefined, message: () => undefined, close: (code: number) => closed.push(code) };
    nodeTransport().connect("ws://127.0.0.1:1/", "skein.v1.proto", handlers);
    nodeTransport().connect("no address", "skein.v1.proto", handlers);
    await until(() => closed.length === 2);
    expect(closed).toEqual([1006, 1006]);
  });
});

test("a client is refused an address that is none", () => {
  const options = { appId: "demo", token: () => "t" };
  for (const endpoint of ["", "chat.example.com", "ws://chat.example.com", "https://"]) {
    expect(() => createClient({ ...options, endpoint })).toThrow(SkeinError);
  }
  expect(createClient({ ...options, endpoint: "https://chat.example.com/skein//" }).endpoint).toBe("https://chat.example.com/skein");
});
