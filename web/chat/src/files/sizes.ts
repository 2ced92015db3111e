// Bytes, speeds and times as people say them, in the language of the page.

/** A size in bytes: "2.4 MB". */
export function fileSize(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** How much of a size: "12 of 48 MB" has its unit once. */
export function sizeOf(part: number, whole: number, of: (part: string, whole: string) => string): string {
  const all = fileSize(whole);
  const some = fileSize(part);
  const unit = all.slice(all.indexOf(" "));
  return of(some.endsWith(unit) ? some.slice(0, -unit.length) : some, all);
}

/** Minutes and seconds of something that is played: "0:07", "1:02:09". */
export function playTime(ms: number): string {
  const all = Math.max(0, Math.floor(ms / 1000));
  const seconds = String(all % 60).padStart(2, "0");
  const minutes = Math.floor(all / 60) % 60;
  const hours = Math.floor(all / 3600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** The words of a time that is left. */
export interface TimeWords {
  readonly seconds: (n: number) => string;
  readonly minutes: (n: number) => string;
  readonly hours: (n: number) => string;
}

/** How long something still takes, no more exact than it can be known. */
export function timeLeft(seconds: number, words: TimeWords): string {
  if (seconds < 60) return words.seconds(seconds <= 10 ? Math.max(1, Math.ceil(seconds)) : Math.ceil(seconds / 5) * 5);
  if (seconds < 3600) return words.minutes(Math.ceil(seconds / 60));
  return words.hours(Math.round(seconds / 3600));
}

/** How much of something has gone, 0 to 100, and 100 only when all has. */
export function percent(part: number, whole: number): number {
  if (whole <= 0) return 0;
  return part >= whole ? 100 : Math.max(0, Math.min(99, Math.floor((part / whole) * 100)));
}
