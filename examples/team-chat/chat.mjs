// A team's chat in the terminal: one group, everybody types. Start it once for
// each person: node examples/team-chat/chat.mjs alice
import { createInterface } from "node:readline";
import { SkeinError, createClient } from "@skein/client";

const [user = "", ...team] = process.argv.slice(2);
if (!user) {
  console.error("Say who you are, and the first time who else is in the team: chat.mjs alice bob carol");
  process.exit(2);
}
const endpoint = process.env.SKEIN_ENDPOINT ?? "http://127.0.0.1:8080";

// A server in developer mode hands out tokens. Elsewhere ask your back end, which knows who is logged in.
async function token() {
  const answer = await fetch(`${endpoint}/dev/token`, { method: "POST", body: JSON.stringify({ user }) });
  return (await answer.json()).token;
}

const im = createClient({ endpoint, appId: "demo", userId: user, token, deviceName: "team-chat" });
const notes = [];
const say = (...words) => console.log(...words);

im.on("state", ({ state }) => state === "waiting" && say("-- no connection; what you write is sent later"));
im.on("error", (error) => say(`-- ${error.message}`));
await im.connect();

const room = im.conversation.group("team");
if (room.myRole === undefined) {
  if (team.length === 0) {
    say("-- you are in no team yet: wait until somebody adds you, or begin one with chat.mjs", user, "NAMES…");
    process.exit(1);
  }
  await im.conversation.createGroup({ id: "team", title: "The team", members: team });
}

function show(message) {
  const { kind, sender, seq, members, recalled } = message;
  const edited = message.edited ? " (edited)" : "";
  if (recalled) say(`-- #${seq} of ${sender} was recalled`);
  else if (kind === "text") say(`#${seq} ${sender}: ${message.text}${edited}`);
  else if (members?.added.length) say(`-- ${sender} added ${members.added.join(", ")}`);
  else if (members?.removed.length) say(`-- ${sender} removed ${members.removed.join(", ")}`);
  else if (members?.left.length) say(`-- ${members.left.join(", ")} left`);
  notes[seq] = message;
}

// What was said before, then what is said from now on.
for await (const page of room.history({ limit: 20 })) {
  page.forEach(show);
  break;
}
im.on("message", ({ conversation, message }) => conversation === room && show(message));
im.on("messageUpdated", ({ conversation, message }) => {
  if (conversation === room && message.seq && !message.pending && message.state === "sent") show(message);
});
im.on("typing", ({ conversation, user, typing }) => conversation === room && typing && say(`-- ${user} is writing`));

const commands = {
  "/add": (names) => room.addMembers(names),
  "/remove": ([name]) => room.removeMember(name),
  "/edit": ([number, ...words]) => room.edit(notes[number.replace("#", "")], { text: words.join(" ") }),
  "/recall": ([number]) => room.recall(notes[number.replace("#", "")]),
  "/react": ([number, emoji]) => room.react(notes[number.replace("#", "")], emoji),
  "/who": async () => {
    for await (const page of room.members()) {
      const there = await im.presence.fetch(page.map((one) => one.user));
      for (const { user, online } of there) say(`-- ${user}${online ? "" : " (away)"}`);
    }
  },
  "/quit": async () => {
    await im.close();
    process.exit(0);
  },
};

say(`-- you are in "${room.title}" as ${user}; commands: ${Object.keys(commands).join(" ")}`);
for await (const line of createInterface({ input: process.stdin })) {
  const [word, ...rest] = line.trim().split(/\s+/);
  try {
    if (commands[word]) await commands[word](rest);
    else if (word?.startsWith("/")) say(`-- there is no ${word}`);
    else if (line.trim()) room.sendLocal({ text: line, mentions: [...line.matchAll(/@(\w+)/g)].map((match) => match[1]) });
    room.read();
  } catch (error) {
    say(`-- ${error instanceof SkeinError ? error.message : "that message is not on the screen"}`);
  }
}
await im.close();
