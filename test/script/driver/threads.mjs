// Threads, topics, polls, pins and extensions.
import { threads } from "@skein/client/threads";

export const modules = { threads: threads() };

export const listen = (client, changed) => client.threads.onChange(changed);

export const verbs = (d) => {
  const of = () => d.client.threads;
  const { at } = d;
  const message = (c) => ({ conversation: c.conversation, seq: c.limit });
  const opened = async (c) => {
    const view = of().open(c.conversation, c.limit);
    if (view.state.loading) {
      await new Promise((done) => {
        const off = view.subscribe(() => {
          if (view.state.loading) return;
          off();
          done();
        });
      });
    }
    if (view.state.error) {
      view.close();
      throw view.state.error;
    }
    return view;
  };
  const said = (m) => `${m.sender}: ${m.text}`;
  return {
    answer: async (c) => d.message(await at(c).send({ text: c.text, options: { threadSeq: c.limit } })),
    makePoll: async (c) => d.message(await at(c).send(of().poll({ question: c.text, options: c.users ?? [] }))),
    createTopic: async (c) => {
      const seq = await of().createTopic(c.conversation, { name: c.text });
      const { topics } = await of().topics(c.conversation);
      return d.message(topics.find((topic) => topic.seq === seq));
    },
    updateTopic: async (c) => of().updateTopic(message(c), { name: c.text }),
    closeTopic: async (c) => of().closeTopic(message(c), { reopen: c.remove ?? false }),
    readThread: async (c) => {
      const view = await opened(c);
      view.read();
      view.close();
    },
    followThread: async (c) => of().follow(c.conversation, c.limit, !c.remove),
    vote: async (c) => of().vote(message(c), c.users ?? []),
    closePoll: async (c) => of().closePoll(message(c)),
    pinMessage: async (c) => (c.remove ? of().unpin(message(c)) : of().pin(message(c))),
    extend: async (c) => of().setExtension(message(c), c.type, c.remove ? undefined : c.text),
    thread: async (c) => {
      const view = await opened(c);
      const lines = view.state.replies.map(said);
      view.close();
      return lines;
    },
    threads: async (c) => (await of().list(c.conversation)).roots.map((m) => `${m.text}: ${of().replies(m).count} replies`),
    topics: async (c) => (await of().topics(c.conversation)).topics.map((m) => m.content.name),
    pins: async (c) => (await of().pins(c.conversation)).map(({ message: m }) => m.text ?? ""),
    beside: async (c) => {
      const m = at(c).messages.find((one) => one.id === c.message);
      if (!m) return [];
      const replies = of().replies(m);
      const poll = of().tally(m);
      return [
        ...(replies ? [`${replies.count} replies, ${replies.unread} unread`] : []),
        ...(poll?.closed ? ["closed"] : []),
        ...(poll?.options ?? []).map((o) => `${o.text} ${o.count}${o.mine ? " mine" : ""}`),
        ...[...of().extensions(m)].map(([key, value]) => `${key}=${new TextDecoder().decode(value)}`),
        ...(of().pinned(c.conversation).includes(m.seq) ? ["pinned"] : []),
        ...(m.content?.type === "topic" && m.content.closed ? ["closed topic"] : []),
      ];
    },
  };
};
