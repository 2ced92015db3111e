export type { Message } from "../../types/message.js";

/** How a text is to be read: `markdown` is what `@skein/client/markdown` parses. */
export type TextFormat = "markdown";
