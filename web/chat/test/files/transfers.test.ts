import { expect, test } from "vitest";
import type { Transfer } from "../../src/files/sdk.ts";
import { strings as sizes } from "../../src/files/strings.ts";
import { PendingRows, pendingMessage } from "../../src/files/transfers/pending.ts";
import { strings } from "../../src/files/transfers/strings.ts";
import { together } from "../../src/files/transfers/together.ts";
import { transferLine, uploadError } from "../../src/files/transfers/words.ts";

function transfer(more: Partial<Transfer> = {}): Transfer {
  return {
    id: "019ab111-2233-7000-8000-000000000001",
    conversation: "@3:ann:bob",
    state: "uploading",
    items: [{ name: "a.png", mime: "image/png", size: 48_000_000, sent: 12_000_000, blob: undefined, width: 640, height: 480, durationMs: 0, voice: false, waveform: undefined }],
    caption: "look",
    options: undefined,
    replyTo: undefined,
    size: 48_000_000,
    sent: 12_000_000,
    bytesPerSecond: 3_200_000,
    secondsLeft: 12,
    error: undefined,
    offline: false,
    kept: true,
    clientId: "019ab111-2233-7000-8000-000000000001",
    ...more,
  };
}

test("a line says how much, how fast and how long, in both languages", () => {
  expect(transferLine(transfer(), strings.en, sizes.en)).toBe("12 of 48 MB · 3.2 MB/s · 15 s left");
  expect(transferLine(transfer(), strings.zh, sizes.zh)).toBe("12，共 48 MB · 3.2 MB/秒 · 还剩 15 秒");
});

test("a short transfer says nothing of its speed, and one that waits says why", () => {
  expect(transferLine(transfer({ secondsLeft: 1 }), strings.en, sizes.en)).toBe("12 of 48 MB");
  expect(transferLine(transfer({ state: "waiting", offline: true }), strings.en, sizes.en)).toBe("Waiting for network");
  expect(transferLine(transfer({ state: "waiting" }), strings.en, sizes.en)).toBe("Waiting…");
  // Who paused it knows that, whatever the network does.
  expect(transferLine(transfer({ state: "paused", offline: true }), strings.en, sizes.en)).toBe("Paused · 12 of 48 MB");
  expect(transferLine(transfer({ state: "sending" }), strings.zh, sizes.zh)).toBe("正在发送…");
});

test("an error is said by what it means for files", () => {
  expect(uploadError({ code: "too_large" }, strings.en)).toBe("The file is larger than this server takes.");
  expect(uploadError({ code: "resource_exhausted" }, strings.zh)).toMatch(/配额/);
  expect(uploadError(undefined, strings.en)).toBe("The file could not be sent.");
});

test("a row has the key and the place that its message will have, and stays while only its progress changes", () => {
  const message = pendingMessage(transfer({ replyTo: 7 }), "ann");
  expect(message).toMatchObject({ key: "ann/019ab111-2233-7000-8000-000000000001", mine: true, state: "sending", replyTo: 7, time: 0x019ab1112233 });
  const rows = new PendingRows("ann");
  const first = rows.of([transfer()]);
  expect(rows.of([transfer({ sent: 20_000_000, bytesPerSecond: 1 })])).toBe(first);
  const second = rows.of([transfer({ caption: "other" })]);
  expect(second).not.toBe(first);
  expect(second[0]?.content).toMatchObject({ type: "attachments", caption: "other" });
  expect(rows.of([])).toEqual([]);
});

test("several transfers are told as one", () => {
  const sum = together([transfer(), transfer({ state: "failed" }), transfer({ state: "paused", sent: 0, bytesPerSecond: 0 })]);
  expect(sum).toMatchObject({ state: "uploading", sent: 12_000_000, size: 96_000_000, bytesPerSecond: 3_200_000 });
  expect(sum.secondsLeft).toBeCloseTo(26.25);
  expect(together([transfer({ state: "failed" })]).state).toBe("failed");
});
