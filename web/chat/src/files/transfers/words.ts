// What is said of a transfer.
import type { SkeinError } from "@skein/client";
import type { Transfer } from "../sdk.ts";
import { fileSize, sizeOf, timeLeft, type TimeWords } from "../sizes.ts";

type StateWords = { readonly [K in "waiting" | "network" | "preparing" | "sending" | "paused" | "failed"]: string };
type ErrorWords = { readonly [K in "tooLarge" | "full" | "notAllowed" | "changed" | "lost" | "other" | "noStorage"]: string };
interface SizeWords extends TimeWords {
  readonly of: (part: string, whole: string) => string;
  readonly speed: (size: string) => string;
}

/** Why files were not sent, as a person understands it. */
export function uploadError(error: Pick<SkeinError, "code"> | undefined, words: ErrorWords): string {
  switch (error?.code) {
    case "too_large":
      return words.tooLarge;
    case "resource_exhausted":
    case "rate_limited":
      return words.full;
    case "permission_denied":
      return words.notAllowed;
    case "invalid_argument":
      return words.changed;
    case "not_found":
    case "failed_precondition":
    case "expired":
      return words.lost;
    case "storage":
      return words.noStorage;
    default:
      return words.other;
  }
}

/** Shorter transfers than this say nothing of speed: it would flicker. */
const shortSeconds = 2;

/** The line below files on their way: how much, how fast, how long. */
export function transferLine(transfer: Pick<Transfer, "state" | "offline" | "sent" | "size" | "bytesPerSecond" | "secondsLeft">, states: StateWords, sizes: SizeWords): string {
  const { state, offline, sent, size, bytesPerSecond, secondsLeft } = transfer;
  if (state === "failed") return states.failed;
  if (state === "paused") return `${states.paused} · ${sizeOf(sent, size, sizes.of)}`;
  if (offline) return states.network;
  if (state === "preparing") return states.preparing;
  if (state === "sending" || state === "sent") return states.sending;
  if (state === "waiting") return states.waiting;
  const parts = [sizeOf(sent, size, sizes.of)];
  if (bytesPerSecond > 0 && secondsLeft !== undefined && secondsLeft >= shortSeconds) parts.push(sizes.speed(fileSize(bytesPerSecond)), timeLeft(secondsLeft, sizes));
  return parts.join(" · ");
}
