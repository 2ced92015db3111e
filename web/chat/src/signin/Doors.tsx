// The ways in without a token: as a guest, and by another device that shows a
// code to approve.
import { createGuest, createSignInCode, guestsAllowed, type SignIn, type SignInCode } from "@skein/client/signin";
import { useEffect, useMemo, useState } from "react";
import { deviceName, type Session } from "../app/session.ts";
import { useStrings } from "../i18n/strings.ts";
import { qrCode, qrPath } from "../joining/qr.ts";
import { strings } from "../people/strings.ts";
import { Button, Spinner } from "../ui/Button.tsx";

interface DoorsProps {
  readonly app: string;
  readonly onSignIn: (session: Session) => void;
}

/** Buttons below the other ways to sign in. */
export function Doors({ app, onSignIn }: DoorsProps) {
  const s = useStrings(strings);
  const door = useMemo(() => ({ endpoint: location.origin, appId: app, deviceId: crypto.randomUUID() }), [app]);
  const [guests, setGuests] = useState(false);
  const [code, setCode] = useState<SignInCode | "asking">();
  const [failed, setFailed] = useState("");
  const enter = ({ user, token, expires }: SignIn) => onSignIn({ kind: "own", appId: app, user, token, expires, deviceId: door.deviceId });
  const fail = (error: unknown) => setFailed(error instanceof Error ? error.message : s.linkGone);

  useEffect(() => {
    const abort = new AbortController();
    guestsAllowed(door, { signal: abort.signal }).then(setGuests, () => undefined);
    return () => abort.abort();
  }, [door]);
  useEffect(() => {
    if (code === undefined || code === "asking") return;
    const abort = new AbortController();
    code.wait({ signal: abort.signal }).then(enter, (error: unknown) => {
      if (abort.signal.aborted) return;
      setCode(undefined);
      fail(error);
    });
    return () => abort.abort();
    // Its own functions are the same in effect.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [code]);

  const ask = () => {
    setFailed("");
    setCode("asking");
    createSignInCode(door, { name: deviceName(navigator.userAgent) }).then(setCode, (error: unknown) => {
      setCode(undefined);
      fail(error);
    });
  };
  return (
    <div className="signin-doors">
      {code === undefined ? (
        <Button onClick={ask}>{s.linkShow}</Button>
      ) : code === "asking" ? (
        <Spinner />
      ) : (
        <Showing code={code} onCancel={() => setCode(undefined)} />
      )}
      {guests && code === undefined ? (
        <Button
          onClick={() => {
            setFailed("");
            createGuest(door).then(enter, fail);
          }}
        >
          {s.guest}
        </Button>
      ) : null}
      {failed !== "" ? (
        <p className="field-error" role="alert">
          {failed}
        </p>
      ) : null}
    </div>
  );
}

function Showing({ code, onCancel }: { code: SignInCode; onCancel: () => void }) {
  const s = useStrings(strings);
  const drawn = useMemo(() => {
    const modules = qrCode(code.url);
    return modules && qrPath(modules);
  }, [code]);
  return (
    <section className="signin-code" aria-live="polite">
      <p>{s.linkScan}</p>
      {drawn ? (
        <svg className="qr" viewBox={`0 0 ${drawn.size} ${drawn.size}`} role="img" aria-label={s.linkQr} shapeRendering="crispEdges">
          <rect width="100%" height="100%" fill="#fff" />
          <path d={drawn.path} fill="#000" />
        </svg>
      ) : null}
      <code className="signin-code-text">{code.code}</code>
      <p className="hint">{s.linkWait}</p>
      <Button onClick={onCancel}>{s.linkCancel}</Button>
    </section>
  );
}
