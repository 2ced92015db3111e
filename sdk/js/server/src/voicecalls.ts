import { type Ask, type CallOptions, type Calls, given, pages } from "./calls.js";
import type { Input } from "./json.js";
import type { Call, ListCallsRequest, ListRecordingsRequest, Recording } from "./wire.js";

/** Voice and video calls: listed, ended, looked after. */
export interface VoiceCalls {
  /** Returns calls, newest first: all of the app's, or those of a `user` or a `conversation`, or that go on (`live`). */
  calls(which?: Omit<Input<ListCallsRequest>, "limit" | "page">, options?: CallOptions): AsyncGenerator<Call, void, undefined>;
  /** Returns a call with everybody in it. `not_found` when there is none. */
  call(id: string, options?: CallOptions): Promise<Call>;
  /** Ends a call for everybody. */
  endCall(id: string, options?: CallOptions): Promise<Call>;
  /** Switches somebody's microphone (`audio`) or camera (`video`) off; they may switch it on again. */
  muteInCall(request: Ask<"CallService/MuteInCall", "call" | "user">, options?: CallOptions): Promise<void>;
  /** Takes somebody out of a call, or stops their ring. */
  removeFromCall(request: Ask<"CallService/RemoveFromCall", "call" | "user">, options?: CallOptions): Promise<Call>;
  /** Says whether somebody speaks in a call or only hears and sees. */
  setCallRole(request: Ask<"CallService/SetCallRole", "call" | "user" | "role">, options?: CallOptions): Promise<Call>;
  /** Records everybody in a call, in the name of who has started it. */
  startRecording(id: string, options?: CallOptions): Promise<Call>;
  /** Ends a call's recording. */
  stopRecording(id: string, options?: CallOptions): Promise<Call>;
  /** Returns recordings, newest first: all of the app's, or those of a `call` or a `conversation`. */
  recordings(which?: Omit<Input<ListRecordingsRequest>, "limit" | "page">, options?: CallOptions): AsyncGenerator<Recording, void, undefined>;
}

export const voiceCalls = ({ ask }: Calls): VoiceCalls => ({
  calls: (which, options) =>
    pages(async (page) => {
      const answer = await ask("CallService/ListCalls", { ...which, limit: 100, page }, options);
      return [answer.calls, answer.nextPage];
    }),
  call: async (call, options) => given((await ask("CallService/GetCall", { call }, options)).call),
  endCall: async (call, options) => given((await ask("CallService/EndCall", { call }, options)).call),
  async muteInCall(request, options) {
    await ask("CallService/MuteInCall", request, options);
  },
  removeFromCall: async (request, options) => given((await ask("CallService/RemoveFromCall", request, options)).call),
  setCallRole: async (request, options) => given((await ask("CallService/SetCallRole", request, options)).call),
  startRecording: async (call, options) => given((await ask("CallService/StartRecording", { call }, options)).call),
  stopRecording: async (call, options) => given((await ask("CallService/StopRecording", { call }, options)).call),
  recordings: (which, options) =>
    pages(async (page) => {
      const answer = await ask("CallService/ListRecordings", { ...which, limit: 100, page }, options);
      return [answer.recordings, answer.nextPage];
    }),
});
