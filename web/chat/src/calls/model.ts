// The calls of this tab: what rings, what was dialled, and the one call that it
// is in. Without React: the provider draws from its state.
import type { Conversation, SkeinError } from "@skein/client";
import type { Calls, EndReason, Joined, OwnCall } from "@skein/client/calls";
import type { Trouble } from "./lobby/prepare.ts";
import type { Aloud, Keep } from "./ring/tabs.ts";

/** What begins with a call: what is switched on. */
export interface With {
  readonly camera: boolean;
  readonly microphone: boolean;
}

/** What the model needs of a session. */
export interface SessionLike {
  readonly state: "connecting" | "connected" | "reconnecting" | "ended";
  readonly error?: unknown;
  /** Why it ended. */
  readonly over?: string | undefined;
  hangUp(): Promise<void>;
  setMicrophone(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  onChange(fn: () => void): () => void;
}

/** Whom to ring, in a group: all, some, or nobody. */
export interface Dialled {
  readonly video: boolean;
  readonly users?: readonly string[] | undefined;
  readonly quiet?: boolean | undefined;
}

/** The one call of this tab. */
export interface Going<Session> {
  readonly conversation: string;
  readonly video: boolean;
  /** `dialling`: the server is being asked. `ringing`: an own call that nobody has answered. `in`: everything else. */
  readonly phase: "dialling" | "ringing" | "in";
  /** Empty while dialling. */
  readonly call: string;
  readonly session: Session | undefined;
  readonly dialled: Dialled | undefined;
}

/** What became of a call that was dialled and came to nothing. */
export interface Over {
  readonly conversation: string;
  readonly dialled: Dialled;
  readonly why: "declined" | "busy" | "noAnswer";
}

/** A word about a ring that has stopped, or a call that has ended. */
export interface News {
  readonly call: OwnCall;
  readonly reason: EndReason | "answeredTab" | "engaged" | "lost" | "moved";
}

/** Everything to draw. */
export interface CallsState<Session> {
  /** Those that ring here, the oldest first. */
  readonly rings: readonly OwnCall[];
  /** Whether this tab is the one that is heard, of all tabs of this browser. */
  readonly aloud: boolean;
  readonly going: Going<Session> | undefined;
  readonly over: Over | undefined;
  /** A call that this device is in and no tab of this browser: before the page was loaded anew it was here. */
  readonly back: OwnCall | undefined;
  /** What waits for an answer of the server: the id of the call. */
  readonly busy: string;
  readonly minimised: boolean;
  /** Whether the server has calls; undefined while that is not known. */
  readonly available: boolean | undefined;
  /** What of microphone and camera the call goes on without. */
  readonly trouble: Trouble | undefined;
  /** The choice of devices is shown. */
  readonly lobby: boolean;
}

/** Before anything has happened. */
export const quiet: CallsState<never> = { rings: [], aloud: false, going: undefined, over: undefined, back: undefined, busy: "", minimised: false, available: undefined, trouble: undefined, lobby: false };

/** What the model is made of. */
export interface CallsDeps<Session extends SessionLike> {
  readonly calls: Pick<Calls, "now" | "on" | "start" | "accept" | "decline" | "leave">;
  readonly device: () => string;
  /** Hears when the device's id has become known. */
  readonly onDevice: (fn: () => void) => () => void;
  /** Makes the session of a call that this device was let into. */
  readonly connect: (joined: Joined, on: With) => Session;
  /** Asks for what the person has to allow, before anything is said to the server. */
  readonly prepare: (on: With) => Promise<{ readonly allowed: With; readonly trouble: Trouble | undefined }>;
  /** One of all tabs rings. */
  readonly aloud: Aloud;
  /** Keeps a call for this tab. */
  readonly keep: Keep;
  /** What was found out before about whether the server has calls, and keeps what is found out now. */
  readonly known: { read(): boolean; write(available: boolean): void };
  readonly tell: (news: News) => void;
  readonly fail: (error: unknown) => void;
  readonly later?: (fn: () => void, ms: number) => () => void;
}

/** How long a ring is believed without a word of its end: a server that is away says nothing. */
const ringMs = 90_000;

const timer = (fn: () => void, ms: number): (() => void) => {
  const id = setTimeout(fn, ms);
  return () => clearTimeout(id);
};

/** Holds the state; `close` when nobody is signed in any more. */
export class CallsModel<Session extends SessionLike> {
  readonly #deps: CallsDeps<Session>;
  readonly #later: (fn: () => void, ms: number) => () => void;
  readonly #listeners = new Set<() => void>();
  readonly #off: (() => void)[] = [];
  /** Ended for this tab, whatever the server says. */
  readonly #ignored = new Set<string>();
  readonly #ringEnds = new Map<string, () => void>();
  #state: CallsState<Session> = quiet;
  #asking = false;
  #words = "";
  #stopRinging: (() => void) | undefined;
  #letGo: (() => void) | undefined;
  #looking: { readonly id: string; readonly stop: () => void } | undefined;
  /** The call that this device was taken out of, until it is known why. */
  #takenOut = "";
  #seen = new Set<string>();

