// A guess at a row's height, for rows that were never drawn. It only has to be
// about right: it decides the length of the scroll bar, not where things are.
import type { Message } from "@skein/client";
import { isEvent } from "../format/describe.ts";

/** Pixels that a message will take in a bubble about 420 pixels wide. */
export function estimateHeight(message: Message): number {
  if (isEvent(message) || message.recalled) return 36;
  const text = message.text ?? "";
  let lines = 0;
  for (const line of text.split("\n", 80)) {
    // A CJK character takes the room of two Latin ones.
    const wide = line.length > 200 ? line.length / 3 : (line.match(/[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]/gu)?.length ?? 0);
    lines += Math.max(1, Math.ceil((line.length + wide) / 54));
  }
  return 18 + Math.max(1, lines) * 21 + (message.replyTo === undefined ? 0 : 46) + (message.reactions.length > 0 ? 32 : 0);
}
