// Voice and video calls, without the voices.
import { calls } from "@skein/client/calls";

export const modules = { calls: calls() };

export const listen = (client, changed) => client.calls.on("changed", changed);

/** The calls that this device started last, by their conversations. */
const rang = new Map();

/** The newest call of a conversation that the device has started, or heard of: ids sort by time. */
const newest = (client, conversation) => {
  const heard = client.calls.of(conversation)?.id ?? client.calls.now.find((c) => c.conversation === conversation)?.id ?? "0".repeat(32);
  const own = rang.get(conversation) ?? "";
  return own > heard ? own : heard;
};

const line = (c) =>
  [c.end ? `${c.state}/${c.end}` : c.state, ...c.parties.map((p) => `${p.user}=${p.state}${p.role === "viewer" ? "/viewer" : ""}`)].join(" ");

const entered = ({ call, access }) => {
  if (!access !== (call.state === "ended")) throw new Error(`the call is ${call.state}, and the access ${access?.url}`);
};

export const verbs = (d) => ({
  ring: async (c) => {
    const { video, quiet, viewers } = c.data;
    const started = await d.client.calls.start(c.conversation, { video, quiet, users: c.users, role: viewers ? "viewer" : undefined });
    rang.set(c.conversation, started.call.id);
    entered(started);
  },
  incall: async (c) => {
    const { calls } = d.client;
    const id = newest(d.client, c.conversation);
    const [user] = c.users ?? [];
    switch (c.type) {
      case "is":
        return line(await calls.get(id));
      case "join":
      case "move":
        entered(await calls.accept(id, { move: c.type === "move" }));
        return;
      case "decline":
      case "leave":
      case "end":
        await calls[c.type](id);
        return;
      case "record":
        await calls.record(id);
        return;
      case "unrecord":
        await calls.stopRecording(id);
        return;
      case "invite":
        await calls.invite(id, c.users);
        return;
      case "oust":
        await calls.remove(id, user);
        return;
      case "mute":
        await calls.mute(id, user, { audio: true });
        return;
      case "role":
        await calls.setRole(id, user, c.role);
        return;
    }
    throw new Error(`incall does not know ${c.type}`);
  },
  calls: async () =>
    d.client.calls.now.map((k) => {
      const by = k.device ? ` by ${k.device.slice(k.device.lastIndexOf("-") + 1)}` : "";
      return `${k.conversation} ${k.own}${by}${k.state === "ended" ? `, ${k.end}` : ""}`;
    }),
  callline: async (c) => {
    const last = d.at(c).lastMessage;
    const said = last && d.client.calls.line(last);
    return said ? `${said.kind} ${said.video ? "video" : "voice"}` : "";
  },
  recordings: async (c) => (await d.client.calls.recordings({ conversation: c.conversation })).recordings.map((r) => `${r.state} by ${r.recorder}`),
  records: async (c) => {
    const out = [];
    for (let page = ""; ; ) {
      const { calls, next } = await d.client.calls.list({ limit: 2, page, missed: c.data.missed });
      out.push(...calls.map((k) => `${k.conversation} ${line(k)}`));
      if (!(page = next)) return out;
    }
  },
});
