/**
 * Connects a LiveKit client to a call. The app brings `livekit-client`; this package does not depend on it.
 *
 * @packageDocumentation
 */
import { SkeinError } from "../../../error.js";
import type { Calls, Joined } from "../types.js";

/** What is used of livekit-client's Room. */
export interface LiveKitRoom {
  connect(url: string, token: string): Promise<unknown>;
  disconnect(): Promise<unknown>;
  on(event: "disconnected", listener: (reason?: number) => void): unknown;
}

/** What is used of the module `livekit-client`. */
export interface LiveKit<Room extends LiveKitRoom, Options> {
  readonly Room: new (options?: Options) => Room;
}

/** A call that this device is connected to. */
export interface Connected<Room> {
  /** livekit-client's own: publish, show and mute with it. */
  readonly room: Room;
  /** Leaves the call and the room. Repeating it does nothing. */
  hangUp(): Promise<void>;
}

/** LiveKit's DisconnectReasons DUPLICATE_IDENTITY and PARTICIPANT_REMOVED: the server knows, and the user may be in the call with another device. */
const replaced = [2, 4];

/**
 * Makes a Room for a call that `calls.start` or `calls.accept` has returned and connects it. From then on the two go
 * together: when the call is over, or the user is taken out of it, the room is left; when the room is lost for good, so
 * is the call. What fails to connect leaves the call and rejects. A second connection of the same device (another tab, or
 * one with other options) takes the place of the first, whose room is left without the call; so is the room of a device that another one of the
 * user's has taken the call over from.
 *
 * ```ts
 * import * as livekit from "livekit-client";
 * const { room, hangUp } = await connect(livekit, client.calls, await client.calls.accept(ring.id), { adaptiveStream: true, dynacast: true });
 * await room.localParticipant.setMicrophoneEnabled(true);
 * ```
 *
 * `prepare` is given the room before it connects, to listen to it, and to publish: what is published then waits only for
 * the server's word and not for the whole connection, so that the others see and hear this user a good deal sooner.
 */
export async function connect<Room extends LiveKitRoom, Options>(livekit: LiveKit<Room, Options>, calls: Pick<Calls, "leave" | "on">, { call, access }: Joined, options?: Options, prepare?: (room: Room) => void): Promise<Connected<Room>> {
  if (!access) throw new SkeinError("failed_precondition", "the call is over");
  const room = new livekit.Room(options);
  let over = false;
  const stop = async (left: boolean): Promise<void> => {
    if (over) return;
    over = true;
    off();
    await Promise.all([room.disconnect(), left ? undefined : calls.leave(call.id)]);
  };
  const off = calls.on("ended", (event) => {
    if (event.call.id === call.id) stop(true).catch(() => undefined);
  });
  try {
    prepare?.(room);
    await room.connect(access.url, access.token);
  } catch (error) {
    await stop(false).catch(() => undefined);
    throw error;
  }
  room.on("disconnected", (reason) => void stop(replaced.includes(reason ?? 0)).catch(() => undefined));
  return { room, hangUp: () => stop(false) };
}
