// The call that this tab is in: the room of the media server, and what is
// published there. The code that speaks to it is loaded with the first call.
import type { Joined } from "@skein/client/calls";
import { connect } from "@skein/client/calls/livekit";
import type * as livekit from "livekit-client";
import type { AppClient } from "../live/client.ts";

/** What a call begins with. */
export interface SessionOptions {
  readonly camera: boolean;
  readonly microphone: boolean;
  readonly cameraId?: string | undefined;
  readonly microphoneId?: string | undefined;
  readonly speakerId?: string | undefined;
  readonly e2eeKey?: string | undefined;
}

/** How it stands with the media server. */
export type SessionState = "connecting" | "connected" | "reconnecting" | "ended";

/** One call, from being let in to the end. */
export class CallSession {
  readonly call: Joined["call"];
  readonly #listeners = new Set<() => void>();
  #room: livekit.Room | undefined;
  #state: SessionState = "connecting";
  #error: unknown;
  #hangUp: (() => Promise<void>) | undefined;
  readonly #leave: () => Promise<unknown>;

  constructor(client: AppClient, joined: Joined, options: SessionOptions) {
    this.call = joined.call;
    this.#leave = () => client.calls.leave(joined.call.id);
    this.#begin(client, joined, options).catch((error: unknown) => {
      this.#error = error;
      this.#become("ended");
    });
  }

  async #begin(client: AppClient, joined: Joined, { camera, microphone, cameraId, microphoneId, speakerId }: SessionOptions): Promise<void> {
    const lib = await import("livekit-client");
    const { room, hangUp } = await connect(lib, client.calls, joined, { adaptiveStream: true, dynacast: true });
    this.#room = room;
    this.#hangUp = hangUp;
    room.on(lib.RoomEvent.Disconnected, () => this.#become("ended"));
    room.on(lib.RoomEvent.Reconnecting, () => this.#become("reconnecting"));
    room.on(lib.RoomEvent.Reconnected, () => this.#become("connected"));
    if (this.#state === "ended") return hangUp();
    this.#become("connected");
    if (speakerId) await room.switchActiveDevice("audiooutput", speakerId).catch(() => undefined);
    if (microphone) await room.localParticipant.setMicrophoneEnabled(true, microphoneId ? { deviceId: microphoneId } : undefined);
    if (camera) await room.localParticipant.setCameraEnabled(true, cameraId ? { deviceId: cameraId } : undefined);
  }

  /** undefined until it is connected for the first time. */
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

  /** Leaves the call. Repeating it does nothing. */
  async hangUp(): Promise<void> {
    if (this.#state === "ended") return;
    this.#become("ended");
    await (this.#hangUp ?? this.#leave)();
  }

  /** Hears of every change until the returned function is called. */
  onChange(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  #become(state: SessionState): void {
    if (this.#state === "ended") return;
    this.#state = state;
    for (const each of this.#listeners) each();
  }
}
