// Saves a file as a link would, without leaving the page.
import { shownName } from "./kinds.ts";

/** Saves what is at an address under a name; the server says the same name, which counts for other origins. */
export function saveUrl(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = shownName(name);
  link.rel = "noopener";
  document.body.append(link);
  link.click();
  link.remove();
}
