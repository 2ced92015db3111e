/**
 * Signing in without the app's back end, before there is a client: as a guest, and on a second device by a code that a
 * signed-in one approves. The other side, `signIns()`, is a module of the signed-in client.
 *
 * @packageDocumentation
 */
import { SkeinError, type ErrorCode } from "../../error.js";
import { type CallOptions, type Module, type Platform, defineModule } from "../../module.js";
import { calls } from "./wire.js";

/** Where somebody without a token asks to be let in. */
export interface Door {
  readonly endpoint: string;
  readonly appId: string;
  /** The id of the device that will use the token: the `deviceId` of the client that is made with it. */
  readonly deviceId: string;
}

/** A token that the server itself has given out. */
export interface SignIn {
  readonly user: string;
  readonly token: string;
  /** Milliseconds since 1970 UTC. */
  readonly expires: number;
}

/** A code that waits for a signed-in device's approval, for two minutes. */
export interface SignInCode {
  readonly code: string;
  /** The address that the other device opens: show it as a QR code. */
  readonly url: string;
  readonly expires: number;
  /** Waits until it was answered. Rejects with `permission_denied` when it was denied, with `not_found` when it expired. */
  wait(options?: CallOptions): Promise<SignIn>;
}

const pollMs = 2000;
const platforms = ["unspecified", "web", "android", "ios", "desktop", "server"] as const;

interface ConnectError {
  readonly code?: string;
  readonly message?: string;
  readonly details?: readonly { readonly debug?: { readonly code?: string; readonly message?: string; readonly hint?: string; readonly retryAfterMs?: number } }[];
}

/** A call in JSON: there is no client yet whose codec could be used. */
async function post<T>({ endpoint, appId }: Door, method: string, input: unknown, signal: AbortSignal | undefined, token = ""): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`${endpoint}/skein.v1.SignInService/${method}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Skein-App": appId, ...(token ? { Authorization: `Bearer ${token}` } : {}) },
      body: JSON.stringify(input),
      signal: signal ?? null,
    });
  } catch (cause) {
    if (signal?.aborted) throw new SkeinError("aborted", "the call was given up", { cause });
    throw new SkeinError("unavailable", `${method}: the server was not reached`, { cause });
  }
  const answer = (await response.json().catch(() => ({}))) as T & ConnectError;
  if (response.ok) return answer;
  const detail = answer.details?.[0]?.debug;
  const code = detail?.code?.replace("ERROR_CODE_", "").toLowerCase() ?? (response.status === 429 ? "rate_limited" : response.status >= 500 ? "unavailable" : "invalid_argument");
  throw new SkeinError(code as ErrorCode, detail?.message ?? answer.message ?? `the server answered ${response.status}`, {
    hint: detail?.hint,
    retryAfterMs: detail?.retryAfterMs ?? 0,
  });
}

interface Given {
  readonly user?: string;
  readonly token?: string;
  readonly expiresUs?: string;
}

const given = ({ user = "", token = "", expiresUs = "0" }: Given): SignIn => ({ user, token, expires: Math.floor(Number(expiresUs) / 1000) });

/** Whether the app lets guests in. */
export async function guestsAllowed(door: Door, { signal }: CallOptions = {}): Promise<boolean> {
  return (await post<{ readonly guests?: boolean }>(door, "GetSignInOptions", {}, signal)).guests ?? false;
}

/** Makes a guest: a user without an account, who answers and begins nothing. */
export async function createGuest(door: Door, { signal }: CallOptions = {}): Promise<SignIn> {
  return given(await post<Given>(door, "CreateGuest", { device: door.deviceId }, signal));
}

/** A new token for one that `createGuest` or a code gave and that is still good, for 30 days after the first. */
export async function renewToken(door: Door, token: string, { signal }: CallOptions = {}): Promise<SignIn> {
  return given(await post<Given>(door, "RenewToken", {}, signal, token));
}

/** Begins the sign-in of this device by another one of the user's. `name` says to them which device it is. */
export async function createSignInCode(
  door: Door,
  { name = "", platform = "web", signal }: CallOptions & { readonly name?: string | undefined; readonly platform?: Platform | undefined } = {},
): Promise<SignInCode> {
  const input = { device: door.deviceId, deviceName: name, platform: `PLATFORM_${platform.toUpperCase()}` };
  const { code, ticket, expiresUs } = await post<{ readonly code: string; readonly ticket: string; readonly expiresUs: string }>(door, "CreateSignInCode", input, signal);
  return {
    code,
    url: `${door.endpoint}/#/link/${code}`,
    expires: Math.floor(Number(expiresUs) / 1000),
    async wait({ signal: stop } = {}) {
      for (;;) {
        const answer = await post<Given & { readonly state: string }>(door, "WaitSignInCode", { ticket }, stop);
        if (answer.state === "SIGN_IN_STATE_APPROVED") return given(answer);
        if (answer.state === "SIGN_IN_STATE_DENIED") throw new SkeinError("permission_denied", "the sign-in was denied on the other device");
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    },
  };
}

/** A device that shows a code. */
export interface AskingDevice {
  /** What it says of itself. */
  readonly name: string;
  readonly platform: Platform | undefined;
  /** Where it asks from, as the server saw it. */
  readonly address: string;
  /** Milliseconds since 1970 UTC. */
  readonly asked: number;
}

/** What a signed-in client does about codes. */
export interface SignIns {
  /** Which device asks: show it before you `answer`. Rejects with `not_found`. */
  look(code: string, options?: CallOptions): Promise<AskingDevice>;
  /** Lets the device in as the user, or denies it. */
  answer(code: string, approve: boolean, options?: CallOptions): Promise<void>;
}

/** Makes `client.signIns`. */
export const signIns = (): Module<SignIns> =>
  defineModule((host) => ({
    look: async (code, options) => {
      const { deviceName, platform, address, createdUs } = await host.call(calls.GetSignInCode, { code }, options);
      return { name: deviceName, platform: platform ? (platforms[platform] as Platform | undefined) : undefined, address, asked: Math.floor(createdUs / 1000) };
    },
    answer: async (code, approve, options) => {
      await host.call(calls.AnswerSignInCode, { code, approve }, options);
    },
  }));
