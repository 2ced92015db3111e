// A user with a device in a page of Chromium, who calls and answers with Skein's client and livekit-client, both as they are published.
import type { Browser } from "playwright-core";
import type { NewCall } from "@skein/client/calls";
import { devToken } from "./chat.js";
import { open, Party, type JoinOptions } from "./party.js";

export class Person extends Party {
  /** Opens a page and signs in. The server at the endpoint has to allow the origin of the pages. */
  static async signIn(browser: Browser, pages: string, endpoint: string, user: string, device = "phone"): Promise<Person> {
    const page = await open(browser, pages, `${user}/${device}`);
    await page.evaluate(`window.signIn(${JSON.stringify({ endpoint, token: await devToken(endpoint, user), device })})`);
    return new Person(page, `${user}/${device}`);
  }

  #enter(how: { accept?: string; start?: { user?: string; group?: string; call: NewCall } }, options: JoinOptions): Promise<string> {
    return this.page.evaluate(`window.enterCall(${JSON.stringify({ ...how, options: { ...options, log: process.env["CALLS_LOG"] !== undefined } })})`) as Promise<string>;
  }

  /** Calls a user or a group, and is in the room when it resolves, with the call's id. */
  start(whom: { user: string } | { group: string }, call: NewCall = {}, options: JoinOptions = {}): Promise<string> {
    return this.#enter({ start: { ...whom, call: { video: true, ...call } } }, options);
  }

  /** Waits until the device rings; resolves with the call's id. */
  async rings(): Promise<string> {
    await this.until("return w.rings.length > 0;");
    return this.run("return w.rings.shift();");
  }

  /** Answers a call, or comes into one that goes on. */
  accept(id: string, options: JoinOptions = {}): Promise<string> {
    return this.#enter({ accept: id }, options);
  }

  hangUp(): Promise<void> {
    return this.run("await w.inCall.hangUp();");
  }

  /** Waits until this device is out of the room and told why the call is over for its user. */
  async isOut(id: string, reason: string): Promise<void> {
    await this.until(`return room.state === "disconnected" && w.over.includes(${JSON.stringify(`${id} ${reason}`)});`);
  }

  /** When the steps of entering were done, and the first picture and sound of a sender came; ms since 1970. */
  times(identity: string): Promise<{ at: Record<"began" | "letIn" | "connected" | "published", number>; first?: { video?: number; audio?: number } }> {
    return this.run(`return { at: w.at, first: w.first[${JSON.stringify(identity)}] };`);
  }
}
