// Frames for a developer's panel.
import type { FrameEvent } from "../../types/client.js";
import type { Init } from "../../wire/codec.js";
import { toJson } from "../../wire/json.js";
import type { ClientFrame, ServerFrame } from "../../wire/schema.js";

const hidden = "…";

/** A frame in the proto3 JSON mapping, without its tokens. */
export function showFrame(direction: "in" | "out", frame: Init<ClientFrame> | ServerFrame, time: number): FrameEvent {
  const { ref: _, rest, ...parts } = frame;
  const name = Object.entries(parts).find(([, value]) => value !== undefined)?.[0] ?? (rest ? "module" : "");
  let shown = frame;
  if ("hello" in frame && frame.hello) shown = { ...frame, hello: { ...frame.hello, token: hidden } };
  if ("refreshToken" in frame && frame.refreshToken) shown = { ...frame, refreshToken: { token: hidden } };
  const rendered = direction === "out" ? toJson("ClientFrame", shown as Init<ClientFrame>) : toJson("ServerFrame", shown as ServerFrame);
  return { direction, time, name, frame: rendered };
}
