import { createHmac } from "node:crypto";
import { SkeinError } from "./error.js";

/** How long a token lives, in seconds; half of it, it is given out again, so that the server finds it known. */
const lifeS = 600;

/** What `signer` takes. */
export interface SignerOptions {
  readonly appId: string;
  /** The secret's id. */
  readonly kid: string;
  /** The secret as `skein app create` printed it: not decoded. */
  readonly secret: string;
}

/** Signs tokens of scope `server` with a secret of the app (HS256): for `createServer`. */
export function signer({ appId, kid, secret }: SignerOptions): () => string {
  if (!appId || !kid || !secret) throw new SkeinError("invalid_argument", "appId, kid and secret are needed");
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = part({ alg: "HS256", typ: "JWT", kid });
  let token = "";
  let until = 0;
  return () => {
    const now = Math.floor(Date.now() / 1000);
    if (token === "" || now >= until || now < until - lifeS / 2) {
      const signed = `${head}.${part({ iss: appId, scope: "server", aud: "skein", iat: now, exp: now + lifeS })}`;
      token = `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
      until = now + lifeS / 2;
    }
    return token;
  };
}
