// Files. Commands, and what they answer with:
//
//   sendFiles     conversation, text (the caption), data.files [{name, mime, text | size, voice, poster}], data.post,
//                 replyTo: the message; with data.post at once, as {id, state} of the transfer. Of `size` bytes each
//                 is its place modulo 251. voice: it is one, with a waveform. poster: the text of one, a JPEG by its
//                 word
//   transfers     conversation or none: ["STATE NAME …"], oldest first
//   tendTransfer  message (the client id), data.do pause | resume | cancel | retry
//   holdFiles     no bytes go out until it comes with remove
//   files         conversation, message (or none: the newest): one line an attachment: its name, its media type, its
//                 size, and what it has of WIDTHxHEIGHT, voice, waveform, poster, animated
//   fileOf        conversation, message: {file, poster, seq} of data.index, to hand to somebody else
//   readFile      conversation and message, or data.file with data.seq and conversation, or data.file alone; data.size
//                 s | m | l, data.save, data.poster, data.range "0-3": {status, type, disposition, size, text, sha256}
//   recaption     conversation, message, text: the same files with another caption
//   uploads       how many uploads this device has begun so far: forwarding begins none
import { createHash } from "node:crypto";
import { files } from "@skein/client/files";

let held = false;
let release = [];
let begun = 0;

const http = async ({ method, url, headers, body, signal }) => {
  if (method === "POST") begun++;
  while (held && method === "PATCH") {
    await new Promise((resolve, reject) => {
      release.push(resolve);
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  }
  const answer = await fetch(url, { method, headers, body, signal });
  const text = await answer.text();
  return { status: answer.status, header: (name) => answer.headers.get(name), text };
};

export const modules = { files: files({ http }) };

export const listen = (client, changed) => {
  client.files.onChange(changed);
  client.files.onKey(changed);
};

const pattern = (size) => Uint8Array.from({ length: size }, (_, i) => i % 251);

const fileOf = ({ name, mime, text, size, voice, poster }) => ({
  name,
  blob: new Blob([text ?? pattern(size ?? 0)], { type: mime ?? "" }),
  ...(voice ? { voice: { waveform: pattern(64), durationMs: 1500 } } : {}),
  ...(poster ? { poster: new Blob([poster], { type: "image/jpeg" }) } : {}),
});

const line = (f) =>
  [
    f.name,
    f.mime,
    f.size,
    ...(f.width ? [`${f.width}x${f.height}`] : []),
    ...(f.voice ? ["voice"] : []),
    ...(f.waveform ? ["waveform"] : []),
    ...(f.poster ? ["poster"] : []),
    ...(f.animated ? ["animated"] : []),
  ].join(" ");

const read = async (client, place, data) => {
  await client.files.ready();
  const url = client.files.url(place, { size: data.size, save: data.save ?? false });
  const answer = await fetch(url, data.range ? { headers: { Range: `bytes=${data.range}` } } : {});
  const bytes = Buffer.from(await answer.arrayBuffer());
  return {
    status: answer.status,
    type: answer.headers.get("content-type") ?? "",
    disposition: answer.headers.get("content-disposition") ?? "",
    size: bytes.length,
    text: bytes.subarray(0, 1024).toString("utf8"),
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
};

export const verbs = (d) => {
  const messageOf = (c) => (c.message ? d.find(c, c.message) : d.at(c).messages.at(-1));
  const items = (c) => messageOf(c)?.content?.items ?? [];
  return {
    sendFiles: async (c) => {
      const given = { files: c.data.files.map(fileOf), caption: c.text ?? "", ...(c.replyTo ? { replyTo: d.find(c, c.replyTo) } : {}) };
      if (!c.data.post) return d.message(await d.at(c).send(given));
      const { id, state } = d.client.files.send(c.conversation, given);
      return { id, state };
    },
    transfers: async (c) =>
      d.client.files.transfers(c.conversation || undefined).map(({ state, items, error }) => [state, ...items.map(({ name }) => name), ...(error ? [error.code] : [])].join(" ")),
    tendTransfer: async (c) => d.client.files[c.data.do](c.message),
    holdFiles: async (c) => {
      held = !c.remove;
      for (const go of release.splice(0)) go();
    },
    files: async (c) => items(c).map(line),
    fileOf: async (c) => {
      const { file, poster } = items(c)[c.data?.index ?? 0];
      return { file, poster, seq: messageOf(c).seq };
    },
    readFile: async (c) => {
      const { data = {} } = c;
      if (data.file) return read(d.client, { file: data.file, ...(data.seq ? { conversation: c.conversation, seq: data.seq } : {}) }, data);
      const item = items(c)[data.index ?? 0];
      return read(d.client, { conversation: c.conversation, seq: messageOf(c).seq, file: data.poster ? item.poster : item.file }, data);
    },
    uploads: async () => begun,
    recaption: async (c) => {
      const m = messageOf(c);
      await d.at(c).edit(m, d.client.messages.attachments(m.content.items, c.text));
    },
  };
};
