// The key in the URLs of files: asked for when the first one is needed, and again some minutes before it ends.
import { abortable } from "../../abort.js";
import { Emitter } from "../../emitter.js";
import { backOff } from "../../machine/connection.js";
import type { CallOptions, Unsubscribe } from "../../types/client.js";
import type { ModuleCore, ModuleHost } from "../../types/module.js";
import type { FilePlace, UrlOptions } from "./types.js";
import { type CreateFileKeyResponse, calls } from "./wire.js";

/** How long before its end a key is replaced. */
const earlyMs = 5 * 60_000;

export class Keys {
  readonly #core: ModuleCore;
  readonly #host: ModuleHost;
  readonly #events = new Emitter<{ key: undefined }>();
  #key: CreateFileKeyResponse | undefined;
  #asking = false;
  #wanted = false;
  #failures = 0;
  #cancel: Unsubscribe | undefined;

  constructor(core: ModuleCore, host: ModuleHost) {
    this.#core = core;
    this.#host = host;
    host.on("state", ({ state }) => {
      if (state === "online" && this.#wanted) this.#renew();
      if (state === "closed" || state === "signedOut") this.#cancel?.();
    });
  }

  url({ conversation = "", seq = 0, file }: FilePlace, { size, save }: UrlOptions = {}): string | undefined {
    this.#renew();
    const key = this.#key;
    if (!key || this.#left() <= 0) return undefined;
    const query = new URLSearchParams({ ...(conversation && { c: conversation, s: String(seq) }), ...(size && { t: size }), ...(save && { d: "1" }), k: key.key });
    return `${key.origin || this.#core.endpoint}/v1/files/${encodeURIComponent(file)}?${query}`;
  }

  onKey(listener: () => void): Unsubscribe {
    return this.#events.on("key", listener);
  }

  ready({ signal }: CallOptions = {}): Promise<void> {
    this.#renew();
    if (this.#left() > 0) return Promise.resolve();
    let off: Unsubscribe = () => undefined;
    const key = new Promise<void>((resolve) => {
      off = this.onKey(resolve);
    });
    return abortable(key, signal).finally(off);
  }

  /** Milliseconds that the key is good for. */
  #left(): number {
    return (this.#key?.expiresUs ?? 0) / 1000 - this.#host.now();
  }

  /** Asks for a key when it is time. */
  #renew(): void {
    this.#wanted = true;
    if (this.#asking || this.#left() > earlyMs || this.#host.state !== "online") return;
    this.#asking = true;
    this.#cancel?.();
    let next = 0;
    this.#host
      .call(calls.CreateFileKey, {})
      .then(
        (key) => {
          this.#key = key;
          this.#failures = 0;
          next = this.#left() - earlyMs;
          this.#events.emit("key", undefined);
        },
        () => {
          next = backOff(this.#failures++, this.#core.random);
        },
      )
      .finally(() => {
        this.#asking = false;
        // When it is not, it asks once it is again.
        if (this.#host.state === "online") this.#cancel = this.#core.clock.after(Math.max(next, 1000), () => this.#renew());
      });
  }
}
