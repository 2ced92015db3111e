// What the connection is doing, when it is not simply there. A short break is
// not worth a word: a state is shown once it has lasted a moment.
import { useEffect, useState } from "react";
import { useWords } from "../i18n/context.tsx";
import { useClient, useConnection } from "../live/context.tsx";
import { useNow } from "../live/now.ts";
import { Button, Spinner } from "../ui/Button.tsx";
import { Icon } from "../ui/Icon.tsx";
import { useWorkspace } from "./workspaceContext.ts";

const patienceMs = 700;

/** The strip at the top of the app. */
export function ConnectionBanner({ onReconnect }: { onReconnect: () => void }) {
  const t = useWords();
  const client = useClient();
  const { leave } = useWorkspace();
  const { state, retryAt, error } = useConnection(client);
  const online = useNavigatorOnline();
  const [patient, setPatient] = useState(true);
  const settled = state === "online";
  const over = state === "signedOut" || state === "replaced" || state === "closed";

  useEffect(() => {
    setPatient(true);
    if (settled) return;
    const timer = setTimeout(() => setPatient(false), patienceMs);
    return () => clearTimeout(timer);
  }, [settled]);

  const quiet = settled || (patient && !over);
  if (quiet) return <div className="banner-slot" role="status" />;

  const text =
    state === "signedOut" ? t.stateSignedOut
    : state === "replaced" ? t.stateReplaced
    : state === "closed" ? t.stateClosed
    : !online ? t.stateOffline
    : state === "waiting" ? <Countdown until={retryAt ?? 0} />
    : state === "syncing" ? t.stateSyncing
    : t.stateConnecting;

  return (
    // The countdown is not read out each second: the words of the state are.
    <div className={`banner ${over ? "banner-over" : ""}`} role="status" aria-live={state === "waiting" ? "off" : "polite"} data-state={state}>
      {over || !online ? <Icon name="alert" size={18} /> : <Spinner />}
      <span className="banner-text">
        {text}
        {over && error ? <span className="banner-why"> {error.message}</span> : null}
      </span>
      {state === "signedOut" ? <Button
          // A device that was signed out leaves nothing behind; one whose token ended keeps what it holds.
          onClick={() => leave(error?.code === "signed_out" ? "erase" : "switch")}
        >
          {t.stateSignInAgain}
        </Button> : null}
      {state === "replaced" || state === "closed" ? <Button onClick={onReconnect}>{t.stateUseHere}</Button> : null}
      {state === "waiting" && online ? (
        // The SDK tries at once when the network is said to be back.
        <Button onClick={() => window.dispatchEvent(new Event("online"))}>{t.stateTryNow}</Button>
      ) : null}
    </div>
  );
}

/** How long until the next attempt. */
function Countdown({ until }: { until: number }) {
  const t = useWords();
  const now = useNow("second");
  return t.stateWaiting(Math.max(0, Math.ceil((until - now) / 1000)));
}

function useNavigatorOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const look = () => setOnline(navigator.onLine);
    window.addEventListener("online", look);
    window.addEventListener("offline", look);
    return () => {
      window.removeEventListener("online", look);
      window.removeEventListener("offline", look);
    };
  }, []);
  return online;
}
