import { useEffect } from "react";
import { useWords } from "../i18n/context.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { registerWorker } from "./registration.ts";

/** Registers the service worker, and offers to reload when a new version of the app is there. */
export function UpdateNotice() {
  const t = useWords();
  const { show } = useToasts();
  useEffect(
    () => registerWorker((takeOver) => show({ text: t.newVersion, sticky: true, action: { label: t.reload, run: takeOver } })),
    [show, t],
  );
  return null;
}
