import type { Ask, CallOptions, Calls } from "./calls.js";

/** Livestreams. */
export interface Rooms {
  /** Tells how many sessions watch a livestream, on all nodes. */
  viewers(conversation: string, options?: CallOptions): Promise<number>;
  /** Keeps a viewer of a livestream from writing for some seconds; 0 ends it. */
  muteViewer(request: Ask<"RoomService/MuteViewer", "conversation" | "user" | "seconds">, options?: CallOptions): Promise<void>;
  /** Ends a viewer's watching and keeps them out for some seconds; 0 lets them in again. */
  removeViewer(request: Ask<"RoomService/RemoveViewer", "conversation" | "user" | "seconds">, options?: CallOptions): Promise<void>;
}

export const rooms = ({ ask }: Calls): Rooms => ({
  viewers: async (conversation, options) => (await ask("RoomService/GetRoom", { conversation }, options)).viewers,
  async muteViewer(request, options) {
    await ask("RoomService/MuteViewer", request, options);
  },
  async removeViewer(request, options) {
    await ask("RoomService/RemoveViewer", request, options);
  },
});
