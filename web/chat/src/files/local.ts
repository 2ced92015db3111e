// Pictures, films and voice that this page itself has sent: shown at once, and
// not fetched again once they are stored.
import type { NewFile, Transfer } from "./sdk.ts";

/** As many messages are remembered. */
const most = 60;

/** Object URLs by message and place in it. */
export class LocalFiles {
  readonly #urls = new Map<string, readonly (string | undefined)[]>();
  readonly #posters = new Map<string, ReadonlyMap<number, string>>();

  /** Takes the files of a transfer, with the posters of films where they are known. */
  note({ clientId, items }: Pick<Transfer, "clientId" | "items">, given: readonly Pick<NewFile, "poster">[] = []): void {
    const posters = given.flatMap(({ poster }, i) => (poster ? [[i, URL.createObjectURL(poster)] as const] : []));
    if (posters.length > 0) this.#posters.set(clientId, new Map(posters));
    if (this.#urls.has(clientId) || !items.some(({ blob }) => blob)) return;
    this.#urls.set(
      clientId,
      items.map(({ blob }) => blob && URL.createObjectURL(blob)),
    );
    const [oldest] = this.#urls.keys();
    if (this.#urls.size > most && oldest !== undefined) this.#drop(oldest);
  }

  /** Where the file at a place of a message can be read here; undefined when this page has not sent it. */
  url(message: string, index: number): string | undefined {
    return this.#urls.get(message)?.[index];
  }

  /** Where the poster of a film can be read here. */
  poster(message: string, index: number): string | undefined {
    return this.#posters.get(message)?.get(index);
  }

  /** Lets all go. */
  close(): void {
    for (const message of [...this.#urls.keys()]) this.#drop(message);
  }

  #drop(message: string): void {
    for (const url of this.#urls.get(message) ?? []) if (url !== undefined) URL.revokeObjectURL(url);
    for (const url of this.#posters.get(message)?.values() ?? []) URL.revokeObjectURL(url);
    this.#urls.delete(message);
    this.#posters.delete(message);
  }
}
