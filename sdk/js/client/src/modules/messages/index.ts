/**
 * Kinds of content, Markdown, forwards, commands and mentions of many:
 * `createClient({ …, modules: { messages: messages() } })` gives `client.messages`, and `message.content` knows the kinds.
 *
 * @packageDocumentation
 */
import { SkeinError } from "../../error.js";
import { type CallOptions, type Module, type ModuleHost, type Unsubscribe, defineModule } from "../../module.js";
import type { Conversation } from "../../types/conversation.js";
import type { Message, MessageContent, OutgoingContent, OutgoingText } from "../../types/message.js";
import type { Init } from "../../wire/codec.js";
import { detailsOf, readContent } from "./read.js";
import type { Calls, ContactCard, Details, Location, NewAttachment, Sticker, TextFormat } from "./types.js";
import { type ContentFields, calls, clientFrameFields, contentFields, serverFrameFields } from "./wire.js";

export { detailsOf, readContent } from "./read.js";
export type {
  Attachment,
  Calls,
  ContactCard,
  Details,
  Forwarded,
  Location,
  Merged,
  MergedItem,
  NewAttachment,
  Notice,
  Sticker,
  TextFormat,
} from "./types.js";

/** Somebody said a command. */
export interface CommandEvent {
  readonly conversation: Conversation;
  readonly user: string;
  readonly type: string;
  readonly data: Uint8Array;
}

/** What `text` and `attachments` may say beside the text. */
export interface TextOptions {
  readonly format?: TextFormat | undefined;
  /** Beside `mentions` of what is sent. */
  readonly calls?: Calls | undefined;
}

/** What `client.messages` offers. What it makes is for `send` and `edit`: `send({ ...client.messages.location(place), replyTo })`. */
export interface Messages {
  text(text: string, options?: TextOptions): OutgoingText;
  location(place: Pick<Location, "latitude" | "longitude"> & Partial<Location>): OutgoingContent;
  contactCard(card: Pick<ContactCard, "user"> & Partial<ContactCard>): OutgoingContent;
  sticker(sticker: Pick<Sticker, "pack" | "id" | "alt"> & Partial<Sticker>): OutgoingContent;
  /** 1 to 20 files. */
  attachments(items: readonly NewAttachment[], caption?: string, options?: TextOptions): OutgoingContent;

  /**
   * The `options` of an answer to a message: what answers a message for some is for those and its sender. The server sees
   * to it in any case; with these the local echo says so at once.
   */
  replyOptions(message: Pick<Message, "sender" | "delivery">): { readonly toUsers?: readonly string[] };
  /** What goes with a message beside its content. The same object for the same message. */
  details(message: Pick<Message, "fields">): Details;
  /** Whether a message calls this user: by name, by a role, with all, or with here while this client was online when it came. */
  mentionsMe(message: Message): boolean;

  /**
   * Sends messages of one conversation to another: each by itself (at most 20) or merged into one (at most 100). The server
   * reads the originals, so that `forwarded` and `merged` can be believed. It needs the network; resolves when all are stored.
   */
  forward(
    messages: readonly Message[],
    to: Conversation | string,
    options?: CallOptions & { readonly merged?: boolean | undefined; readonly title?: string | undefined; readonly comment?: string | undefined },
  ): Promise<void>;

  /**
   * Says something to the online devices of the members, or of some of them: at most 4 KiB, stored nowhere. Rejects with
   * `unavailable` when the client is not online: then it was not said.
   */
  command(
    conversation: Conversation | string,
    type: string,
    data?: Uint8Array | string,
    options?: CallOptions & { readonly to?: readonly string[] | undefined },
  ): Promise<void>;
  onCommand(listener: (command: CommandEvent) => void): Unsubscribe;
}

/** What the module does not know by itself. */
export interface MessagesOptions {
  /** Ids of the group's own roles that the user has, for `mentionsMe`: `(conversation) => client.groups.attrs(conversation).roles`. */
  readonly rolesIn?: ((conversation: Conversation) => readonly string[]) | undefined;
}

const markdown = 2;
const e7 = 1e7;
const attempts = 4;

function refuse(message: string): never {
  throw new SkeinError("invalid_argument", message);
}

function idOf(conversation: Conversation | string): string {
  return typeof conversation === "string" ? conversation : conversation.id;
}

function degrees(value: number, most: number, name: string): number {
  return Math.abs(value) <= most ? Math.round(value * e7) : refuse(`a ${name} is -${most} to ${most} degrees`);
}

function extra({ format, calls: { roles = [], all = false, here = false } = {} }: TextOptions): Init<ContentFields> {
  return { format: format === "markdown" ? markdown : 0, mentionRoles: roles, mentionAll: all, mentionHere: here };
}

