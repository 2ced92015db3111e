// The client of the app: the SDK with the modules that the app uses, one a line.
import { createClient, type ClientOptions, type ClientWith, type Conversation } from "@skein/client";
import { board } from "@skein/client/board";
import { calls } from "@skein/client/calls";
import { files } from "@skein/client/files";
import { groups } from "@skein/client/groups";
import { invites } from "@skein/client/invites";
import { conversations } from "@skein/client/conversations";
import { messages } from "@skein/client/messages";
import { people } from "@skein/client/people";
import { rooms } from "@skein/client/rooms";
import { signIns } from "@skein/client/signin";
import { receipts } from "@skein/client/receipts";
import { serverSearch } from "@skein/client/search";
import { threads } from "@skein/client/threads";
import { timed } from "@skein/client/timed";
import { describe } from "../files/send/inspect.ts";

const modules = (rolesIn: (conversation: Conversation) => readonly string[]) => ({
  board: board(),
  calls: calls(),
  conversations: conversations(),
  files: files({ describe }),
  groups: groups(),
  invites: invites(),
  messages: messages({ rolesIn }),
  people: people(),
  rooms: rooms(),
  signIns: signIns(),
  receipts: receipts(),
  serverSearch: serverSearch(),
  threads: threads(),
  timed: timed(),
});

/** The SDK's client with the app's modules. */
export type AppClient = ClientWith<ReturnType<typeof modules>>;

/** Makes it. */
export function createAppClient(options: Omit<ClientOptions, "modules">): AppClient {
  const made: AppClient = createClient({ ...options, modules: modules((conversation) => made.groups.attrs(conversation).roles) });
  return made;
}
