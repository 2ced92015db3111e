// What the menu of a message can do with its files.
import type { Message } from "@skein/client";
import { useMemo } from "react";
import { useClient } from "../live/context.tsx";
import { copiesPictures, useCopyPicture } from "./copyPicture.ts";
import { kindOf } from "./kinds.ts";
import { saveUrl } from "./save.ts";
import type { Attachment } from "./sdk.ts";

/** The files of a message that lie at the server. */
export function filesOfMessage({ content, recalled }: Pick<Message, "content" | "recalled">): readonly Attachment[] {
  return !recalled && content?.type === "attachments" ? content.items.filter(({ file }) => file !== "") : [];
}

/** Whether it is a single picture, which this browser can copy. */
export function mayCopyPicture(message: Pick<Message, "content" | "recalled">): boolean {
  const [only, ...more] = filesOfMessage(message);
  return only !== undefined && more.length === 0 && kindOf(only) === "picture" && copiesPictures();
}

/** The actions. */
export function useFileActions(): { readonly save: (message: Message) => void; readonly copyPicture: (message: Message) => void } {
  const { files } = useClient();
  const copy = useCopyPicture();
  return useMemo(
    () => ({
      save: (message) => {
        const { conversation, seq } = message;
        for (const { file, name } of filesOfMessage(message)) {
          const url = files.url({ conversation, seq, file }, { save: true });
          if (url !== undefined) saveUrl(url, name);
        }
      },
      copyPicture: (message) => {
        const { conversation, seq } = message;
        const [only] = filesOfMessage(message);
        const url = only && files.url({ conversation, seq, file: only.file });
        if (url !== undefined) copy(url);
      },
    }),
    [files, copy],
  );
}
