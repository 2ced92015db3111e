import { asSkeinError } from "./abort.js";
import { SkeinError } from "./error.js";
import type { TokenSupplier } from "./types/client.js";
import { fromBase64 } from "./wire/codec.js";

/** What a token says of itself. Nothing of it is checked: that is the server's business. */
export interface Claims {
  /** The user; empty when it can not be read. */
  readonly user: string;
  /** Expiry, milliseconds since 1970 UTC; 0 when it can not be read. */
  readonly expiresMs: number;
}

export function readClaims(token: string): Claims {
  try {
    const payload: unknown = JSON.parse(new TextDecoder().decode(fromBase64(token.split(".")[1] ?? "")));
    const { sub, exp } = payload as { readonly sub?: unknown; readonly exp?: unknown };
    return { user: typeof sub === "string" ? sub : "", expiresMs: typeof exp === "number" ? exp * 1000 : 0 };
  } catch {
    return { user: "", expiresMs: 0 };
  }
}

/** Asks the app's supplier, once at a time, and keeps what it gave last. */
export class TokenSource {
  readonly #supplier: TokenSupplier;
  readonly #ended = new AbortController();
  #current = "";
  /** Whose tokens they have to be; empty = not known yet. */
  user = "";
  /** A token of somebody else came. */
  foreign = false;
  #asking: Promise<string> | undefined;

  constructor(supplier: TokenSupplier) {
    this.#supplier = supplier;
  }

  /** The token that was got last; empty = none, or refused. */
  get current(): string {
    return this.#current;
  }

  /** The server refuses it. */
  drop(token: string): void {
    if (this.#current === token) this.#current = "";
  }

  /** A new token. Whoever asks while one is on its way gets that one. */
  fetch(): Promise<string> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  close(): void {
    this.#ended.abort();
  }

  async #ask(): Promise<string> {
    try {
      const token = await this.#supplier({ signal: this.#ended.signal });
      if (typeof token !== "string" || token === "") {
        throw new SkeinError("unauthenticated", "the token supplier gave no token", {
          hint: "return the JWT of your back end as a string",
        });
      }
      const { user } = readClaims(token);
      if (this.user && user && user !== this.user) {
        this.foreign = true;
        throw new SkeinError("unauthenticated", "the token is another user's than the client's", {
          hint: "make a client for the other user",
        });
      }
      this.#current = token;
      return token;
    } catch (error) {
      throw asSkeinError(error, "unavailable", "the token supplier failed");
    }
  }
}
