/**
 * Voice and video calls: who rings whom, and who is in which call. The voices go through a LiveKit client, which
 * `@skein/client/calls/livekit` connects. `createClient({ …, modules: { calls: calls() } })` gives `client.calls`.
 *
 * @packageDocumentation
 */
import { Emitter } from "../../emitter.js";
import { SkeinError } from "../../error.js";
import { type CallOptions, type Conversation, type Module, type ModuleHost, type Unsubscribe, defineModule } from "../../module.js";
import type { Message } from "../../types/message.js";
import type { Call, CallAccess, CallEnd, CallLine, CallRole, Calls, CallsEvents, CallState, EndReason, GroupCall, Joined, ListedCalls, ListedRecordings, NewCall, OwnCall, PartyState, RecordedSource, Recording, RecordingMark, RecordingProblem, RecordingState } from "./types.js";
import { type CallAccess as WireAccess, type Call as WireCall, type ConversationCall, type Recording as WireRecording, type RecordingMark as WireMark, type UserCall, calls as wire, contentFields } from "./wire.js";

export type * from "./types.js";

const states: readonly (CallState | undefined)[] = [undefined, "ringing", "active", "ended"];
const ends: readonly (CallEnd | undefined)[] = [undefined, "completed", "cancelled", "declined", "noAnswer", "busy", "failed"];
const partyStates: readonly (PartyState | undefined)[] = [undefined, "ringing", "joined", "declined", "missed", "busy", "left", "removed"];
const recordingStates: readonly (RecordingState | undefined)[] = [undefined, "on", "gathering", "done", "empty"];
const recordingProblems: readonly (RecordingProblem | undefined)[] = [undefined, "encrypted", "away", "notStored", "quota", "brokenOff"];
const sources: readonly (RecordedSource | undefined)[] = [undefined, "microphone", "camera", "screen", "screenAudio"];
const roleOf = (n: number): CallRole => (n === 2 ? "viewer" : "publisher");
const roleNumber = (role: CallRole | undefined): number => (role === "viewer" ? 2 : role ? 1 : 0);
const ms = (us: number): number => Math.floor(us / 1000);
const at = (us: number): number | undefined => (us ? ms(us) : undefined);

const markOf = (m: WireMark | undefined): RecordingMark | undefined => m && { user: m.user, since: ms(m.sinceUs) };

function recordingOf({ id, call, conversation, recorder, startedUs, endedUs, state, problem, problemCode, tracks }: WireRecording): Recording {
  return {
    id, call, conversation, recorder, started: ms(startedUs), ended: at(endedUs), state: recordingStates[state] ?? "gathering", problem, problemCode: recordingProblems[problemCode],
    tracks: tracks.map(({ startedUs: began, durationMs: duration, source, ...track }) => ({ ...track, source: sources[source] ?? "unknown", started: began / 1000, duration })),
  };
}

function factsOf(c: WireCall | UserCall, id: string) {
  const { conversation, starter, video, state, end, startedUs, answeredUs } = c;
  return { id, conversation, starter, video, state: states[state] ?? "active", end: ends[end], started: ms(startedUs), answered: at(answeredUs), recording: markOf(c.recording) } as const;
}

function ownOf(c: UserCall): OwnCall {
  const { device, invitedBy } = c;
  return { ...factsOf(c, c.call), own: partyStates[c.own] ?? "left", role: roleOf(c.role), device, invitedBy, ringsUntil: ms(c.ringsUntilUs) };
}

function callOf(c: WireCall | undefined): Call {
  if (!c) throw new SkeinError("internal", "the answer has no call");
  const parties = c.parties.map(({ user, state, role, invitedBy, device }) => ({ user, state: partyStates[state] ?? "left", role: roleOf(role), invitedBy, device }) as const);
  return { ...factsOf(c, c.id), ended: at(c.endedUs), role: roleOf(c.role), parties, count: c.partyCount, joined: c.joinedCount };
}

/** A media server without a URL is the server itself. */
const accessOf = (a: WireAccess | undefined, endpoint: string): CallAccess | undefined => a && { url: a.url || endpoint.replace(/^http/, "ws"), token: a.token, identity: a.identity };

const groupCallOf = ({ call: id, starter, video, startedUs, joined, users, recording }: ConversationCall): GroupCall => ({ id, starter, video, started: ms(startedUs), joined, users, recording: markOf(recording) });

const idOf = (conversation: Conversation | string): string => (typeof conversation === "string" ? conversation : conversation.id);

/** The user and device that a participant of a call's room is; undefined for one who is no user. */
export function participantOf(identity: string): { readonly user: string; readonly device: string } | undefined {
  const slash = identity.indexOf("/");
  if (slash < 1) return undefined;
  try {
    return { user: part(identity.slice(0, slash)), device: part(identity.slice(slash + 1)) };
  } catch {
    return undefined;
  }
}

