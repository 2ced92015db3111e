// Livestreams.
import { rooms } from "@skein/client/rooms";

export const modules = { rooms: rooms() };

let joined = {};
let poke = () => {};

export const listen = (_client, changed) => {
  joined = {};
  poke = changed;
};

export const verbs = (d) => ({
  joinRoom: async (c) => {
    const room = await d.client.rooms.join(c.conversation);
    joined[c.conversation] = room;
    room.subscribe(poke);
  },
  leaveRoom: (c) => joined[c.conversation].leave(),
  sayInRoom: async (c) => void (await joined[c.conversation].say(c.text)),
  limitViewer: (c) => {
    const room = joined[c.conversation];
    return c.remove ? room.remove(c.users[0], c.limit ?? 0) : room.mute(c.users[0], c.limit ?? 0);
  },
  roomLines: (c) => {
    const now = joined[c.conversation]?.snapshot();
    if (!now) return [];
    return [
      ...now.messages.map((m) => `${m.user}: ${m.text}`),
      `viewers ${now.viewers}`,
      ...(now.mutedUntil > Date.now() ? ["muted"] : []),
      ...(now.ended ? [`ended ${now.ended}`] : []),
    ];
  },
});
