// Uploads a file as an app in Node does, with tus-js-client, and goes on with an
// upload of an earlier process: node upload.mjs ENDPOINT APP TOKEN FILE STATE.
// It prints the upload's URL when it is complete.
import { createReadStream, statSync } from "node:fs";
import { Upload } from "tus-js-client";
import { FileUrlStorage } from "tus-js-client/lib.esm/node/index.js";

const [endpoint, app, token, file, state] = process.argv.slice(2);
const upload = new Upload(createReadStream(file), {
  endpoint: `${endpoint}/v1/uploads/`,
  headers: { Authorization: `Bearer ${token}`, "Skein-App": app },
  metadata: { filename: "film.mp4", filetype: "video/mp4" },
  uploadSize: statSync(file).size,
  urlStorage: new FileUrlStorage(state),
  fingerprint: async () => "film",
  removeFingerprintOnSuccess: true,
  retryDelays: Array.from({ length: 200 }, () => 200),
  onError(error) {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess() {
    console.log(upload.url);
    process.exit(0);
  },
});
const [previous] = await upload.findPreviousUploads();
if (previous) upload.resumeFromPreviousUpload(previous);
upload.start();
