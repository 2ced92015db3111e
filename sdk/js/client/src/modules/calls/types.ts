import type { CallOptions, Conversation, Message, Unsubscribe } from "../../module.js";

/** `ringing`: nobody has answered yet. */
export type CallState = "ringing" | "active" | "ended";

/** Why a call is over. */
export type CallEnd = "completed" | "cancelled" | "declined" | "noAnswer" | "busy" | "failed";

/** How a user stands to a call. */
export type PartyState = "ringing" | "joined" | "declined" | "missed" | "busy" | "left" | "removed";

/** `publisher`: speaks, shows themself. `viewer`: hears and sees. */
export type CallRole = "publisher" | "viewer";

/** That a call is being recorded: by whom (empty when they were erased), and since when (milliseconds since 1970 UTC). */
export interface RecordingMark {
  readonly user: string;
  readonly since: number;
}

/** What a call is, whoever looks. */
interface CallFacts {
  /** 32 hex digits. */
  readonly id: string;
  readonly conversation: string;
  /** Who started it; empty when they were erased. */
  readonly starter: string;
  /** It was started with cameras. */
  readonly video: boolean;
  readonly state: CallState;
  /** Of an ended one. */
  readonly end: CallEnd | undefined;
  /** Milliseconds since 1970 UTC, by the server's clock. */
  readonly started: number;
  /** When somebody answered first: from then on it is counted. */
  readonly answered: number | undefined;
  /** undefined: it is not recorded now. */
  readonly recording: RecordingMark | undefined;
}

/** A call as this user has it: it rings, they are in it, or it was over a moment ago. Known without asking. */
export interface OwnCall extends CallFacts {
  readonly own: PartyState;
  readonly role: CallRole;
  /** With which of the user's devices it was joined or declined. */
  readonly device: string;
  /** Who invited the user; empty when they started it or came by themself. */
  readonly invitedBy: string;
  /** Until when it rings. */
  readonly ringsUntil: number;
}

/** The call of a group that its members can join. */
export interface GroupCall {
  readonly id: string;
  readonly starter: string;
  readonly video: boolean;
  readonly started: number;
  /** How many are in it, and the first 20 of them. */
  readonly joined: number;
  readonly users: readonly string[];
  /** undefined: it is not recorded now. */
  readonly recording: RecordingMark | undefined;
}

export interface CallParty {
  readonly user: string;
  readonly state: PartyState;
  readonly role: CallRole;
  readonly invitedBy: string;
  /** Of oneself: with which device. */
  readonly device: string;
}

/** A call with who has to do with it. */
export interface Call extends CallFacts {
  readonly ended: number | undefined;
  /** Of who joins without being invited. */
  readonly role: CallRole;
  /** The starter first; in lists the first 20 and oneself. */
  readonly parties: readonly CallParty[];
  readonly count: number;
  readonly joined: number;
}

/** What a LiveKit client connects with. */
export interface CallAccess {
  /** `wss://…` or `ws://…`: the server itself, or the media server that it names. */
  readonly url: string;
  /** For this device alone, good for a minute: connect at once, and `accept` again for another one. */
  readonly token: string;
  /** Who the device is there; see `participantOf`. */
  readonly identity: string;
}

/** A call that this device was let into. */
export interface Joined {
  readonly call: Call;
  /** undefined when it was over at once: the only other user is in another call. */
  readonly access: CallAccess | undefined;
}

export interface NewCall {
  readonly video?: boolean | undefined;
  /** In a group: whom to ring; default everybody. */
  readonly users?: readonly string[] | undefined;
  /** In a group: rings nobody; members see that there is a call. */
  readonly quiet?: boolean | undefined;
  /** What everybody but the starter may do; default `publisher`. */
  readonly role?: CallRole | undefined;
}

/**
 * Why a call is over for this user: `answeredElsewhere` and `declinedElsewhere` on another device of theirs; `missed`: it
 * rang in vain, or was cancelled; `left` and `removed`: it goes on without them. The others as in `CallEnd`.
 */
export type EndReason = CallEnd | "answeredElsewhere" | "declinedElsewhere" | "missed" | "left" | "removed";

export interface CallsEvents {
  /** A device of this user is to ring, until `ended` comes for the same call or `accepted` does. */
  readonly incoming: OwnCall;
  /** Somebody has answered a call that the user is in: from now on it is counted. */
  readonly accepted: OwnCall;
  /** It no longer rings, or the user is in it no more. */
  readonly ended: { readonly call: OwnCall; readonly reason: EndReason };
  /** Anything else is different: `calls.now`, or the call of a group. */
  readonly changed: { readonly conversation: string };
}

export interface ListedCalls {
  readonly calls: readonly Call[];
  /** Of the next page; empty on the last one. */
  readonly next: string;
}

/** `gathering`: over, its files are on their way. `empty`: nothing was there to be recorded. */
export type RecordingState = "on" | "gathering" | "done" | "empty";

export type RecordedSource = "microphone" | "camera" | "screen" | "screenAudio" | "unknown";

/** One file of a recording. Played together, each begins at its `started`. */
export interface RecordedTrack {
  readonly user: string;
  readonly source: RecordedSource;
  /** Of its first sound or picture: milliseconds since 1970 UTC, with fractions. */
  readonly started: number;
  /** In milliseconds. */
  readonly duration: number;
  /** The file's id, and the message of the conversation by which it is read. */
  readonly file: string;
  readonly seq: number;
  readonly name: string;
  readonly mime: string;
  /** In bytes. */
  readonly size: number;
  /** Of a film, in pixels. */
  readonly width: number;
  readonly height: number;
}

