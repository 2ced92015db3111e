import { SkeinError } from "./error.js";

/** What a fired signal means to a caller. */
export function abortedError(signal: AbortSignal): SkeinError {
  return new SkeinError("aborted", "the signal ended the call", { cause: signal.reason });
}

/** The promise, or code `aborted` as soon as the signal fires. What the promise stands for goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortedError(signal));
    if (signal.aborted) {
      promise.catch(() => undefined);
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Any error as the one class; `doing` says in which situation it came. */
export function asSkeinError(error: unknown, code: SkeinError["code"], doing: string): SkeinError {
  if (error instanceof SkeinError) return error;
  return new SkeinError(code, doing, { cause: error });
}
