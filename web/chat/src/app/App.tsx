// The whole app: the sign-in page, or the client of the signed-in user with
// everything that it shows.
import { useEffect, useMemo, useState } from "react";
import { FrameLog } from "../developer/frames.ts";
import { SpeechProvider, useWords } from "../i18n/context.tsx";
import { languageTags } from "../i18n/language.ts";
import { createAppClient, type AppClient } from "../live/client.ts";
import { browserStorage, LiveProvider } from "../live/context.tsx";
import { UpdateNotice } from "../offline/UpdateNotice.tsx";
import { NamesProvider } from "../people/names.tsx";
import { useLanguage } from "../settings/prefs.ts";
import { SignIn } from "../signin/SignIn.tsx";
import { Spinner } from "../ui/Button.tsx";
import { ToastProvider } from "../ui/Toasts.tsx";
import { ErrorBoundary } from "./ErrorBoundary.tsx";
import { fetchDevInfo, deviceName, forgetSession, loadSession, saveSession, tokenSupplier, type DevInfo, type Session, type SessionStorages } from "./session.ts";
import { WorkspacePanes } from "./Workspace.tsx";

function storages(): SessionStorages {
  try {
    return { tab: window.sessionStorage, browser: browserStorage() };
  } catch {
    return { tab: undefined, browser: undefined };
  }
}

/** "?as=bob" signs in as a demo user, in this tab alone: how the developer panel opens a second person. */
function initialSession(): Session | undefined {
  const saved = loadSession(storages());
  const url = new URL(location.href);
  const user = url.searchParams.get("as");
  if (user === null) return saved;
  url.searchParams.delete("as");
  history.replaceState(null, "", url);
  const session: Session = { kind: "demo", appId: url.searchParams.get("app") ?? saved?.appId ?? "demo", user };
  saveSession({ tab: storages().tab, browser: undefined }, session);
  return session;
}

/** The root component. */
export function App() {
  const language = useLanguage();
  const [session, setSession] = useState(initialSession);

  useEffect(() => {
    document.documentElement.lang = languageTags[language];
  }, [language]);

  return (
    <SpeechProvider language={language}>
      <ErrorBoundary>
        <ToastProvider>
          <UpdateNotice />
          {session ? (
            <SignedIn
              key={`${session.appId} ${session.user}`}
              session={session}
              onLeave={() => {
                forgetSession(storages(), session);
                history.replaceState(null, "", "#/");
                setSession(undefined);
              }}
            />
          ) : (
            <SignIn
              onSignIn={(next) => {
                saveSession(storages(), next);
                setSession(next);
              }}
            />
          )}
        </ToastProvider>
      </ErrorBoundary>
    </SpeechProvider>
  );
}

/** Whether the server runs in developer mode; asked again when it could not be reached. */
function useDevInfo(session: Session): DevInfo | undefined {
  const [info, setInfo] = useState<DevInfo | undefined>(
    session.kind === "demo" ? { app: session.appId, users: [] } : undefined,
  );
  useEffect(() => {
    const abort = new AbortController();
    const ask = () => {
      fetchDevInfo(abort.signal).then(setInfo, () => undefined);
    };
    ask();
    window.addEventListener("online", ask);
    return () => {
      abort.abort();
      window.removeEventListener("online", ask);
    };
  }, []);
  return info;
}

function SignedIn({ session, onLeave }: { session: Session; onLeave: () => void }) {
  const t = useWords();
  const [generation, setGeneration] = useState(0);
  const dev = useDevInfo(session);
  const debug = session.kind === "demo" || dev !== undefined;
  const [live, setLive] = useState<{ readonly client: AppClient; readonly frames: FrameLog }>();

  // A client lives as long as its effect: React runs effects twice while
  // developing, and a closed client does not come back.
  useEffect(() => {
    const made = createAppClient({
      endpoint: location.origin,
      appId: session.appId,
      userId: session.user,
      token: tokenSupplier(session, (next) => saveSession(storages(), next)),
      deviceId: session.kind === "own" ? session.deviceId : undefined,
      platform: "web",
      deviceName: deviceName(navigator.userAgent),
      debug,
    });
    const frames = new FrameLog(made, (fn) => requestAnimationFrame(fn));
    let gone = false;
    // Its fate is told by its state; nobody waits for this promise.
    made.connect().catch(() => undefined);
    const show = () => {
      if (!gone) setLive({ client: made, frames });
    };
    made.ready.then(show, show);
    return () => {
      gone = true;
      setLive(undefined);
      void made.close();
    };
    // `debug` is left out: a server that turns out to be in developer mode
    // later is no reason to connect anew.
  }, [session, generation]);

  const reconnect = useMemo(() => () => setGeneration((g) => g + 1), []);
  if (!live) {
    return (
      <main className="starting" aria-busy="true">
        <Spinner />
        <p role="status">{t.signingIn}</p>
      </main>
    );
  }
  return (
    <LiveProvider client={live.client} frames={live.frames}>
      <NamesProvider>
        <WorkspacePanes session={session} dev={dev} onReconnect={reconnect} onLeave={onLeave} />
      </NamesProvider>
    </LiveProvider>
  );
}