/**
 * `encrypted`: what was encrypted end to end is not in it. `away`: a part of it lies at a server that is away, and comes when that is back.
 * `notStored`: a file could not be stored yet, and `quota`: for a storage quota is used up; both are tried again.
 * `brokenOff`: it ended before it was stopped; what was recorded until then is kept.
 */
export type RecordingProblem = "encrypted" | "away" | "notStored" | "quota" | "brokenOff";

/** What was recorded of a call from when to when. */
export interface Recording {
  readonly id: string;
  readonly call: string;
  readonly conversation: string;
  /** Who started it, and whose the files are; empty when they were erased. */
  readonly recorder: string;
  readonly started: number;
  /** undefined: it goes on. */
  readonly ended: number | undefined;
  readonly state: RecordingState;
  /** What keeps it from going on, or its files from coming, or what is not in it, in words. */
  readonly problem: string;
  /** The same, to say it in the user's language; undefined: nothing, or what has only words. */
  readonly problemCode: RecordingProblem | undefined;
  /** In the order in which they began; those alone that this user may read. */
  readonly tracks: readonly RecordedTrack[];
}

export interface ListedRecordings {
  readonly recordings: readonly Recording[];
  /** Of the next page; empty on the last one. */
  readonly next: string;
}

/** The line that a call leaves in its conversation. */
export interface CallLine {
  /** `recording`: it began to be recorded. `recorded`: a recording is in the conversation. */
  readonly kind: "started" | "ended" | "missed" | "declined" | "recording" | "recorded";
  readonly call: string;
  readonly video: boolean;
  readonly starter: string;
  /** Of `ended` and `recorded`. */
  readonly seconds: number;
  /** Of `recording` and `recorded`: which one, and who has started it. */
  readonly recording: string;
  readonly recorder: string;
  /** Of `missed`. */
  readonly reason: "noAnswer" | "cancelled" | "busy" | undefined;
}

/** What `client.calls` offers. Calls need the network. */
export interface Calls {
  /** The user's calls of now, newest first. The same array until something changes. */
  readonly now: readonly OwnCall[];
  /** The call of a group that its members can join. */
  of(conversation: Conversation | string): GroupCall | undefined;
  on<Name extends keyof CallsEvents>(name: Name, listener: (event: CallsEvents[Name]) => void): Unsubscribe;

  /** Starts a call and rings. `already_exists`: there is one, join it. `failed_precondition`: in a call with another device, or the server has no calls. */
  start(conversation: Conversation | string, call?: NewCall, options?: CallOptions): Promise<Joined>;
  /**
   * Answers, joins a call that goes on, or comes back into one. Exactly one of a user's devices is let in: for the others
   * `failed_precondition`, unless they `move` it to themselves.
   */
  accept(id: string, options?: CallOptions & { readonly move?: boolean | undefined }): Promise<Joined>;
  /** Stops the ring on all of the user's devices. */
  decline(id: string, options?: CallOptions): Promise<Call>;
  /** Leaves. Who started a call that nobody has answered cancels it. */
  leave(id: string, options?: CallOptions): Promise<Call>;
  /** Gives a call up that nobody has answered: `leave` by another name. */
  cancel(id: string, options?: CallOptions): Promise<Call>;
  /** Ends it for everybody; its host may, and either of two. */
  end(id: string, options?: CallOptions): Promise<Call>;
  /** Rings more members of the group. */
  invite(id: string, users: readonly string[], options?: CallOptions & { readonly role?: CallRole | undefined }): Promise<Call>;
  /** As its host: switches somebody's microphone, or camera, off. They may switch it on again. */
  mute(id: string, user: string, what: { readonly audio?: boolean | undefined; readonly video?: boolean | undefined }, options?: CallOptions): Promise<void>;
  /** As its host: takes somebody out, or stops their ring. */
  remove(id: string, user: string, options?: CallOptions): Promise<Call>;
  /** As its host: whether somebody speaks or only hears and sees. */
  setRole(id: string, user: string, role: CallRole, options?: CallOptions): Promise<Call>;
  /** As its host, who is in it: records everybody, and whoever comes, until `stopRecording` or its end. `failed_precondition`: encrypted end to end, or a server that records nothing. */
  record(id: string, options?: CallOptions): Promise<Call>;
  /** As its host, or who has started the recording. The files are in the conversation a while later. */
  stopRecording(id: string, options?: CallOptions): Promise<Call>;
  /** Recordings of a call or of a conversation, newest first. */
  recordings(which: { readonly call?: string | undefined; readonly conversation?: string | undefined; readonly limit?: number | undefined; readonly page?: string | undefined }, options?: CallOptions): Promise<ListedRecordings>;
  get(id: string, options?: CallOptions): Promise<Call>;
  /** The user's calls, newest first, those that are long over as well. */
  list(which?: { readonly missed?: boolean | undefined; readonly conversation?: string | undefined; readonly limit?: number | undefined; readonly page?: string | undefined }, options?: CallOptions): Promise<ListedCalls>;
  /** What a notice in a conversation says of a call; undefined when it is no such line. Needs the module `messages`. */
  line(message: Pick<Message, "content">): CallLine | undefined;
}
