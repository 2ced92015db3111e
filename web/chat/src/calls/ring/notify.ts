// A notification of the system for a call that comes while the page is not
// seen, and the question whether it may show one.

/** Whether this browser shows notifications; undefined: it was not asked yet. */
export function notifies(): boolean | undefined {
  if (typeof Notification === "undefined" || Notification.permission === "denied") return false;
  return Notification.permission === "granted" ? true : undefined;
}

/** Asks the person; to be called while something is pressed. */
export async function askToNotify(): Promise<boolean> {
  if (typeof Notification === "undefined") return false;
  return (await Notification.requestPermission()) === "granted";
}

/** Shows one while the page is hidden, where that is allowed, until the returned function is called. */
export function notify(tag: string, title: string, body: string): () => void {
  if (notifies() !== true) return () => undefined;
  const options: NotificationOptions = { body, tag, icon: "/icon.svg", requireInteraction: true, silent: true };
  let shown: Notification | undefined;
  let gone = false;
  const show = () => {
    if (gone || shown || !document.hidden) return;
    try {
      shown = new Notification(title, options);
      shown.onclick = () => {
        window.focus();
        shown?.close();
      };
    } catch {
      // Phones take them from a service worker alone.
      void navigator.serviceWorker?.getRegistration().then((worker) => (gone ? undefined : worker?.showNotification(title, options)));
    }
  };
  show();
  document.addEventListener("visibilitychange", show);
  return () => {
    gone = true;
    document.removeEventListener("visibilitychange", show);
    shown?.close();
    void navigator.serviceWorker
      ?.getRegistration()
      .then((worker) => worker?.getNotifications({ tag }))
      .then((all) => all?.forEach((one) => one.close()))
      .catch(() => undefined);
  };
}
