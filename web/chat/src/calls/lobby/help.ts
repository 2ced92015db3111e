// What to do about a device that cannot be used, by browser.
import type { Why } from "./prepare.ts";
import { strings } from "./strings.ts";

type Words = (typeof strings)["en"] | (typeof strings)["zh"];

/** What is wrong, and what helps: one sentence each. */
export function helpFor(kind: "camera" | "microphone", why: Why, s: Words, agent: string): readonly string[] {
  if (why === "insecure") return [s.insecure];
  if (why === "none") return [kind === "camera" ? s.cameraNone : s.microphoneNone];
  if (why === "busy") return [kind === "camera" ? s.cameraBusy : s.microphoneBusy];
  const denied = kind === "camera" ? s.cameraDenied : s.microphoneDenied;
  if (/iPhone|iPad/.test(agent)) return [denied, s.howIos];
  if (/Android/.test(agent)) return [denied, s.howAndroid];
  if (/Firefox\//.test(agent)) return [denied, s.howFirefox, s.howSystem];
  if (/Safari\//.test(agent) && !/Chrome\//.test(agent)) return [denied, s.howSafari, s.howSystem];
  return [denied, s.howChromium, s.howSystem];
}
