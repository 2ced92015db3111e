import { type CallOptions, type Calls, given } from "./calls.js";
import { type NewFile, upload } from "./upload.js";
import type { File } from "./wire.js";

/** Files. */
export interface Files {
  /** Tells what is known of a file that anybody in the app has uploaded; `not_found` also while its upload is not complete. */
  file(id: string, options?: CallOptions): Promise<File>;
  /** Returns a key with which every file of the app is read until it expires: `GET /v1/files/FILE?k=KEY`. It never goes to a user. */
  fileKey(options?: CallOptions): Promise<{ key: string; expiresUs: number }>;
  /**
   * Uploads a file as the app itself, and returns what the server made of it: a picture loses where and with what it was
   * made, so that `size` and `sha256` may be others. `attachment` is what a message says of it. A file that no message has is
   * forgotten after a time that the operator sets, usually a day.
   *
   * It goes on where it was over lost connections and restarts of the server, until the signal fires, or twice `attempts` in
   * a row have brought not a byte: by default that is after some 25 s. A Blob is read 8 MiB at a time. Rejects with
   * `invalid_argument` (also for bytes that are not those of `sha256`), `too_large`, `resource_exhausted` (a quota, or a full
   * disk), `failed_precondition` (the Blob can not be read), `unavailable` and `aborted`.
   */
  upload(file: NewFile, options?: CallOptions): Promise<File>;
}

export function files(calls: Calls): Files {
  const { ask } = calls;
  const file = async (id: string, options?: CallOptions) => given((await ask("FileService/GetFile", { id }, options)).file);
  return {
    file,
    fileKey: (options) => ask("FileService/CreateFileKey", {}, options),
    upload: (it, options) => upload(calls, file, it, options),
  };
}
