// The web app as a person uses it: by names and roles, not by the names of
// its classes, except for what has no words.
import type { BrowserContext, Locator, Page } from "playwright-core";
import type { TestFile } from "./media.ts";
import type { Server } from "./server.ts";

/** A tab with the app in it. */
export class App {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** Opens a tab and signs in as a demo user, unless the profile is signed in. */
  static async open(context: BrowserContext, server: Pick<Server, "url">, user: string): Promise<App> {
    const page = await context.newPage();
    const app = new App(page);
    const list = page.locator("nav.inbox");
    const demo = page.getByRole("button", { name: user, exact: true });
    const offered = ["alice", "bob", "carol"].includes(user);
    await page.goto(`${server.url}/${offered ? "" : `?as=${user}`}`);
    await list.or(demo).first().waitFor();
    if (!(await list.isVisible())) await demo.click();
    await list.waitFor();
    return app;
  }

  /** Wraps a tab that is there. */
  static of(page: Page): App {
    return new App(page);
  }

  get field(): Locator {
    return this.page.locator(".composer-field");
  }

  row(name: string): Locator {
    return this.page.locator(".chat-row", { has: this.page.locator(".chat-name", { hasText: new RegExp(`^${name}$`) }) });
  }

  /** The rows of the messages with this text. */
  message(text: string): Locator {
    return this.page.locator("[data-message]", { has: this.page.locator(".bubble-text", { hasText: text }) });
  }

  /** Opens the conversation with a user from the list, or begins one. */
  async chatWith(user: string): Promise<void> {
    const row = this.row(user);
    if ((await row.count()) > 0) await row.click();
    else {
      await this.page.getByRole("button", { name: /^(New chat|新建聊天)$/ }).click();
      await this.page.getByRole("menuitem", { name: /^(New message|发消息)$/ }).click();
      await this.page.getByRole("dialog").getByRole("textbox").fill(user);
      await this.page.keyboard.press("Enter");
    }
    await this.page.locator(".thread-name", { hasText: user }).waitFor();
  }

  /** Writes a message and sends it with Enter, once nothing that is shown over the field is in the way. */
  async send(text: string): Promise<void> {
    await this.field.click();
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  /** Chooses files from the menu of what can be attached; the dialog that shows them. */
  async choose(item: string | RegExp, files: readonly TestFile[]): Promise<Locator> {
    await this.page.locator(".composer-row > .icon-button").first().click();
    const chooser = this.page.waitForEvent("filechooser");
    await this.page.getByRole("menuitem", { name: item, exact: true }).click();
    await (await chooser).setFiles(files.map((file) => ({ ...file })));
    const dialog = this.page.getByRole("dialog");
    await dialog.waitFor();
    return dialog;
  }

  /** Sends what the dialog of chosen files shows. */
  async sendChosen(): Promise<void> {
    const dialog = this.page.getByRole("dialog");
    await dialog.getByRole("button", { name: /^(Send|发送)$/ }).click();
    await dialog.waitFor({ state: "detached" });
  }

  /** Waits until a message is seen. */
  async sees(text: string, timeout = 30_000): Promise<void> {
    await this.message(text).first().waitFor({ timeout });
  }

  /** Waits until a message with this text has lit up, after the one that was last asked for. */
  async flashed(text: string): Promise<void> {
    await eventually(
      () =>
        this.page.evaluate((text) => {
          const { flashed } = window as unknown as { flashed: string[] };
          const at = flashed.findIndex((one) => one.includes(text));
          return flashed.splice(0, at + 1).length > 0;
        }, text),
      (lit) => lit,
    );
  }

  /** Waits until an own message has reached a state: what is read was delivered, and what is delivered was sent. */
  async state(text: string, state: "sending" | "sent" | "delivered" | "read", timeout = 30_000): Promise<void> {
    const on = ["sent", "delivered", "read"];
    const reached = state === "sending" ? [state] : on.slice(on.indexOf(state));
    await this.message(text).locator(reached.map((one) => `.ticks[data-state=${one}]`).join(", ")).waitFor({ timeout });
  }

  /** Opens the menu of a message and chooses from it. */
  async menu(text: string, item: string | RegExp): Promise<void> {
    await (await this.menuOf(text, item)).click();
  }

  /** Opens the menu of a message, again when the list moved under it, which closes it; and returns an item of it. */
  async menuOf(text: string, item: string | RegExp): Promise<Locator> {
    const found = this.page.getByRole("menuitem", { name: item, exact: true });
    for (let tries = 0; ; tries++) {
      await this.message(text).locator(".bubble").click({ button: "right" });
      try {
        await found.waitFor({ timeout: 3000 });
        return found;
      } catch (error) {
        if (tries === 5) throw error;
      }
    }
  }

  /** Waits until the connection is there: no strip at the top. */
  async online(timeout = 30_000): Promise<void> {
    await this.page.locator(".banner").waitFor({ state: "detached", timeout });
  }

  /** Waits until the app says that it is not connected. */
  async away(timeout = 30_000): Promise<void> {
    await this.page.locator(".banner").waitFor({ timeout });
  }

  /** The texts that are drawn, in order. */
  texts(): Promise<string[]> {
    return this.page.locator("[data-message] .bubble-text").evaluateAll((all) =>
      all.map((element) => {
        const copy = element.cloneNode(true) as Element;
        copy.querySelector(".meta")?.remove();
        return copy.textContent ?? "";
      }),
    );
  }
}

/** Calls `probe` until it gives what is wanted, or the time is over. */
export async function eventually<Value>(probe: () => Promise<Value> | Value, wanted: (value: Value) => boolean, timeout = 20_000): Promise<Value> {
  const end = performance.now() + timeout;
  for (;;) {
    const value = await probe();
    if (wanted(value)) return value;
    if (performance.now() > end) throw new Error(`not within ${timeout} ms; the last value was ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}
