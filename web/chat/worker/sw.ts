// The service worker: keeps the app's own files, so that the page loads while
// the server is stopped, and small pictures of messages that were seen, so that
// they are seen then, too. Messages are not its business; the SDK's store has
// them. The build puts the list of files and its hash in place of the two
// declared constants.
declare const SHELL_FILES: readonly string[];
declare const SHELL_VERSION: string;

interface WorkerEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface FetchEvent extends WorkerEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface MessageToWorker extends WorkerEvent {
  readonly data: unknown;
}
interface WorkerScope {
  readonly location: Location;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: WorkerEvent) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
  addEventListener(type: "message", listener: (event: MessageToWorker) => void): void;
}
declare const self: WorkerScope;

const prefix = "skein-shell-";
const cacheName = prefix + SHELL_VERSION;
const patienceMs = 3000;

/** The page deletes it when somebody signs out. */
const seenName = "skein-seen";
const mostSeen = 400;
const sizes = ["l", "m", "s"] as const;

self.addEventListener("install", (event) => {
  event.waitUntil(install());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});

self.addEventListener("message", (event) => {
  // The person agreed to the new version.
  if (event.data === "skein:take-over") event.waitUntil(self.skipWaiting());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (url.pathname === "/" || url.pathname === "/index.html") event.respondWith(page(request));
    return;
  }
  if (SHELL_FILES.includes(url.pathname)) event.respondWith(asset(request));
  if (request.destination === "image" && url.pathname.startsWith("/v1/files/")) event.respondWith(picture(event, url));
  // Everything else (the API, the socket, developer endpoints) never comes from here.
});

/** Takes all files or none: a shell with holes is worse than the old one. */
async function install(): Promise<void> {
  const cache = await caches.open(cacheName);
  await cache.addAll(["/", ...SHELL_FILES].map((path) => new Request(path, { cache: "reload" })));
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(prefix) && name !== cacheName) await caches.delete(name);
  }
  // The first visit has a working page already when this comes; from now on it may be reloaded offline.
  await self.clients.claim();
}

/** The page: fresh when the server answers soon, kept when it does not. */
async function page(request: Request): Promise<Response> {
  const kept = await caches.match("/", { cacheName });
  if (!kept) return fetch(request);
  try {
    const fresh = await fetch(request, { signal: AbortSignal.timeout(patienceMs) });
    return fresh.ok ? fresh : kept;
  } catch {
    return kept;
  }
}

/** A file of the app: their names change with their content, so a kept one is right. */
async function asset(request: Request): Promise<Response> {
  const kept = await caches.match(request, { cacheName, ignoreSearch: true });
  return kept ?? fetch(request);
}

/** What a picture is kept under: its message, whose readers alone it was given to, without the key that ends. */
function seenKey({ pathname, searchParams }: URL, size: string | null): string | undefined {
  const [conversation, seq] = [searchParams.get("c"), searchParams.get("s")];
  return conversation && seq && size ? `${pathname}?${new URLSearchParams({ c: conversation, s: seq, t: size })}` : undefined;
}

/** A picture of a message. The server is asked each time, and what it refuses is forgotten; what was seen is for when it can not be asked. */
async function picture(event: FetchEvent, url: URL): Promise<Response> {
  const size = url.searchParams.get("t");
  const key = seenKey(url, size);
  try {
    const fresh = await fetch(event.request);
    if (key !== undefined && fresh.status === 404) event.waitUntil(forget(url));
    else if (key !== undefined && fresh.status === 200) event.waitUntil(keep(key, fresh.clone()));
    return fresh;
  } catch (error) {
    const cache = await caches.open(seenName);
    for (const other of [size, ...sizes]) {
      const kept = seenKey(url, other);
      const found = kept && (await cache.match(kept));
      if (found) return found;
    }
    throw error;
  }
}

async function keep(key: string, response: Response): Promise<void> {
  const cache = await caches.open(seenName);
  await cache.put(key, response);
  const keys = await cache.keys();
  for (const old of keys.slice(0, Math.max(0, keys.length - mostSeen))) await cache.delete(old);
}

async function forget(url: URL): Promise<void> {
  const cache = await caches.open(seenName);
  for (const size of sizes) {
    const key = seenKey(url, size);
    if (key) await cache.delete(key);
  }
}

export {};
