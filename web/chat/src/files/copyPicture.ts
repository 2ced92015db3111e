// Copies a picture. Clipboards take PNG only, so others are drawn anew.
import { useCallback } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";

async function asPng(url: string): Promise<Blob> {
  const response = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer" });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const blob = await response.blob();
  if (blob.type === "image/png") return blob;
  const bitmap = await createImageBitmap(blob);
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return new Promise((resolve, reject) => canvas.toBlob((png) => (png ? resolve(png) : reject(new Error("no PNG"))), "image/png"));
}

/** Whether this browser can. */
export function copiesPictures(): boolean {
  return typeof ClipboardItem === "function" && typeof navigator.clipboard?.write === "function";
}

/** Copies the picture at an address, and says so. */
export function useCopyPicture(): (url: string) => void {
  const s = useStrings(strings);
  const { show } = useToasts();
  return useCallback(
    (url) => {
      // The promise goes in at once: some browsers allow it only while the button is being pressed.
      const write = async () => navigator.clipboard.write([new ClipboardItem({ "image/png": asPng(url) })]);
      write().then(
        () => show({ text: s.pictureCopied }),
        () => show({ text: s.noCopyPicture, bad: true }),
      );
    },
    [s, show],
  );
}
