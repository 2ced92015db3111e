// A module as an app could write it: polls, with everything that a module can do. One of this package lives in
// src/modules/<name>/index.ts, and its pieces are generated from wire.json instead of written by hand.
import { type Conversation, type Message, type Piece, type Unsubscribe, callOf, defineModule, piece, schemaOf } from "../../src/module.js";

interface Poll {
  question: string;
  options: readonly string[];
}
interface ContentFields {
  poll?: Poll | undefined;
}
interface ClosePoll {
  conversation: string;
  seq: number;
}
interface Tally {
  votes: number;
}

// Number, type (s string, b bytes, u uint32, l uint64, i int64, o bool, e enum, m message; capital = repeated), name, message.
const schema = schemaOf({
  Poll: "1squestion 2Soptions",
  ContentFields: "26mpoll:Poll",
  ItemFields: "30uvotes",
  ClosePollRequest: "1sconversation 2lseq",
  ClosePollResponse: "2uvotes",
  ClientFrameFields: "11mwatch:Watch",
  ServerFrameFields: "15mtally:Tally",
  Watch: "1sconversation",
  Tally: "1uvotes",
});
const content: Piece<ContentFields> = piece(schema, "ContentFields");
const item: Piece<Tally> = piece(schema, "ItemFields");
const closePoll = callOf<ClosePoll, Tally>(schema, "PollService/ClosePoll");
const clientFrame: Piece<{ watch: { conversation: string } }> = piece(schema, "ClientFrameFields");
const serverFrame: Piece<{ tally?: Tally | undefined }> = piece(schema, "ServerFrameFields");

declare module "../../src/types/message.js" {
  interface ModuleContents {
    readonly ballot: Poll;
  }
}

export interface Polls {
  /** What `send` takes to start a poll. */
  content(poll: Poll): { content: Uint8Array };
  votes(message: Message): number;
  close(message: Message): Promise<number>;
  /** How many votes there are now, as the server counts them while it is watched. */
  watch(conversation: Conversation, listener: (votes: number) => void): Promise<Unsubscribe>;
  /** The poll that the user left half written; on all of their devices. */
  readonly draft: string | undefined;
  setDraft(question: string): Promise<void>;
  onDraft(listener: () => void): Unsubscribe;
}

const voted = 8;

export const polls = () =>
  defineModule((host): Polls => {
    host.contents((fields) => {
      const { poll } = content.read(fields);
      return poll && { type: "ballot", question: poll.question, options: poll.options };
    });
    host.fold(voted, (fields) => item.write({ votes: item.read(fields).votes + 1 }));
    const draft = (): string | undefined => {
      const value = host.keyed(`~${host.userId}`).get("draft/poll");
      return value?.content && content.read(value.content).poll?.question;
    };
    return {
      content: (poll) => ({ content: content.write({ poll }) }),
      votes: (message) => item.read(message.fields?.item).votes,
      close: async ({ conversation, seq = 0 }) => (await host.call(closePoll, { conversation, seq })).votes,
      async watch({ id }, listener) {
        await host.ask(clientFrame.write({ watch: { conversation: id } }));
        return host.onFrame((fields) => {
          const { tally } = serverFrame.read(fields);
          if (tally) listener(tally.votes);
        });
      },
      get draft() {
        return draft();
      },
      setDraft: (question) => host.setKeyed("draft/poll", question ? content.write({ poll: { question } }) : undefined),
      onDraft: (listener) => host.onKeyed(({ key }) => (key === undefined || key === "draft/poll") && listener()),
    };
  });
