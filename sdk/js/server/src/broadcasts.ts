import { type Ask, type CallOptions, type Calls, given, lookMs } from "./calls.js";
import type { Broadcast } from "./wire.js";

/** One message to many users. */
export interface Broadcasts {
  /**
   * Has a message of one user written to many others, about 100 a second. It goes on by itself, whatever restarts,
   * and reaches nobody twice. Its `id` is the `clientId` of the request, or one made for it.
   */
  startBroadcast(request: Ask<"BroadcastService/StartBroadcast", "sender" | "body">, options?: CallOptions): Promise<Broadcast>;
  /** Tells how far one is. One that is over is known for 30 days, then it is `not_found`. */
  broadcast(id: Uint8Array, options?: CallOptions): Promise<Broadcast>;
  /** Waits until a broadcast is over. */
  waitBroadcast(id: Uint8Array, options?: CallOptions): Promise<Broadcast>;
  /** Ends one; up to 50 further messages may be on their way. One that is over stays as it is. */
  cancelBroadcast(id: Uint8Array, options?: CallOptions): Promise<Broadcast>;
}

export const broadcasts = ({ ask, wait }: Calls): Broadcasts => ({
  startBroadcast: async (request, options) => given((await ask("BroadcastService/StartBroadcast", request, options)).broadcast),
  broadcast: async (id, options) => given((await ask("BroadcastService/GetBroadcast", { id }, options)).broadcast),
  async waitBroadcast(id, options) {
    for (;;) {
      const broadcast = given((await ask("BroadcastService/GetBroadcast", { id }, options)).broadcast);
      if (broadcast.state !== "running") return broadcast;
      await wait(lookMs, options);
    }
  },
  cancelBroadcast: async (id, options) => given((await ask("BroadcastService/CancelBroadcast", { id }, options)).broadcast),
});
