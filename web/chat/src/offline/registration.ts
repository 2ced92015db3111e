// The service worker, which lets the app load while the server is away. A new
// version of it waits until the person agrees, so that no page is ever served
// half of one version and half of another.

/** Hears that a new version waits; the function that it gets makes it take over. */
export type UpdateListener = (takeOver: () => void) => void;

const checkMs = 60 * 60_000;

/** Registers the worker. Without support for one the app needs the server to load, and works as ever. */
export function registerWorker(onUpdate: UpdateListener): () => void {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return () => undefined;
  const { serviceWorker } = navigator;
  let over = false;
  let timer: ReturnType<typeof setInterval> | undefined;
  let reloading = false;

  const offer = (worker: ServiceWorker) => {
    if (over) return;
    onUpdate(() => {
      serviceWorker.addEventListener("controllerchange", () => {
        if (reloading) return;
        reloading = true;
        location.reload();
      });
      worker.postMessage("skein:take-over");
    });
  };

  const register = async () => {
    const registration = await serviceWorker.register("/sw.js", { updateViaCache: "none" });
    // Without a controller this is the first visit: nothing is replaced.
    if (registration.waiting && serviceWorker.controller) offer(registration.waiting);
    // The browser asks when a page is loaded; a tab that stays open for days asks by itself.
    if (!over) timer = setInterval(() => void registration.update().catch(() => undefined), checkMs);
    registration.addEventListener("updatefound", () => {
      const worker = registration.installing;
      worker?.addEventListener("statechange", () => {
        if (worker.state === "installed" && serviceWorker.controller) offer(worker);
      });
    });
  };
  // A browser that refuses (private windows of some) leaves the app without it.
  register().catch(() => undefined);
  return () => {
    over = true;
    clearInterval(timer);
  };
}
