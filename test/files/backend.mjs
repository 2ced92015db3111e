// Uploads a file as a back end in Node does: node backend.mjs ENDPOINT APP TOKEN FILE. It prints the file's id.
import { openAsBlob } from "node:fs";
import { createServer } from "@skein/server";

const [endpoint, appId, token, file] = process.argv.slice(2);
const server = createServer({ endpoint, appId, token: () => token });
const { id, name } = await server.upload({ name: "film.bin", data: await openAsBlob(file) });
if (name !== "film.bin") throw new Error("the file has another name");
console.log(id);
