import type { Page } from "playwright-core";

/** Whether this text is in the browser's own storage: a reload within the same millisecond may come before that. */
export function stored(page: Page, text: string): Promise<boolean> {
  return page.evaluate(async (wanted) => {
    const answer = <Value>(request: IDBRequest<Value>) =>
      new Promise<Value>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error ?? new Error("IndexedDB refused"));
      });
    for (const { name } of await indexedDB.databases()) {
      const db = await answer(indexedDB.open(name ?? ""));
      try {
        for (const store of db.objectStoreNames) {
          const all: unknown[] = await answer(db.transaction(store).objectStore(store).getAll());
          if (all.some((record) => JSON.stringify(record).includes(wanted))) return true;
        }
      } finally {
        db.close();
      }
    }
    return false;
  }, text);
}
