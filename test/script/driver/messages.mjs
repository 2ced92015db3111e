// Kinds of content, ways of sending, forwards and commands.
import { messages } from "@skein/client/messages";

export const modules = { messages: messages() };

let heard = [];

export const listen = (client, changed) => {
  heard = [];
  client.messages.onCommand(({ type, data, user }) => {
    heard.push(`${type} ${new TextDecoder().decode(data)} of ${user}`);
    changed();
  });
};

const content = (m) => {
  if (m.kind === "text") return [m.text];
  const c = m.content;
  switch (c?.type) {
    case "location":
      return [`location ${c.latitude} ${c.longitude} ${c.name}`];
    case "contactCard":
      return [`card ${c.user} ${c.name}`];
    case "sticker":
      return [`sticker ${c.pack} ${c.id} ${c.alt}`];
    case "attachments":
      return [`files ${c.items.map((file) => file.name).join(" ")}`];
    case "notice":
      return [`notice ${c.code} ${c.text}`];
    case "merged":
      return [`merged ${c.count} ${c.title}`, ...c.items.map((item) => `${item.sender}: ${content(item).join("; ")}`)];
    default:
      return [m.kind];
  }
};

const about = (client, m) => {
  const { format, forwarded } = client.messages.details(m);
  const { silent = false, priority = 0, toUsers = [] } = m.delivery ?? {};
  return [
    ...content(m),
    ...(format ? [format] : []),
    ...(forwarded ? [`from ${forwarded.sender}`] : []),
    ...(client.messages.mentionsMe(m) ? ["calls me"] : []),
    ...(silent ? ["silent"] : []),
    ...(priority ? [["", "high", "low"][priority]] : []),
    ...(toUsers.length ? [`to ${toUsers.join(" ")}`] : []),
  ];
};

export const verbs = (driver) => ({
  share: async (c) => {
    const { messages: make } = driver.client;
    const { a, b, markdown, all, here, silent, high, low, to } = c.data ?? {};
    const calls = { all, here, roles: c.role ? [c.role] : [] };
    const made = {
      location: () => make.location({ latitude: Number(a), longitude: Number(b), name: c.text }),
      card: () => make.contactCard({ user: a, name: c.text }),
      sticker: () => make.sticker({ pack: a, id: b, alt: c.text }),
      files: () => make.attachments(c.users.map((name) => ({ name, mime: "image/png", size: 7, url: `https://files.example/${name}` }))),
      text: () => make.text(c.text, { format: markdown ? "markdown" : undefined, calls }),
    }[c.type]();
    const sent = await driver.at(c).send({
      ...made,
      options: { ...(c.replyTo ? make.replyOptions(driver.find(c, c.replyTo)) : {}), silent, priority: high ? 1 : low ? 2 : 0, ...(to ? { toUsers: to } : {}) },
      ...(c.mentions ? { mentions: c.mentions } : {}),
      ...(c.replyTo ? { replyTo: driver.find(c, c.replyTo) } : {}),
    });
    return driver.message(sent);
  },
  forward: async (c) => {
    const chosen = c.users.map((id) => driver.find(c, id));
    await driver.client.messages.forward(chosen, c.data.into, { merged: c.data.merged ?? false, title: c.title ?? "", comment: c.text ?? "" });
  },
  command: async (c) => driver.client.messages.command(c.conversation, c.type, c.text ?? "", { to: c.users ?? [] }),
  about: async (c) => {
    const x = driver.at(c);
    const m = c.message ? x.messages.find((one) => one.id === c.message) : x.messages.at(-1);
    return m ? about(driver.client, m) : [];
  },
  heard: async () => heard,
});
