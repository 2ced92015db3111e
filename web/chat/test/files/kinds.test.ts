import { expect, test } from "vitest";
import { extensionOf, groupOf, kindOf, previewFor, shownName } from "../../src/files/kinds.ts";
import { byMonth, monthName } from "../../src/files/mediatab/months.ts";
import { Player, type Sound, type Track } from "../../src/files/voice/player.ts";
import { filesText } from "../../src/format/describe.ts";
import { en } from "../../src/i18n/en.ts";
import { zh } from "../../src/i18n/zh.ts";
import type { Attachment } from "../../src/files/sdk.ts";

function file(more: Partial<Attachment> = {}): Attachment {
  return { name: "a.png", mime: "image/png", size: 1, url: "", width: 10, height: 10, duration: 0, thumb: undefined, sha256: undefined, file: "f", poster: "", waveform: undefined, voice: false, animated: false, ...more };
}

const said = (items: readonly Attachment[], caption: string, format?: "markdown") => ({ type: "attachments", items, caption, format }) as const;

test("what an attachment is shown as", () => {
  expect(kindOf(file())).toBe("picture");
  // Sent as a file: nothing says how it looks.
  expect(kindOf(file({ width: 0, height: 0 }))).toBe("file");
  expect(kindOf(file({ mime: "image/svg+xml" }))).toBe("file");
  expect(kindOf(file({ mime: "video/mp4" }))).toBe("film");
  expect(kindOf(file({ mime: "audio/webm", voice: true }))).toBe("voice");
  expect(kindOf(file({ mime: "audio/mpeg" }))).toBe("sound");
  expect(kindOf(file({ mime: "text/html" }))).toBe("file");
});

test("endings and colours of cards", () => {
  expect(["a.PDF", "b", "c.tar.gz", "d.superlong", ".env"].map(extensionOf)).toEqual(["PDF", "", "GZ", "", "ENV"]);
  expect([file({ mime: "application/pdf" }), file({ mime: "application/octet-stream", name: "x.xlsx" }), file({ mime: "application/zip" }), file({ mime: "text/plain" }), file({ mime: "application/octet-stream", name: "x" })].map(groupOf)).toEqual(["pdf", "table", "archive", "text", "other"]);
});

test("a name does not turn the direction of writing to look like another", () => {
  expect(shownName("photo\u202egnp.exe")).toBe("photognp.exe");
  expect(filesText(said([file({ mime: "application/zip", name: "a\u2067b.zip" })], ""), en)).toBe("📎 ab.zip");
  expect(shownName("文件 العربية.pdf")).toBe("文件 العربية.pdf");
});

test("the preview that is asked for is as large as the screen shows it", () => {
  expect([previewFor(100, 1), previewFor(100, 2), previewFor(380, 1), previewFor(380, 2), previewFor(380, 3), previewFor(1000, 2)]).toEqual(["s", "m", "m", "l", "l", undefined]);
});

test("files on one line, in both languages", () => {
  expect(filesText(said([file()], ""), en)).toBe("📷 Photo");
  expect(filesText(said([file()], " by  the sea "), zh)).toBe("📷 by the sea");
  expect(filesText(said([file()], "by *the* sea", "markdown"), en)).toBe("📷 by the sea");
  expect(filesText(said([file(), file()], ""), zh)).toBe("📷 2 张照片");
  expect(filesText(said([file(), file({ mime: "video/mp4" })], ""), en)).toBe("📷 2 photos and videos");
  expect(filesText(said([file({ mime: "audio/webm", voice: true, duration: 12_400 })], ""), zh)).toBe("🎤 语音消息（0:12）");
  expect(filesText(said([file({ mime: "audio/mpeg", name: "song.mp3" })], ""), en)).toBe("🎵 song.mp3");
  expect(filesText(said([file({ mime: "application/pdf", name: "plan.pdf" })], ""), en)).toBe("📎 plan.pdf");
  expect(filesText(said([file(), file({ mime: "application/pdf" })], ""), en)).toBe("📎 2 files");
});

test("months, newest first, with the year where it is another one", () => {
  const day = (month: number, year = 2026) => new Date(year, month, 5).getTime();
  const months = byMonth([day(10), day(10), day(9), day(9, 2025)], (time) => time);
  expect(months.map(({ id, items }) => [id, items.length])).toEqual([["2026-11", 2], ["2026-10", 1], ["2025-10", 1]]);
  expect(monthName(day(9), day(10), "en-GB")).toBe("October");
  expect(monthName(day(9, 2025), day(10), "zh-CN")).toBe("2025年10月");
});

/** An audio element that plays when it is told to. */
class FakeSound implements Sound {
  src = "";
  currentTime = 0;
  duration = NaN;
  playbackRate = 1;
  paused = true;
  readonly #listeners = new Map<string, (() => void)[]>();
  addEventListener = (name: string, listener: unknown) => void this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener as () => void]);
  load = () => undefined;
  play = async () => {
    this.paused = false;
    this.say("play");
  };
  pause = () => {
    this.paused = true;
    this.say("pause");
  };
  say(name: string) {
    for (const listener of this.#listeners.get(name) ?? []) listener();
  }
}

test("one thing plays at a time, at one speed, and the next plays on", async () => {
  const sound = new FakeSound();
  const player = new Player(() => sound);
  const second: Track = { id: "b", src: "b.webm", duration: 2000 };
  const first: Track = { id: "a", src: "a.webm", duration: 4000, next: () => second };
  player.toggle(first);
  expect(player.snapshot()).toMatchObject({ id: "a", playing: true, duration: 4000 });
  player.faster();
  expect([player.speed(), sound.playbackRate]).toEqual([1.5, 1.5]);
  sound.currentTime = 1.2;
  sound.say("timeupdate");
  expect(player.snapshot().at).toBe(1200);
  player.toggle(first);
  expect(player.snapshot().playing).toBe(false);
  player.toggle(first);
  sound.say("ended");
  expect(player.snapshot()).toMatchObject({ id: "b", playing: true, at: 0 });
  expect([sound.src, sound.playbackRate]).toEqual(["b.webm", 1.5]);
  sound.say("ended");
  expect(player.snapshot()).toMatchObject({ id: "b", playing: false, at: 0 });
});

test("one goes to a moment of what does not play yet, and what cannot be played says so", () => {
  const sound = new FakeSound();
  const player = new Player(() => sound);
  player.seek({ id: "a", src: "a.webm", duration: 4000 }, 3000);
  sound.duration = Infinity;
  sound.say("loadedmetadata");
  // The length that its message says holds where the file says none.
  expect([sound.currentTime, player.snapshot().duration]).toEqual([3, 4000]);
  sound.say("error");
  expect(player.snapshot()).toMatchObject({ playing: false, failed: true });
  player.stop("other");
  expect(player.snapshot().id).toBe("a");
  player.stop();
  expect(player.snapshot().id).toBe("");
});
