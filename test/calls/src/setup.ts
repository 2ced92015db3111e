// What the tests of a file need, from before the first to after the last one.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { type Chat, startChat } from "./chat.js";
import { launch, Party, startPages, type JoinOptions, type Pages } from "./party.js";
import { Person } from "./person.js";
import { startSFU, type SFU } from "./sfu.js";

/** Something that is there while tests run. */
function during<T>(start: () => Promise<T>, stop: (it: T) => Promise<unknown>): () => T {
  let it: { readonly made: T } | undefined;
  beforeAll(async () => {
    it = { made: await start() };
  });
  afterAll(async () => {
    if (it !== undefined) await stop(it.made);
  });
  return () => {
    if (it === undefined) throw new Error("it is there while tests run");
    return it.made;
  };
}

export interface Screens {
  readonly browser: Browser;
  readonly pages: Pages;
}

/** A browser and its pages. */
const startScreens = async (): Promise<Screens> => {
  const [browser, pages] = await Promise.all([launch(), startPages()]);
  return { browser, pages };
};
const stopScreens = async ({ browser, pages }: Screens): Promise<void> => {
  await browser.close();
  await pages.stop();
};

/** A browser and its pages, for tests that have a server of their own. */
export const withScreens = (): (() => Screens) => during(startScreens, stopScreens);

/** An SFU, and parties who come into its rooms with tokens that are made for them. */
export function withSFU(...args: string[]): Screens & { readonly sfu: SFU; join(identity: string, room: string, o?: JoinOptions): Promise<Party> } {
  const it = during(
    async () => {
      const [sfu, screens] = await Promise.all([startSFU(args), startScreens()]);
      return { sfu, ...screens };
    },
    async ({ sfu, ...screens }) => {
      await stopScreens(screens);
      await sfu.stop();
    },
  );
  return {
    get sfu() {
      return it().sfu;
    },
    get browser() {
      return it().browser;
    },
    get pages() {
      return it().pages;
    },
    join(identity, room, o) {
      const { browser, pages, sfu } = it();
      return Party.join(browser, pages.url, sfu, identity, room, o);
    },
  };
}

/** The server beside an SFU, and people who call each other. */
export function withPeople(): { readonly chat: Chat; signIn(user: string, device?: string): Promise<Person> } {
  const it = during(
    async () => {
      const screens = await startScreens();
      return { chat: await startChat("--allowed-origins", new URL(screens.pages.url).origin), ...screens };
    },
    async ({ chat, ...screens }) => {
      await stopScreens(screens);
      await chat.stop();
    },
  );
  return {
    get chat() {
      return it().chat;
    },
    signIn(user, device) {
      const { browser, pages, chat } = it();
      return Person.signIn(browser, pages.url, chat.url, user, device);
    },
  };
}
