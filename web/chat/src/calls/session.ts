// The call that this tab is in: the room of the media server, what is
// published there, and what is to be said of it. It lives on when nothing of
// it is shown, so it plays what the others say by itself. The code that speaks
// to the media server is loaded with the first call.
import { SkeinError } from "@skein/client";
import type { Call, Calls, EndReason, Joined } from "@skein/client/calls";
import type * as livekit from "livekit-client";
import { SpeechWhileMuted } from "./media/muted.ts";
import { Encryption } from "./media/words.ts";

/** What a call begins with. */
export interface SessionOptions {
  readonly camera: boolean;
  readonly microphone: boolean;
  readonly cameraId?: string | undefined;
  readonly microphoneId?: string | undefined;
  readonly speakerId?: string | undefined;
  /** The words that encrypt it end to end; everybody must use the same. */
  readonly e2eeKey?: string | undefined;
}

/** How it stands with the media server. */
export type SessionState = "connecting" | "connected" | "reconnecting" | "ended";

/** What can be switched on and off. */
export type Source = "microphone" | "camera" | "screen";

/** Why something could not be switched on: not allowed, there is none, another program has it, or anything else. */
export type Trouble = "denied" | "missing" | "busy" | "failed";

/** What happened a moment ago and is said until it is pressed away or too old. */
export type News = "reconnected" | "mutedByHost" | "cameraOffByHost" | "madeViewer" | "madeSpeaker" | "otherCamera" | "otherMicrophone" | "cameraGone" | "microphoneGone";

/** Why it is over: what the call's end says, or `lost`: the media server could not be reached any more. */
export type Over = EndReason | "lost";

interface Client {
  readonly userId: string;
  readonly calls: Calls;
}

type Library = typeof livekit;
type OwnTrack = livekit.LocalAudioTrack | livekit.LocalVideoTrack;

/** How devices are opened, before the room is connected and from then on. */
interface Capture {
  readonly audio: livekit.AudioCaptureOptions;
  readonly video: livekit.VideoCaptureOptions;
}

/** livekit-client's DisconnectReason, which is a value of a module that is loaded late. */
const reasons = { duplicate: 2, removed: 4, deleted: 5 } as const;

/** What can be said of a source. */
const about: Readonly<Record<"microphone" | "camera", readonly News[]>> = {
  microphone: ["mutedByHost", "otherMicrophone", "microphoneGone"],
  camera: ["cameraOffByHost", "otherCamera", "cameraGone"],
};

/** livekit-client's Track.Source as the session names it; undefined for screens. */
const sourceOf = (source: string): "microphone" | "camera" | undefined => (source === "microphone" || source === "camera" ? source : undefined);

/** One call, from being let in to the end. */
export class CallSession {
  readonly #client: Client;
  readonly #listeners = new Set<() => void>();
  readonly #off: (() => void)[] = [];
  readonly #sounds = new Map<livekit.RemoteTrack, HTMLMediaElement>();
  readonly #trouble = new Map<Source, Trouble>();
  readonly #busy = new Set<Source>();
  readonly #news = new Set<News>();
  /** Whose device has gone a moment ago. */
  readonly #unplugged = new Set<Source>();
  readonly #speech = new SpeechWhileMuted(() => this.#changed());
  /** What the user wants, which differs from what is while that is on its way, and when the host switched it off. */
  readonly #wants: { microphone: boolean; camera: boolean };
  #options: SessionOptions;
  #call: Call;
  #room: livekit.Room | undefined;
  /** Oneself in the room, once what was opened before is published: until then what is wanted is what is shown. */
  #published: livekit.LocalParticipant | undefined;
  #state: SessionState = "connecting";
  #error: unknown;
  #over: Over | undefined;
  #speaker: string | undefined;
  #facing: "user" | "environment" = "user";
  #encryption: Encryption | undefined;
  #hangUp: (() => Promise<void>) | undefined;
  #early: Promise<OwnTrack | undefined>[] = [];
  #questions = 0;
  #version = 0;
  #queued = false;