  constructor(deps: CallsDeps<Session>) {
    this.#deps = deps;
    this.#later = deps.later ?? timer;
    for (const { id } of deps.calls.now) this.#seen.add(id);
    this.#off.push(
      deps.onDevice(() => this.#look()),
      deps.calls.on("incoming", ({ id }) => {
        this.#ignored.delete(id); // declined, or left, before somebody invited once more
        this.#look();
      }),
      deps.calls.on("accepted", () => this.#look()),
      deps.calls.on("changed", () => this.#look()),
      deps.calls.on("ended", ({ call, reason }) => this.#ended(call, reason)),
    );
    this.#look();
  }

  readonly subscribe = (fn: () => void): (() => void) => {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  };

  readonly get = (): CallsState<Session> => this.#state;

  /** Calls somebody. Resolves when it rings, or it is plain that it does not. */
  async start(conversation: Conversation | string, dialled: Dialled): Promise<void> {
    if (this.#state.going || this.#state.busy) return;
    const id = typeof conversation === "string" ? conversation : conversation.id;
    const { video, users, quiet } = dialled;
    const going: Going<Session> = { conversation: id, video, phase: "dialling", call: "", session: undefined, dialled };
    this.#set({ going, over: undefined, minimised: false });
    try {
      const on = await this.#prepare({ camera: video, microphone: true });
      if (this.#state.going !== going) return; // given up meanwhile
      const joined = await this.#deps.calls.start(id, { video, ...(users ? { users } : {}), ...(quiet ? { quiet } : {}) });
      if (this.#state.going !== going) {
        await this.#deps.calls.leave(joined.call.id);
        return;
      }
      if (!joined.access) {
        const { end } = joined.call;
        this.#set({ going: undefined, over: { conversation: id, dialled, why: end === "declined" || end === "noAnswer" ? end : "busy" } });
        return;
      }
      this.#begin(joined, on, joined.call.state === "ringing" ? "ringing" : "in", dialled);
    } catch (error) {
      if (this.#state.going !== going) return;
      this.#set({ going: undefined });
      if ((error as SkeinError).code === "failed_precondition") this.#askAnew();
      const running = (error as SkeinError).code === "already_exists";
      // Both have called each other in the same moment: what rings here is answered.
      const other = running ? this.#deps.calls.now.find((call) => call.conversation === id && call.own === "ringing") : undefined;
      if (other) await this.accept(other.id, { camera: video, microphone: true });
      else this.#deps.fail(error);
    }
  }

  /** Answers, joins or comes back; leaves the call that this tab is in. */
  async accept(id: string, on: With, { move = false }: { readonly move?: boolean } = {}): Promise<void> {
    if (this.#state.busy) return;
    const facts = this.#deps.calls.now.find((call) => call.id === id);
    this.#set({ busy: id });
    try {
      const kept = this.#deps.keep(id);
      const allowed = await this.#prepare(on);
      await this.#state.going?.session?.hangUp().catch(() => undefined);
      this.#drop();
      try {
        const joined = await this.#deps.calls.accept(id, { move });
        this.#ignored.delete(id);
        if (joined.access) this.#begin(joined, allowed, "in", undefined, kept);
        else kept();
      } catch (error) {
        kept();
        throw error;
      }
    } catch (error) {
      this.#deps.fail(error);
      // One that is over does not go on ringing here because its end was not heard of.
      if (facts?.own === "ringing" && (error as SkeinError).code !== "unavailable") this.#ignored.add(id);
    } finally {
      this.#set({ busy: "" });
      this.#look();
    }
  }

  /** Declines on all devices of this user. */
  async decline(id: string): Promise<void> {
    this.#ignored.add(id);
    this.#look();
    try {
      await this.#deps.calls.decline(id);
    } catch (error) {
      if (!["failed_precondition", "not_found"].includes((error as SkeinError).code)) this.#deps.fail(error);
    }
  }

  /** Ends the call for this user, or gives up dialling. */
  async hangUp(): Promise<void> {
    const { going } = this.#state;
    if (!going) return;
    this.#ignored.add(going.call);
    this.#drop();
    try {
      await going.session?.hangUp();
    } catch (error) {
      this.#deps.fail(error);
    }
  }

  /** Leaves a call that this device is in and no tab. */
  async leave(id: string): Promise<void> {
    this.#ignored.add(id);
    this.#look();
    await this.#deps.calls.leave(id).catch(this.#deps.fail);
  }

  /** Takes away what is said of a call that came to nothing. */
  dismiss(): void {
    this.#set({ over: undefined });
  }

  /** Shows the call small, or large. */
  minimise(minimised: boolean): void {
    this.#set({ minimised });
  }

  /** The words that the next call is encrypted by, end to end; "" for none. */
  get words(): string {
    return this.#words;
  }

  setWords(words: string): void {
    this.#words = words;
  }

  /** The words, for the call that begins now; the one after it has none. */
  takeWords(): string {
    const words = this.#words;
    this.#words = "";
    return words;
  }

  /** Shows the choice of devices, or no longer. */
  showLobby(lobby: boolean): void {
    this.#set({ lobby });
  }

  /** The person has read it. */
  forgetTrouble(): void {
    this.#set({ trouble: undefined });
  }

  /** A device works now that did not when the call began: the call that went on without has it from now on. */
  works(kind: "camera" | "microphone"): void {
    const { trouble, going } = this.#state;
    if (!trouble?.[kind]) return;
    const other = kind === "camera" ? "microphone" : "camera";
    this.#set({ trouble: trouble[other] && { [other]: trouble[other] } });
    const { session } = going ?? {};
    void (kind === "camera" ? session?.setCamera(true) : session?.setMicrophone(true))?.catch(() => undefined);
  }

  /** Finds out whether the server has calls, once: one that has none refuses before it looks for the call. */
  ask(): void {
    if (this.#asking || this.#state.available !== undefined) return;
    if (this.#deps.known.read()) return this.#set({ available: true });
    this.#asking = true;
    this.#deps.calls
      .accept("0".repeat(32))
      .catch((error: unknown) => {
        const { code } = error as SkeinError;
        if (code !== "failed_precondition" && code !== "not_found") return;
        this.#deps.known.write(code === "not_found");
        this.#set({ available: code === "not_found" });
      })
      .finally(() => (this.#asking = false));
  }

  /** What was known of the server may be so no longer. */
  #askAnew(): void {
    this.#deps.known.write(false);
    this.#set({ available: undefined });
    this.ask();
  }

  close(): void {
    for (const off of this.#off) off();
    for (const stop of this.#ringEnds.values()) stop();
    this.#stopRinging?.();
    this.#looking?.stop();
    void this.#state.going?.session?.hangUp().catch(() => undefined);
    this.#letGo?.();
    this.#listeners.clear();
  }

  #set(change: Partial<CallsState<Session>>): void {
    this.#state = { ...this.#state, ...change };
    for (const each of this.#listeners) each();
  }

  async #prepare(on: With): Promise<With> {
    const { allowed, trouble } = await this.#deps.prepare(on);
    this.#set({ trouble });
    return allowed;
  }

  #begin({ call, access }: Joined, on: With, phase: "ringing" | "in", dialled: Dialled | undefined, kept = this.#deps.keep(call.id)): void {
    this.#letGo = kept;
    const session = this.#deps.connect({ call, access }, on);
    const off = session.onChange(() => {
      if (session.state !== "ended") return;
      off();
      // The media server may say so before the server tells how it ended, which the screen of a dialled call is for.
      if (this.#state.going?.phase === "ringing" && session.over !== "lost" && !session.error) this.#off.push(this.#later(() => this.#sessionEnded(call.id, session), 3000));
      else this.#sessionEnded(call.id, session);
    });
    this.#set({ going: { conversation: call.conversation, video: call.video, phase, call: call.id, session, dialled }, back: undefined });
    this.#look();
  }

  #sessionEnded(id: string, session: Session): void {
    if (this.#state.going?.session !== session) return;
    const own = this.#deps.calls.now.find((call) => call.id === id);
    const out = session.over === "answeredElsewhere" || session.over === "removed";
    if (out) this.#takenOut = id;
    else this.#ignored.add(id);
    this.#drop();
    if (session.error) this.#deps.fail(session.error);
    else if (own && session.over === "lost") this.#deps.tell({ call: own, reason: "lost" });
  }

  /** Says that the call goes on with another device, once the server tells that it does. */
  #tellMoved(): void {
    const own = this.#deps.calls.now.find((call) => call.id === this.#takenOut);
    if (!own) return;
    const moved = own.own === "joined" && own.device !== this.#deps.device();
    if (moved) this.#deps.tell({ call: own, reason: "moved" });
    if (moved || own.own !== "joined") this.#takenOut = "";
  }

  /** This tab is in no call any more. */
  #drop(): void {
    this.#letGo?.();
    this.#letGo = undefined;
    this.#set({ going: undefined, minimised: false });
    this.#look();
  }

  #ended(call: OwnCall, reason: EndReason): void {
    const { going } = this.#state;
    const mine = going?.call === call.id;
    if (mine) {
      const { dialled, phase, conversation, session } = going;
      this.#drop();
      // The SDK leaves the room as well; a session that has none yet ends by this.
      void session?.hangUp().catch(() => undefined);
      if (phase === "ringing" && dialled && (reason === "declined" || reason === "busy" || reason === "noAnswer")) this.#set({ over: { conversation, dialled, why: reason } });
      else if (reason !== "completed" && reason !== "left" && reason !== "cancelled" && reason !== "answeredElsewhere") this.#deps.tell({ call, reason });
    } else if (this.#ignored.has(call.id) || this.#state.busy === call.id) {
      // Done here, and not to be told to who did it.
    } else if (reason === "answeredElsewhere" && call.device === this.#deps.device()) this.#deps.tell({ call, reason: "answeredTab" });
    else if (reason === "answeredElsewhere" || reason === "declinedElsewhere" || reason === "missed" || reason === "removed") this.#deps.tell({ call, reason });
    if (call.own === "ringing") this.#ignored.add(call.id); // so this device says: the server is out of reach
    this.#look();
  }

  /** Compares with what the server says. */
  #look(): void {
    const { calls, device } = this.#deps;
    const { going } = this.#state;
    const now = calls.now;
    for (const call of now) {
      if (call.own === "busy" && !this.#seen.has(call.id)) this.#deps.tell({ call, reason: "engaged" });
      this.#seen.add(call.id);
    }
    if (this.#takenOut) this.#tellMoved();
    const rings = now.filter((call) => call.own === "ringing" && !this.#ignored.has(call.id)).reverse();
    this.#believe(rings);
    const own = going?.call ? now.find(({ id }) => id === going.call) : undefined;
    if (going?.phase === "ringing" && own && (own.state === "active" || own.answered)) this.#set({ going: { ...going, phase: "in" } });
    if (rings.length !== this.#state.rings.length || rings.some((call, i) => call !== this.#state.rings[i])) this.#set({ rings });
    this.#ring(rings.length > 0);
    const lost = going || this.#state.busy ? undefined : now.find((call) => call.own === "joined" && call.device === device() && !this.#ignored.has(call.id));
    this.#offer(lost);
  }

  /** No ring is for ever. */
  #believe(rings: readonly OwnCall[]): void {
    for (const [id, stop] of this.#ringEnds) {
      if (rings.some((call) => call.id === id)) continue;
      stop();
      this.#ringEnds.delete(id);
    }
    for (const { id } of rings) {
      if (this.#ringEnds.has(id)) continue;
      this.#ringEnds.set(
        id,
        this.#later(() => {
          this.#ignored.add(id);
          this.#look();
        }, ringMs),
      );
    }
  }

  #ring(on: boolean): void {
    if (on && !this.#stopRinging) {
      this.#stopRinging = this.#deps.aloud(() => {
        if (this.#stopRinging) this.#set({ aloud: true });
      });
    } else if (!on && this.#stopRinging) {
      this.#stopRinging();
      this.#stopRinging = undefined;
      this.#set({ aloud: false });
    }
  }

  /** Offers to come back into a call, once it is known that no other tab is in it. */
  #offer(lost: OwnCall | undefined): void {
    if (this.#looking?.id !== lost?.id) {
      this.#looking?.stop();
      this.#looking = lost && { id: lost.id, stop: this.#deps.keep(lost.id, { free: () => this.#set({ back: lost }), taken: () => this.#set({ back: undefined }) }) };
    }
    const { back } = this.#state;
    if (back && back.id !== lost?.id) this.#set({ back: undefined });
    else if (back && lost && back !== lost) this.#set({ back: lost });
  }
}
