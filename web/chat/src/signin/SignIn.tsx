// Signing in: as a demo user where the server runs in developer mode, with a
// token that a back end signed everywhere.
import { useEffect, useId, useState, type FormEvent } from "react";
import { fetchDevInfo, mintDevToken, readToken, type DevInfo, type Session } from "../app/session.ts";
import { useWords } from "../i18n/context.tsx";
import { Doors } from "./Doors.tsx";
import { AppearanceSettings } from "../settings/Appearance.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button } from "../ui/Button.tsx";
import { Icon } from "../ui/Icon.tsx";

interface SignInProps {
  readonly onSignIn: (session: Session) => void;
}

type Server = { readonly at: "asking" } | { readonly at: "away" } | { readonly at: "here"; readonly dev: DevInfo | undefined };

/** The first page. */
export function SignIn({ onSignIn }: SignInProps) {
  const t = useWords();
  const [server, setServer] = useState<Server>({ at: "asking" });
  const [attempt, setAttempt] = useState(0);
  const [withToken, setWithToken] = useState(false);

  useEffect(() => {
    const abort = new AbortController();
    fetchDevInfo(abort.signal).then(
      (dev) => setServer({ at: "here", dev }),
      () => {
        if (!abort.signal.aborted) setServer({ at: "away" });
      },
    );
    return () => abort.abort();
  }, [attempt]);

  const dev = server.at === "here" ? server.dev : undefined;
  // Without developer mode the address names the app: /?app=shop
  const app = server.at === "here" ? (dev?.app ?? new URL(location.href).searchParams.get("app") ?? "") : "";
  return (
    <main className="signin scroll">
      <div className="signin-card">
        <img className="signin-logo" src="/icon.svg" alt="" width="76" height="76" />
        <h1>{t.signInTitle}</h1>
        <p className="signin-tagline">{t.tagline}</p>
        {server.at === "asking" ? <p className="hint" role="status">{t.loading}</p> : null}
        {server.at === "away" ? (
          <div className="signin-away" role="alert">
            <p>{t.signInUnreachable}</p>
            <Button
              kind="soft"
              onClick={() => {
                setServer({ at: "asking" });
                setAttempt(attempt + 1);
              }}
            >
              {t.retry}
            </Button>
          </div>
        ) : null}
        {dev && !withToken ? <DemoUsers dev={dev} onSignIn={onSignIn} /> : null}
        {server.at === "here" && (!dev || withToken) ? <TokenForm app={dev?.app ?? ""} onSignIn={onSignIn} /> : null}
        {dev ? (
          <Button onClick={() => setWithToken(!withToken)}>{withToken ? t.signInWithDemo : t.signInWithToken}</Button>
        ) : null}
        {app !== "" ? <Doors key={app} app={app} onSignIn={onSignIn} /> : null}
      </div>
      <AppearanceSettings />
    </main>
  );
}

function DemoUsers({ dev, onSignIn }: { dev: DevInfo; onSignIn: (session: Session) => void }) {
  const t = useWords();
  const [other, setOther] = useState("");
  const [busy, setBusy] = useState("");
  const [failed, setFailed] = useState("");
  const inputId = useId();

  const enter = async (user: string) => {
    setBusy(user);
    setFailed("");
    try {
      // Asked for once here, so that what is wrong is said here.
      await mintDevToken(user, AbortSignal.timeout(10_000));
      onSignIn({ kind: "demo", appId: dev.app, user });
    } catch (error) {
      setFailed(error instanceof Error ? error.message : t.signInFailed);
      setBusy("");
    }
  };

  return (
    <>
      <p className="hint">{t.signInPick}</p>
      <ul className="signin-users">
        {dev.users.map((user) => (
          <li key={user}>
            <button type="button" className="signin-user" disabled={busy !== ""} onClick={() => void enter(user)}>
              <Avatar id={user} name={user} />
              <span>{user}</span>
              <Icon name="down" size={18} />
            </button>
          </li>
        ))}
      </ul>
      <form
        className="signin-other"
        onSubmit={(event) => {
          event.preventDefault();
          if (other.trim() !== "") void enter(other.trim());
        }}
      >
        <label htmlFor={inputId} className="visually-hidden">
          {t.signInOther}
        </label>
        <input
          id={inputId}
          className="input"
          placeholder={t.signInOther}
          title={t.signInOtherHint}
          value={other}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setOther(event.target.value)}
        />
        <Button kind="primary" submit busy={busy !== "" && busy === other.trim()} disabled={other.trim() === ""}>
          {t.signInContinue}
        </Button>
      </form>
      {failed !== "" ? (
        <p className="field-error" role="alert">
          {t.signInFailed}: {failed}
        </p>
      ) : null}
    </>
  );
}

function TokenForm({ app, onSignIn }: { app: string; onSignIn: (session: Session) => void }) {
  const t = useWords();
  const [appId, setAppId] = useState(app);
  const [token, setToken] = useState("");
  const [failed, setFailed] = useState("");
  const ids = useId();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const claims = readToken(token);
    if (!claims) setFailed(t.signInTokenBad);
    else if (claims.user === "") setFailed(t.signInTokenNoUser);
    else if (claims.expires !== undefined && claims.expires < Date.now()) setFailed(t.signInTokenExpired);
    else onSignIn({ kind: "token", appId: appId.trim() || claims.app, user: claims.user, token: token.trim() });
  };

  return (
    <form className="signin-token" onSubmit={submit}>
      <div className="field">
        <label className="field-label" htmlFor={`${ids}app`}>
          {t.signInAppId}
        </label>
        <input
          id={`${ids}app`}
          className="input"
          value={appId}
          placeholder={readToken(token)?.app ?? "demo"}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setAppId(event.target.value)}
        />
      </div>
      <div className="field">
        <label className="field-label" htmlFor={`${ids}token`}>
          {t.signInToken}
        </label>
        <textarea
          id={`${ids}token`}
          className="input signin-token-text"
          rows={4}
          required
          value={token}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          aria-describedby={`${ids}hint`}
          onChange={(event) => {
            setToken(event.target.value);
            setFailed("");
          }}
        />
        <p className="hint" id={`${ids}hint`}>
          {t.signInTokenHint}
        </p>
        {failed !== "" ? (
          <p className="field-error" role="alert">
            {failed}
          </p>
        ) : null}
      </div>
      <Button kind="primary" submit disabled={token.trim() === ""}>
        {t.signInContinue}
      </Button>
    </form>
  );
}