function part(s: string): string {
  if (!s.startsWith("~")) return s;
  const bytes = Uint8Array.from(atob(s.slice(1).replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

/** How long after a ring's time the server's word is waited for, in milliseconds. */
const late = 5000;

const live = (c: OwnCall | undefined): boolean => c?.own === "ringing" || c?.own === "joined";

class CallsOfHost implements Calls {
  readonly #host: ModuleHost;
  readonly #endpoint: string;
  readonly #events = new Emitter<CallsEvents>();
  /** Those that this device has answered or declined, or is about to. */
  readonly #acted = new Set<string>();
  /** Rings whose end this device has told by itself. */
  readonly #silenced = new Set<string>();
  #now: readonly OwnCall[] = [];
  #told: readonly OwnCall[] = [];
  #read: Uint8Array | undefined;

  constructor(host: ModuleHost, endpoint: string) {
    this.#host = host;
    this.#endpoint = endpoint;
    host.onKeyed(({ conversation, key }) => {
      if (conversation === `~${host.userId}`) {
        if (key === undefined || key === "calls") this.#compare();
      } else if (key === "call") this.#events.emit("changed", { conversation });
    });
  }

  get now(): readonly OwnCall[] {
    const content = this.#host.userId ? this.#host.keyed(`~${this.#host.userId}`).get("calls")?.content : undefined;
    if (content !== this.#read) {
      this.#read = content;
      this.#now = (content && contentFields.read(content).calls?.calls.map(ownOf)) ?? [];
    }
    return this.#now;
  }

  of(conversation: Conversation | string): GroupCall | undefined {
    const content = this.#host.keyed(idOf(conversation)).get("call")?.content;
    const call = content && contentFields.read(content).call;
    return call && call.state !== 3 ? groupCallOf(call) : undefined;
  }

  on<Name extends keyof CallsEvents>(name: Name, listener: (event: CallsEvents[Name]) => void): Unsubscribe {
    const off = this.#events.on(name, listener);
    if (name === "incoming") {
      // What rings already rings for who begins to listen.
      const ringing = this.#told.filter((call) => this.#rings(call));
      for (const call of ringing) queueMicrotask(() => (listener as (event: OwnCall) => void)(call));
    }
    return off;
  }

  #rings({ own, ringsUntil }: OwnCall): boolean {
    return own === "ringing" && ringsUntil > this.#host.now();
  }

  /** Tells what is different from what was told. */
  #compare(): void {
    const [before, now] = [this.#told, this.now];
    if (before === now) return;
    this.#told = now;
    for (const call of now) {
      const was = before.find(({ id }) => id === call.id);
      if (was?.own !== "ringing" && this.#rings(call)) {
        this.#silenced.delete(call.id);
        this.#limit(call);
        this.#events.emit("incoming", call);
      }
      if (call.own === "joined" && call.answered && was && !was.answered && was.own === "joined") this.#events.emit("accepted", call);
      const ended = live(was) && !live(call);
      const elsewhere = was?.own === "ringing" && call.own === "joined" && !this.#acted.has(call.id);
      const silenced = was?.own === "ringing" && this.#silenced.has(call.id);
      if ((ended || elsewhere) && !silenced) this.#events.emit("ended", { call, reason: elsewhere ? "answeredElsewhere" : this.#reason(call) });
      if (JSON.stringify(was) !== JSON.stringify(call)) this.#events.emit("changed", { conversation: call.conversation });
    }
    for (const call of before) {
      if (now.some(({ id }) => id === call.id)) continue;
      // It has ended so long ago, while this device was away, that the server tells of it no more.
      const silenced = this.#silenced.delete(call.id);
      if (call.own === "ringing" && !silenced) this.#events.emit("ended", { call, reason: "missed" });
      this.#acted.delete(call.id);
    }
  }

  /** A device that is offline when a ring's time is up does not ring on until it is back. */
  #limit({ id, ringsUntil }: OwnCall): void {
    const timer = setTimeout(() => {
      const call = this.#told.find((told) => told.id === id);
      if (call?.own !== "ringing" || call.ringsUntil !== ringsUntil) return;
      this.#silenced.add(id);
      this.#events.emit("ended", { call, reason: "missed" });
    }, ringsUntil - this.#host.now() + late);
    if (typeof timer === "object") (timer as { unref?: () => void }).unref?.(); // in Node nothing waits for it
  }

  #reason({ id, own, end }: OwnCall): EndReason {
    if (own === "declined") return this.#acted.has(id) ? "declined" : "declinedElsewhere";
    if (own === "removed" || own === "missed") return own;
    return end ?? "left";
  }

  /** Does what this device is the one to do. */
  async #act<T>(id: string, act: () => Promise<T>): Promise<T> {
    const first = !this.#acted.has(id);
    this.#acted.add(id);
    try {
      return await act();
    } catch (error) {
      if (first) this.#acted.delete(id);
      throw error;
    }
  }

  async start(conversation: Conversation | string, { video = false, users = [], quiet = false, role }: NewCall = {}, options?: CallOptions): Promise<Joined> {
    const request = { conversation: idOf(conversation), clientId: this.#host.newClientId(), video, users: [...users], quiet, role: roleNumber(role) };
    const { call, access } = await this.#host.call(wire.StartCall, request, options);
    return { call: callOf(call), access: accessOf(access, this.#endpoint) };
  }

  accept(id: string, { move = false, ...options }: CallOptions & { readonly move?: boolean | undefined } = {}): Promise<Joined> {
    return this.#act(id, async () => {
      const { call, access } = await this.#host.call(wire.JoinCall, { call: id, move }, options);
      return { call: callOf(call), access: accessOf(access, this.#endpoint) };
    });
  }

  decline(id: string, options?: CallOptions): Promise<Call> {
    return this.#act(id, async () => callOf((await this.#host.call(wire.DeclineCall, { call: id }, options)).call));
  }

  async leave(id: string, options?: CallOptions): Promise<Call> {
    return callOf((await this.#host.call(wire.LeaveCall, { call: id }, options)).call);
  }

  cancel(id: string, options?: CallOptions): Promise<Call> {
    return this.leave(id, options);
  }

  async end(id: string, options?: CallOptions): Promise<Call> {
    return callOf((await this.#host.call(wire.EndCall, { call: id }, options)).call);
  }

  async invite(id: string, users: readonly string[], { role, ...options }: CallOptions & { readonly role?: CallRole | undefined } = {}): Promise<Call> {
    return callOf((await this.#host.call(wire.InviteToCall, { call: id, users: [...users], role: roleNumber(role) }, options)).call);
  }

  async mute(id: string, user: string, { audio = false, video = false }: { readonly audio?: boolean | undefined; readonly video?: boolean | undefined }, options?: CallOptions): Promise<void> {
    await this.#host.call(wire.MuteInCall, { call: id, user, audio, video }, options);
  }

  async remove(id: string, user: string, options?: CallOptions): Promise<Call> {
    return callOf((await this.#host.call(wire.RemoveFromCall, { call: id, user }, options)).call);
  }

  async setRole(id: string, user: string, role: CallRole, options?: CallOptions): Promise<Call> {
    return callOf((await this.#host.call(wire.SetCallRole, { call: id, user, role: roleNumber(role) }, options)).call);
  }

  async record(id: string, options?: CallOptions): Promise<Call> {
    return callOf((await this.#host.call(wire.StartRecording, { call: id }, options)).call);
  }

  async stopRecording(id: string, options?: CallOptions): Promise<Call> {
    return callOf((await this.#host.call(wire.StopRecording, { call: id }, options)).call);
  }

  async recordings({ call = "", conversation = "", limit = 0, page = "" }: Parameters<Calls["recordings"]>[0], options?: CallOptions): Promise<ListedRecordings> {
    const answer = await this.#host.call(wire.ListRecordings, { call, conversation, limit, page }, options);
    return { recordings: answer.recordings.map(recordingOf), next: answer.nextPage };
  }

  async get(id: string, options?: CallOptions): Promise<Call> {
    return callOf((await this.#host.call(wire.GetCall, { call: id }, options)).call);
  }

  async list(
    { missed = false, conversation = "", limit = 0, page = "" }: { readonly missed?: boolean | undefined; readonly conversation?: string | undefined; readonly limit?: number | undefined; readonly page?: string | undefined } = {},
    options?: CallOptions,
  ): Promise<ListedCalls> {
    const answer = await this.#host.call(wire.ListCalls, { missed, conversation, limit, page }, options);
    return { calls: answer.calls.map(callOf), next: answer.nextPage };
  }

  line(message: Pick<Message, "content">): CallLine | undefined {
    return callLine(message);
  }
}

/** `calls.line` for where there is no client: what a notice in a conversation says of a call; undefined when it is no such line. */
export function callLine({ content }: Pick<Message, "content">): CallLine | undefined {
  const notice = content as { readonly type: string; readonly code?: string; readonly params?: Readonly<Record<string, string>> } | undefined;
  const kind = lines[notice?.type === "notice" ? (notice.code ?? "") : ""];
  if (!kind) return undefined;
  const { call = "", video, starter = "", duration_s = "0", reason = "", recording = "", recorder = "" } = notice?.params ?? {};
  return { kind, call, video: video === "true", starter, seconds: Number(duration_s), reason: reasons[reason], recording, recorder };
}

const lines: Readonly<Record<string, CallLine["kind"]>> = { "call.started": "started", "call.ended": "ended", "call.missed": "missed", "call.declined": "declined", "call.recording": "recording", "call.recorded": "recorded" };
const reasons: Readonly<Record<string, CallLine["reason"]>> = { no_answer: "noAnswer", cancelled: "cancelled", busy: "busy" };

/** Calls, for `createClient`'s `modules`. */
export const calls = (): Module<Calls> => (core) => defineModule((host) => new CallsOfHost(host, core.endpoint))(core);
