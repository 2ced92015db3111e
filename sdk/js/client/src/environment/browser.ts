import type { Environment, EnvironmentSignal } from "../types/environment.js";

/** How often the clock is looked at, and how late it has to be for a sleep. */
const lookMs = 5_000;
const sleptMs = 15_000;

function visible(): boolean {
  return typeof document !== "undefined" && document.visibilityState === "visible";
}

/** The network and the visibility of a page or worker, and waking up from sleep, told by a clock that jumped. */
export function browserEnvironment(): Environment {
  return {
    subscribe(listener) {
      const told: (() => void)[] = [];
      const hear = (target: EventTarget, name: string, signal: () => EnvironmentSignal | undefined): void => {
        const own = (): void => {
          const now = signal();
          if (now) listener(now);
        };
        target.addEventListener(name, own);
        told.push(() => target.removeEventListener(name, own));
      };
      hear(globalThis, "online", () => "online");
      hear(globalThis, "offline", () => "offline");
      hear(globalThis, "pageshow", () => "visible");
      if (typeof document !== "undefined") {
        hear(document, "visibilitychange", () => (visible() ? "visible" : undefined));
      }
      let last = Date.now();
      const timer = setInterval(() => {
        const now = Date.now();
        if (now - last > sleptMs) listener("visible");
        else if (visible()) listener("tick");
        last = now;
      }, lookMs);
      return () => {
        clearInterval(timer);
        for (const off of told) off();
      };
    },
  };
}
