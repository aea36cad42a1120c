/**
 * A key-value store in IndexedDB of the extension's origin. Firefox has no `setAccessLevel`, so there its content
 * scripts could read `storage.local`; this they cannot reach.
 */
import type { Store } from "./platform";

const OBJECTS = "values";

export function openStore(name: string): Store {
  let opened: Promise<IDBDatabase> | undefined;

  function database(): Promise<IDBDatabase> {
    opened ??= open(name, () => {
      opened = undefined;
    }).catch((error: unknown) => {
      // The next caller tries again: a profile on a slow disk recovers.
      opened = undefined;
      throw error;
    });
    return opened;
  }

  async function run<T>(mode: IDBTransactionMode, work: (values: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const transaction = (await database()).transaction(OBJECTS, mode, { durability: "strict" });
    const request = work(transaction.objectStore(OBJECTS));
    return new Promise<T>((resolve, reject) => {
      // Resolved only when it is on disk: the identity's two slots rely on the order of writes.
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error("the transaction was aborted"));
    });
  }

  return {
    get: (key) => run("readonly", (values) => values.get(key) as IDBRequest<unknown>),
    set: async (key, value) => void (await run("readwrite", (values) => values.put(value, key))),
    remove: async (key) => void (await run("readwrite", (values) => values.delete(key))),
  };
}

function open(name: string, lost: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => void request.result.createObjectStore(OBJECTS);
    request.onsuccess = () => {
      request.result.onclose = lost;
      resolve(request.result);
    };
    request.onerror = () => reject(request.error ?? new Error("the database did not open"));
    request.onblocked = () => reject(new Error("the database is in use by an older version"));
  });
}
