// Who is signed in here, and how a token is got for them. A tab remembers its
// user; a new tab takes the one who was signed in last.
import type { TokenSupplier } from "@skein/client";
import { renewToken } from "@skein/client/signin";

/** What is remembered of a sign-in. */
export type Session =
  | { readonly kind: "demo"; readonly appId: string; readonly user: string }
  | { readonly kind: "token"; readonly appId: string; readonly user: string; readonly token: string }
  /** A guest, or let in by another device: the server itself has signed the token, for this device. */
  | OwnSession;

/** See Session. */
export interface OwnSession {
  readonly kind: "own";
  readonly appId: string;
  readonly user: string;
  readonly token: string;
  readonly deviceId: string;
  /** Milliseconds since 1970 UTC. */
  readonly expires: number;
}

/** What a server in developer mode says about itself. */
export interface DevInfo {
  readonly app: string;
  readonly users: readonly string[];
}

const storageKey = "skein.web.session";

/** Two places to remember things: the tab's and the browser's. */
export interface SessionStorages {
  readonly tab: Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined;
  readonly browser: Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined;
}

/** The tab's session, else the one that was used last in this browser. */
export function loadSession(storages: SessionStorages): Session | undefined {
  for (const storage of [storages.tab, storages.browser]) {
    const found = parseSession(storage?.getItem(storageKey) ?? undefined);
    if (found) return found;
  }
  return undefined;
}

/** Remembers a session for this tab and for tabs to come. */
export function saveSession(storages: SessionStorages, session: Session): void {
  const text = JSON.stringify(session);
  for (const storage of [storages.tab, storages.browser]) {
    try {
      storage?.setItem(storageKey, text);
    } catch {
      // Full or forbidden: the session ends with the page.
    }
  }
}

/** Forgets a session; another user's, signed in by another tab since, stays. */
export function forgetSession(storages: SessionStorages, session: Session): void {
  for (const storage of [storages.tab, storages.browser]) {
    const found = parseSession(storage?.getItem(storageKey) ?? undefined);
    if (found && found.user === session.user && found.appId === session.appId) storage?.removeItem(storageKey);
  }
}

function parseSession(text: string | undefined): Session | undefined {
  if (text === undefined) return undefined;
  try {
    const raw = JSON.parse(text) as Partial<Record<"kind" | "appId" | "user" | "token" | "deviceId" | "expires", unknown>> | null;
    if (typeof raw?.appId !== "string" || typeof raw.user !== "string") return undefined;
    if (raw.kind === "demo") return { kind: "demo", appId: raw.appId, user: raw.user };
    if (raw.kind === "token" && typeof raw.token === "string") {
      return { kind: "token", appId: raw.appId, user: raw.user, token: raw.token };
    }
    if (raw.kind === "own" && typeof raw.token === "string" && typeof raw.deviceId === "string" && typeof raw.expires === "number") {
      const { appId, user, token, deviceId, expires } = raw;
      return { kind: "own", appId, user, token, deviceId, expires };
    }
  } catch {
    // Not ours.
  }
  return undefined;
}

/** What a pasted token says, read without checking its signature: the server does that. */
export interface TokenClaims {
  readonly app: string;
  readonly user: string;
  /** Milliseconds since 1970 UTC, undefined without one. */
  readonly expires: number | undefined;
}

/** Reads the claims of a JWT; undefined when it is none. */
export function readToken(token: string): TokenClaims | undefined {
  const parts = token.trim().split(".");
  const payload = parts[1];
  if (parts.length !== 3 || payload === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Record<"iss" | "sub" | "exp", unknown>> | null;
    if (claims === null || typeof claims !== "object") return undefined;
    return {
      app: typeof claims.iss === "string" ? claims.iss : "",
      user: typeof claims.sub === "string" ? claims.sub : "",
      expires: typeof claims.exp === "number" ? claims.exp * 1000 : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Asks whether the server runs in developer mode: undefined when it does not. Rejects when it cannot be reached. */
export async function fetchDevInfo(signal: AbortSignal): Promise<DevInfo | undefined> {
  const response = await fetch("/dev/info", { signal, cache: "no-store" });
  if (response.status >= 500) throw new Error(`the server answers ${response.status}`);
  if (!response.ok || !response.headers.get("content-type")?.includes("json")) return undefined;
  const info = (await response.json()) as Partial<Record<"app" | "users", unknown>>;
  const users = Array.isArray(info.users) ? info.users.filter((user): user is string => typeof user === "string") : [];
  return { app: typeof info.app === "string" ? info.app : "demo", users };
}

/** Gets a token for a demo user from a server in developer mode. */
export async function mintDevToken(user: string, signal: AbortSignal): Promise<string> {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user }),
    signal,
    cache: "no-store",
  });
  const answer = (await response.json().catch(() => ({}))) as Partial<Record<"token" | "error", unknown>>;
  if (!response.ok || typeof answer.token !== "string") {
    throw new Error(typeof answer.error === "string" ? answer.error : `the server answered ${response.status}`);
  }
  return answer.token;
}

/** How long before its end a token of the server's own is replaced. */
const renewMs = 6 * 3_600_000;

/** Gets new tokens of the server's own in time, and has them kept. */
function ownSupplier(first: OwnSession, keep: (session: Session) => void): TokenSupplier {
  let now = first;
  return async ({ signal }) => {
    if (now.expires - Date.now() > renewMs) return now.token;
    try {
      const { token, expires } = await renewToken({ endpoint: location.origin, appId: now.appId, deviceId: now.deviceId }, now.token, { signal });
      now = { ...now, token, expires };
      keep(now);
    } catch {
      // The old one is as good as it is: the server says what is wrong with it.
    }
    return now.token;
  };
}

/** The token supplier of a session. `keep` remembers one whose token was replaced. */
export function tokenSupplier(session: Session, keep: (session: Session) => void = () => undefined): TokenSupplier {
  if (session.kind === "own") return ownSupplier(session, keep);
  if (session.kind === "token") return () => session.token;
  return ({ signal }) => mintDevToken(session.user, signal);
}

/** A name by which a person recognises this browser: "Chrome on Linux". */
export function deviceName(agent: string): string {
  const browser =
    /Edg\//.test(agent) ? "Edge"
    : /OPR\//.test(agent) ? "Opera"
    : /Firefox\//.test(agent) ? "Firefox"
    : /Chrome\//.test(agent) ? "Chrome"
    : /Safari\//.test(agent) ? "Safari"
    : "Browser";
  const system =
    /iPhone|iPad/.test(agent) ? "iOS"
    : /Android/.test(agent) ? "Android"
    : /Windows/.test(agent) ? "Windows"
    : /Mac OS X/.test(agent) ? "macOS"
    : /CrOS/.test(agent) ? "ChromeOS"
    : /Linux/.test(agent) ? "Linux"
    : "";
  return system === "" ? browser : `${browser} on ${system}`;
}