  constructor(client: Client, joined: Joined, options: SessionOptions) {
    this.#client = client;
    this.#options = options;
    this.#call = joined.call;
    this.#wants = { microphone: options.microphone, camera: options.camera };
    this.#off.push(
      client.calls.on("ended", ({ call, reason }) => {
        if (call.id === this.#call.id) this.#finish(reason);
      }),
      client.calls.on("changed", ({ conversation }) => {
        if (conversation === this.#call.conversation) this.#refresh();
      }),
    );
    this.#join(joined).catch((error: unknown) => this.#fail(error));
  }

  /** The call, as the server last told it. */
  get call(): Call {
    return this.#call;
  }

  /** undefined until it is connected for the first time; another one after `setWords`. */
  get room(): livekit.Room | undefined {
    return this.#room;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Why it ended, when it failed. */
  get error(): unknown {
    return this.#error;
  }

  /** Why it ended, when that is known. */
  get over(): Over | undefined {
    return this.#over;
  }

  /** Grows with every change, for what draws. */
  get version(): number {
    return this.#version;
  }

  get userId(): string {
    return this.#client.userId;
  }

  /** Whether this user started the call, and so may mute, remove and give roles. */
  get host(): boolean {
    return this.#call.starter === this.#client.userId;
  }

  /** Whether this user only hears and sees. */
  get viewer(): boolean {
    const permissions = this.#room?.localParticipant.permissions;
    if (permissions) return !permissions.canPublish;
    return this.#call.parties.some(({ user, role }) => user === this.#client.userId && role === "viewer");
  }

  get microphone(): boolean {
    return this.#published ? this.#published.isMicrophoneEnabled : this.#wants.microphone;
  }

  get camera(): boolean {
    return this.#published ? this.#published.isCameraEnabled : this.#wants.camera;
  }

  get screen(): boolean {
    return this.#room?.localParticipant.isScreenShareEnabled ?? false;
  }

  /** The identity of the other who speaks, or spoke last. */
  get speaker(): string | undefined {
    return this.#speaker;
  }

  /** The microphone is off, and what it would send sounds like speech. */
  get speaksMuted(): boolean {
    return this.#speech.speaking;
  }

  /** The browser plays no sound before something is pressed. */
  get silenced(): boolean {
    return this.#state === "connected" && this.#room?.canPlaybackAudio === false;
  }

  /** Why a source is off that should be on. */
  trouble(source: Source): Trouble | undefined {
    return this.#trouble.get(source);
  }

  /** Whether a source is being switched. */
  switching(source: Source): boolean {
    return this.#busy.has(source);
  }

  get news(): readonly News[] {
    return [...this.#news];
  }

  dismiss(what: News): void {
    if (this.#news.delete(what)) this.#changed();
  }

  /** Says that somebody has read why a source is off. */
  dismissTrouble(source: Source): void {
    if (this.#trouble.delete(source)) this.#changed();
  }

  /** The words that encrypt the call, undefined when it is not encrypted end to end. */
  get words(): string | undefined {
    return this.#encryption?.words;
  }

  /** Those whom one cannot see and hear because they use other words, or none. */
  get unreadable(): ReadonlySet<string> {
    return this.#encryption?.unreadable ?? nobody;
  }

  /** Hears of every change until the returned function is called. Many changes at once are told once. */
  onChange(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  /** Leaves the call. Repeating it does nothing. */
  async hangUp(): Promise<void> {
    if (this.#state === "ended") return;
    const leave = this.#hangUp ?? (() => this.#client.calls.leave(this.#call.id));
    this.#finish("left");
    await leave();
  }

  /** Switches the microphone. What goes wrong is `trouble`. */
  async setMicrophone(on: boolean): Promise<void> {
    await this.#switch("microphone", on, (me) => me.setMicrophoneEnabled(on));
  }

  async setCamera(on: boolean): Promise<void> {
    await this.#switch("camera", on, (me) => me.setCameraEnabled(on));
  }

  /** Shows the screen, a window or a tab, with the tab's sound, or stops it. */
  async setScreen(on: boolean): Promise<void> {
    await this.#switch("screen", on, (me) => me.setScreenShareEnabled(on, { audio: true, selfBrowserSurface: "exclude", surfaceSwitching: "include" }));
  }

  /** Takes another device, now and for the rest of the call. */
  async setDevice(kind: MediaDeviceKind, id: string): Promise<void> {
    const key = kind === "audioinput" ? "microphoneId" : kind === "videoinput" ? "cameraId" : "speakerId";
    this.#options = { ...this.#options, [key]: id };
    await this.#room?.switchActiveDevice(kind, id);
    this.#watchSpeech();
    this.#changed();
  }

  /** The camera at the other side of a phone. */
  async flipCamera(): Promise<void> {
    const track = this.#room?.localParticipant.getTrackPublication(this.#source("camera"))?.videoTrack as livekit.LocalVideoTrack | undefined;
    if (!track || this.#busy.has("camera")) return;
    this.#facing = this.#facing === "user" ? "environment" : "user";
    this.#busy.add("camera");
    this.#changed();
    try {
      await track.restartTrack({ facingMode: this.#facing });
    } catch (error) {
      this.#trouble.set("camera", troubleOf(error));
    } finally {
      this.#busy.delete("camera");
      this.#changed();
    }
  }

  /** Whether the own picture is to be seen as in a mirror: not from the camera at the back. */
  get mirrored(): boolean {
    return this.#facing === "user";
  }

  /** Lets the browser play sound; to be called while something is pressed. */
  async startSound(): Promise<void> {
    await this.#room?.startAudio();
    this.#changed();
  }

  /** Encrypts the call end to end by these words, or no longer: comes into it anew, which takes a moment. */
  async setWords(words: string | undefined): Promise<void> {
    if (this.#state === "ended" || (words || undefined) === this.words) return;
    const before = this.#room;
    this.#options = { ...this.#options, e2eeKey: words };
    this.#wants.microphone = this.microphone;
    this.#wants.camera = this.camera;
    this.#become("connecting");
    try {
      const joined = await this.#client.calls.accept(this.#call.id);
      // The media server ends the connection before when it sees the next one: it is not left, for that would leave the call.
      this.#quiet();
      for (const track of localTracks(before)) track.stop();
      this.#encryption?.end();
      this.#encryption = undefined;
      this.#room = this.#published = undefined;
      this.#hangUp = undefined;
      await this.#join(joined);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #join(joined: Joined): Promise<void> {
    const [library, { connect }] = await Promise.all([import("livekit-client"), import("@skein/client/calls/livekit")]);
    library.setLogLevel("error");
    if (this.#gone()) return;
    const { speakerId, e2eeKey } = this.#options;
    const encryption = e2eeKey ? await Encryption.of(library, e2eeKey, () => this.#changed()) : undefined;
    if (this.#gone()) return encryption?.end();
    this.#encryption = encryption;
    const capture = this.#capture(library);
    if (!this.viewer) this.#early = this.#open(library, capture);
    const options: livekit.RoomOptions = {
      adaptiveStream: true,
      dynacast: true,
      // A page that is loaded anew comes back into the call; one that is closed has left it when it does not.
      disconnectOnPageLeave: false,
      publishDefaults: { simulcast: true, red: true, dtx: true },
      audioCaptureDefaults: capture.audio,
      videoCaptureDefaults: capture.video,
      ...(speakerId ? { audioOutput: { deviceId: speakerId } } : {}),
      // A server that is killed is back within seconds: it is asked often, and not forever.
      reconnectPolicy: { nextRetryDelayInMs: ({ elapsedMs, retryCount }) => (elapsedMs > 90_000 ? null : Math.min(300 * retryCount * retryCount, 2000)) },
      ...(encryption ? { encryption: encryption.options } : {}),
    };
    const { room, hangUp } = await connect(library, this.#client.calls, joined, options).finally(() => {
      if (this.#state === "ended") this.#dropEarly();
    });
    if (this.#gone()) return void (await hangUp());
    this.#hangUp = hangUp;
    this.#room = room;
    this.#hear(library, room);
    encryption?.watch(room);
    // Before anything of one's own goes out.
    if (encryption) await room.setE2EEEnabled(true);
    for (const participant of room.remoteParticipants.values()) {
      for (const { track } of participant.trackPublications.values()) if (track) this.#play(track as livekit.RemoteTrack);
    }
    this.#become("connected");
    this.#refresh();
    await this.#publish(room);
  }

  /** How the chosen devices are opened. */
  #capture(library: Library): Capture {
    const { cameraId, microphoneId } = this.#options;
    return {
      audio: { autoGainControl: true, echoCancellation: true, noiseSuppression: true, ...(microphoneId ? { deviceId: microphoneId } : {}) },
      video: { resolution: library.VideoPresets.h720.resolution, ...(cameraId ? { deviceId: cameraId } : {}) },
    };
  }

  /** Opens the devices while the room is being connected. */
  #open(library: Library, capture: Capture): Promise<OwnTrack | undefined>[] {
    const opened: Promise<OwnTrack | undefined>[] = [];
    const open = (source: "microphone" | "camera", track: Promise<OwnTrack>) =>
      opened.push(
        track.catch((error: unknown) => {
          this.#wants[source] = false;
          this.#trouble.set(source, troubleOf(error));
          this.#changed();
          return undefined;
        }),
      );
    if (this.#wants.microphone) open("microphone", library.createLocalAudioTrack(capture.audio));
    if (this.#wants.camera) open("camera", library.createLocalVideoTrack(capture.video));
    return opened;
  }

  #dropEarly(): void {
    for (const early of this.#early) void early.then((track) => track?.stop());
    this.#early = [];
  }

  async #publish(room: livekit.Room): Promise<void> {
    const early = this.#early;
    this.#early = [];
    const me = room.localParticipant;
    await Promise.all(
      early.map(async (opening) => {
        const track = await opening;
        if (!track) return;
        const source = track.kind === "audio" ? "microphone" : "camera";
        // Switched off, or made a viewer, while the call was being connected.
        if (this.#gone() || this.#room !== room || this.viewer || !this.#wants[source]) return track.stop();
        try {
          await me.publishTrack(track as livekit.LocalTrack);
        } catch (error) {
          track.stop();
          this.#wants[source] = false;
          this.#trouble.set(source, troubleOf(error));
        }
      }),
    );
    if (this.#gone() || this.#room !== room) return;
    this.#published = me;
    const { microphone, camera } = this.#wants;
    if (microphone !== me.isMicrophoneEnabled) await this.setMicrophone(microphone);
    if (camera !== me.isCameraEnabled) await this.setCamera(camera);
    this.#watchSpeech();
    this.#changed();
  }

  #hear(library: Library, room: livekit.Room): void {
    const { RoomEvent } = library;
    const changed = () => this.#changed();
    const party = () => {
      this.#refresh();
      this.#changed();
    };
    const reconnecting = () => {
      if (room === this.#room) this.#become("reconnecting");
    };
    room
      .on(RoomEvent.Disconnected, (reason) => this.#disconnected(room, reason))
      .on(RoomEvent.Reconnecting, reconnecting)
      .on(RoomEvent.SignalReconnecting, reconnecting)
      .on(RoomEvent.Reconnected, () => {
        if (room !== this.#room) return;
        this.#tell("reconnected");
        this.#become("connected");
      })
      .on(RoomEvent.ParticipantConnected, party)
      .on(RoomEvent.ParticipantDisconnected, party)
      .on(RoomEvent.TrackSubscribed, (track) => this.#play(track))
      .on(RoomEvent.TrackUnsubscribed, (track) => this.#unplay(track))
      .on(RoomEvent.ActiveSpeakersChanged, (speakers) => {
        const others = speakers.filter(({ isLocal }) => !isLocal);
        // Who speaks stays large until they are silent and another one speaks.
        if (!others.some(({ identity }) => identity === this.#speaker)) this.#speaker = others[0]?.identity ?? this.#speaker;
        this.#changed();
      })
      .on(RoomEvent.TrackMuted, (publication, participant) => {
        if (participant.isLocal) this.#wentOff(publication);
        this.#changed();
      })
      .on(RoomEvent.ParticipantPermissionsChanged, (before, participant) => {
        if (participant.isLocal && before && before.canPublish !== participant.permissions?.canPublish) this.#roleChanged();
        this.#changed();
      })
      .on(RoomEvent.LocalTrackPublished, ({ track }) => {
        if (track) this.#followDevice(library, track);
        this.#changed();
      });
    const plain = [
      RoomEvent.TrackUnmuted,
      RoomEvent.TrackPublished,
      RoomEvent.TrackUnpublished,
      RoomEvent.LocalTrackUnpublished,
      RoomEvent.ConnectionQualityChanged,
      RoomEvent.TrackStreamStateChanged,
      RoomEvent.AudioPlaybackStatusChanged,
      RoomEvent.ActiveDeviceChanged,
      RoomEvent.MediaDevicesChanged,
      RoomEvent.ParticipantEncryptionStatusChanged,
    ] as const;
    for (const event of plain) room.on(event, changed);
  }

  /** A device that goes away while it is used: livekit-client takes another one, or switches the source off. */
  #followDevice(library: Library, track: livekit.LocalTrack): void {
    const source = sourceOf(track.source);
    if (!source) return;
    track.on(library.TrackEvent.Ended, () => this.#unplugged.add(source));
    track.on(library.TrackEvent.Restarted, () => {
      if (this.#unplugged.delete(source)) this.#tell(source === "camera" ? "otherCamera" : "otherMicrophone");
    });
  }

  /** A source went off that should be on: its device is gone, or the host has switched it off. */
  #wentOff({ source }: livekit.TrackPublication): void {
    const what = sourceOf(source);
    if (!what || !this.#wants[what]) return;
    this.#wants[what] = false;
    this.#forget(what);
    if (this.#unplugged.delete(what)) this.#tell(what === "camera" ? "cameraGone" : "microphoneGone");
    else this.#tell(what === "camera" ? "cameraOffByHost" : "mutedByHost");
    this.#watchSpeech();
  }

  /** What was said of a source, when it is switched. */
  #forget(source: "microphone" | "camera"): void {
    for (const what of about[source]) this.#news.delete(what);
  }

  #roleChanged(): void {
    const viewer = this.viewer;
    this.#news.delete(viewer ? "madeSpeaker" : "madeViewer");
    this.#tell(viewer ? "madeViewer" : "madeSpeaker");
    if (viewer) {
      this.#wants.microphone = this.#wants.camera = false;
      const me = this.#room?.localParticipant;
      // The devices' lights go out too.
      for (const track of localTracks(this.#room)) {
        void me?.unpublishTrack(track).catch(() => undefined);
        track.stop();
      }
    }
    this.#watchSpeech();
    this.#refresh();
  }

  async #switch(source: Source, on: boolean, act: (me: livekit.LocalParticipant) => Promise<unknown>): Promise<void> {
    if (this.#busy.has(source) || this.#gone() || (on && this.viewer)) return;
    if (source !== "screen") {
      this.#wants[source] = on;
      this.#unplugged.delete(source);
      this.#forget(source);
    }
    const me = this.#published;
    if (!me) return this.#changed();
    this.#busy.add(source);
    this.#trouble.delete(source);
    this.#changed();
    try {
      await act(me);
    } catch (error) {
      if (source !== "screen") this.#wants[source] = false;
      // Who closes the browser's question about the screen has said enough.
      const trouble = troubleOf(error);
      if (!(source === "screen" && trouble === "denied")) this.#trouble.set(source, trouble);
    } finally {
      this.#busy.delete(source);
      this.#watchSpeech();
      this.#changed();
    }
  }

  #source(source: "microphone" | "camera"): livekit.Track.Source {
    return source as livekit.Track.Source;
  }

  /** Listens to the muted microphone, so that who speaks into it can be told. Nothing of it leaves the page. */
  #watchSpeech(): void {
    const publication = this.#room?.localParticipant.getTrackPublication(this.#source("microphone"));
    const track = publication?.track?.mediaStreamTrack;
    this.#speech.watch(publication?.isMuted && !this.#gone() && track?.readyState === "live" ? track : undefined);
  }

  #play(track: livekit.RemoteTrack): void {
    if (track.kind === "audio" && !this.#sounds.has(track)) this.#sounds.set(track, track.attach());
    this.#changed();
  }

  #unplay(track: livekit.RemoteTrack): void {
    for (const element of track.detach()) if (element instanceof HTMLAudioElement) element.srcObject = null;
    this.#sounds.delete(track);
    this.#changed();
  }

  /** Plays nothing any more. */
  #quiet(): void {
    for (const element of this.#sounds.values()) {
      element.pause();
      element.srcObject = null;
    }
    this.#sounds.clear();
    this.#speech.watch(undefined);
  }

  #disconnected(room: livekit.Room, reason: livekit.DisconnectReason | undefined): void {
    if (room !== this.#room) return;
    if (reason === reasons.duplicate) this.#finish("answeredElsewhere");
    else if (reason === reasons.removed || reason === reasons.deleted) this.#finish(reason === reasons.removed ? "removed" : "completed");
    else this.#fail(new SkeinError("unavailable", "the connection of the call is lost"));
  }

  /** Asks who is in it; the answer to the last question holds. */
  #refresh(): void {
    if (this.#gone()) return;
    const question = (this.#questions += 1);
    this.#client.calls.get(this.#call.id).then(
      (call) => {
        if (question !== this.#questions) return;
        this.#call = call;
        this.#changed();
      },
      () => undefined,
    );
  }

  #tell(what: News): void {
    this.#news.delete(what);
    this.#news.add(what);
    this.#changed();
  }

  #fail(error: unknown): void {
    if (this.#gone()) return;
    this.#error = error;
    // What came before the connection has left nothing by itself.
    if (!this.#hangUp) this.#client.calls.leave(this.#call.id).catch(() => undefined);
    this.#finish("lost");
  }

  /** Read anew after every wait. */
  #gone(): boolean {
    return this.#state === "ended";
  }

  /** Ends all that runs, at once: what leaving takes longer, nobody hears or sees. */
  #finish(over: Over): void {
    if (this.#gone()) return;
    this.#over = over;
    for (const off of this.#off.splice(0)) off();
    this.#dropEarly();
    for (const track of localTracks(this.#room)) track.stop();
    this.#quiet();
    this.#speech.end();
    this.#encryption?.end();
    this.#news.clear();
    this.#become("ended");
  }

  #become(state: SessionState): void {
    if (this.#gone() || this.#state === state) return;
    this.#state = state;
    this.#version += 1;
    for (const each of [...this.#listeners]) each();
  }

  #changed(): void {
    if (this.#queued || this.#gone()) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      if (this.#gone()) return;
      this.#version += 1;
      for (const each of [...this.#listeners]) each();
    });
  }
}

const nobody: ReadonlySet<string> = new Set();

function localTracks(room: livekit.Room | undefined): livekit.LocalTrack[] {
  return [...(room?.localParticipant.trackPublications.values() ?? [])].flatMap(({ track }) => (track ? [track as livekit.LocalTrack] : []));
}

/** What an error of a device means. */
export function troubleOf(error: unknown): Trouble {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError" || name === "PermissionDeniedError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError" || name === "DevicesNotFoundError") return "missing";
  if (name === "NotReadableError" || name === "TrackStartError" || name === "AbortError") return "busy";
  return "failed";
}
