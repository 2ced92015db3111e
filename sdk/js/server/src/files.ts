import { type CallOptions, type Calls, given } from "./calls.js";
import type { File } from "./wire.js";

/** Files that were uploaded. */
export interface Files {
  /** Tells what is known of a file that anybody in the app has uploaded; `not_found` also while its upload is not complete. */
  file(id: string, options?: CallOptions): Promise<File>;
  /** Returns a key with which every file of the app is read until it expires: `GET /v1/files/FILE?k=KEY`. It never goes to a user. */
  fileKey(options?: CallOptions): Promise<{ key: string; expiresUs: number }>;
}

export const files = ({ ask }: Calls): Files => ({
  file: async (id, options) => given((await ask("FileService/GetFile", { id }, options)).file),
  fileKey: (options) => ask("FileService/CreateFileKey", {}, options),
});
