// Messages by the clock.
import { timed } from "@skein/client/timed";

export const modules = { timed: timed() };

export const message = (m, client) => {
  const expired = client.timed.left(m) === 0;
  return { expired, ...(expired ? { text: "" } : {}) };
};

const find = async (client, text) => {
  const found = (await client.timed.list()).find((s) => s.text === text);
  if (!found) throw new Error(`no message ${text} is scheduled`);
  return found;
};

export const verbs = (d) => ({
  passing: async (c) => d.message(await d.at(c).send({ text: c.text, options: { ttlS: c.data.ttl, burnAfterS: c.data.burn } })),
  later: async (c) => {
    await d.client.timed.schedule(c.conversation, { text: c.text }, Date.now() + c.data.in * 1000);
  },
  "later-list": async () => (await d.client.timed.list()).map((s) => (s.state === "failed" ? `failed: ${s.text}` : s.text)),
  "later-edit": async (c) => {
    const at = c.data?.in ? Date.now() + c.data.in * 1000 : undefined;
    await d.client.timed.update(await find(d.client, c.text), { message: { text: c.title }, at });
  },
  "later-cancel": async (c) => d.client.timed.cancel(await find(d.client, c.text)),
  "later-now": async (c) => d.client.timed.sendNow(await find(d.client, c.text)),
});

export const listen = (client, changed) => client.timed.onChange(changed);
