// Several transfers, summed up for a strip.
import type { Transfer } from "../sdk.ts";

/** Several transfers as one. */
export function together(transfers: readonly Transfer[]): Pick<Transfer, "state" | "offline" | "sent" | "size" | "bytesPerSecond" | "secondsLeft"> {
  const live = transfers.filter(({ state }) => state !== "failed");
  const sum = (of: (transfer: Transfer) => number) => live.reduce((total, transfer) => total + of(transfer), 0);
  const size = sum((transfer) => transfer.size);
  const sent = sum((transfer) => transfer.sent);
  const bytesPerSecond = sum((transfer) => transfer.bytesPerSecond);
  const uploading = live.filter(({ state }) => state === "uploading");
  return {
    state: live.length === 0 ? "failed" : uploading.length > 0 ? "uploading" : (live[0]?.state ?? "waiting"),
    offline: live.some(({ offline }) => offline),
    sent,
    size,
    bytesPerSecond,
    secondsLeft: bytesPerSecond > 0 ? (size - sent) / bytesPerSecond : undefined,
  };
}