class MessagesOfHost implements Messages {
  readonly #host: ModuleHost;
  readonly #rolesIn: (conversation: Conversation) => readonly string[];
  #onlineSince = Infinity;

  constructor(host: ModuleHost, { rolesIn }: MessagesOptions) {
    this.#host = host;
    this.#rolesIn = rolesIn ?? (() => []);
    host.contents((fields): MessageContent | undefined => readContent(fields));
    host.on("state", ({ state }) => {
      if (state !== "online") this.#onlineSince = Infinity;
      else if (this.#onlineSince === Infinity) this.#onlineSince = host.now();
    });
  }

  text(text: string, options: TextOptions = {}): OutgoingText {
    const content = contentFields.write(extra(options));
    return { text, ...(content.length ? { content } : {}) };
  }

  location({ latitude, longitude, name = "", address = "" }: Pick<Location, "latitude" | "longitude"> & Partial<Location>): OutgoingContent {
    const place = { latitudeE7: degrees(latitude, 90, "latitude"), longitudeE7: degrees(longitude, 180, "longitude"), name, address };
    return { content: contentFields.write({ location: place }) };
  }

  contactCard({ user, name = "" }: Pick<ContactCard, "user"> & Partial<ContactCard>): OutgoingContent {
    return { content: contentFields.write({ contactCard: { user, name } }) };
  }

  sticker({ pack, id, url = "", alt }: Pick<Sticker, "pack" | "id" | "alt"> & Partial<Sticker>): OutgoingContent {
    return { content: contentFields.write({ sticker: { pack, id, url, alt } }) };
  }

  attachments(items: readonly NewAttachment[], caption = "", options: TextOptions = {}): OutgoingContent {
    if (items.length < 1 || items.length > 20) refuse("a message has 1 to 20 attachments");
    for (const { url, file } of items) if (!url === !file) refuse("an attachment has a url or a file");
    const files = items.map(({ duration, ...file }) => ({ ...file, durationMs: Math.round(duration ?? 0) }));
    return { content: contentFields.write({ attachments: { items: files, caption }, ...extra(options) }) };
  }

  replyOptions({ sender, delivery }: Pick<Message, "sender" | "delivery">): { readonly toUsers?: readonly string[] } {
    const to = delivery?.toUsers ?? [];
    return to.length ? { toUsers: to.includes(sender) ? to : [...to, sender] } : {};
  }

  details(message: Pick<Message, "fields">): Details {
    return detailsOf(message);
  }

  mentionsMe(message: Message): boolean {
    const { userId } = this.#host;
    if (message.sender === userId || message.recalled) return false;
    if (message.mentions.includes(userId)) return true;
    const { mentionAll, mentionHere, mentionRoles } = this.details(message);
    if (mentionAll || (mentionHere && message.time >= this.#onlineSince)) return true;
    if (!mentionRoles.length) return false;
    const conversation = this.#host.conversation(message.conversation);
    const { myRole } = conversation;
    return (myRole !== undefined && mentionRoles.includes(myRole)) || this.#rolesIn(conversation).some((role) => mentionRoles.includes(role));
  }

  async forward(
    messages: readonly Message[],
    to: Conversation | string,
    { merged = false, title = "", comment = "", signal }: Parameters<Messages["forward"]>[2] = {},
  ): Promise<void> {
    const from = messages[0]?.conversation ?? refuse("there is nothing to forward");
    const seqs = messages.map(({ conversation, seq }) => {
      if (conversation !== from || !seq) refuse("only sent messages of one conversation are forwarded together");
      return seq ?? 0;
    });
    const input = { from, seqs, to: idOf(to), merged, title, comment, clientId: this.#host.newClientId() };
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#host.call(calls.ForwardMessages, input, { signal });
        return;
      } catch (error) {
        // Whether it was done is not known: the same ids again do nothing twice.
        if (!(error instanceof SkeinError) || error.code !== "unavailable" || attempt === attempts || this.#host.state !== "online") throw error;
      }
    }
  }

  async command(
    conversation: Conversation | string,
    type: string,
    data: Uint8Array | string = "",
    { to = [], signal }: Parameters<Messages["command"]>[3] = {},
  ): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    await this.#host.ask(clientFrameFields.write({ command: { conversation: idOf(conversation), type, data: bytes, toUsers: to } }), { signal });
  }

  onCommand(listener: (command: CommandEvent) => void): Unsubscribe {
    return this.#host.onFrame((fields) => {
      const { command } = serverFrameFields.read(fields);
      if (!command) return;
      const { conversation, user, type, data } = command;
      listener({ conversation: this.#host.conversation(conversation), user, type, data });
    });
  }
}

/** The module: see `Messages`. */
export function messages(options: MessagesOptions = {}): Module<Messages> {
  return defineModule((host) => new MessagesOfHost(host, options));
}
