// The browser's database, as promises. One store: the updates of all documents that this device holds.
const NAME = 'coscribe'
const VERSION = 1

export const UPDATES = 'updates'
/** Index of `updates`: [document, generation]. */
export const LINEAGE = 'lineage'
/** Index of `updates`: document, all generations. */
export const DOCUMENT = 'document'

export interface StoredUpdate {
  document: string
  generation: number
  update: Uint8Array
}

/** Opens the database. Rejects where the browser offers none (private windows, disabled storage). */
export function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION)
    request.onupgradeneeded = () => createStores(request.result)
    request.onblocked = () => reject(new Error('Another window keeps an older local copy open'))
    request.onerror = () => reject(request.error)
    request.onsuccess = () => {
      const database = request.result
      database.onversionchange = () => database.close()
      resolve(database)
    }
  })
}

function createStores(database: IDBDatabase): void {
  const updates = database.createObjectStore(UPDATES, { autoIncrement: true })
  updates.createIndex(LINEAGE, ['document', 'generation'])
  updates.createIndex(DOCUMENT, 'document')
}

/** Removes what a database holds of a document, in every generation. */
export async function removeFrom(database: IDBDatabase, document: string): Promise<void> {
  const transaction = database.transaction(UPDATES, 'readwrite')
  const updates = transaction.objectStore(UPDATES)
  const keys = await asPromise(updates.index(DOCUMENT).getAllKeys(document))
  for (const key of keys) updates.delete(key)
  await committed(transaction)
}

/** Removes this device's copy of a document that no page here has open. */
export async function removeCopy(document: string): Promise<void> {
  const database = await openDatabase()
  try {
    await removeFrom(database, document)
  } finally {
    database.close()
  }
}

export function asPromise<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Resolves when the transaction is in the database, rejects when it was undone. */
export function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error ?? new Error('The local copy was not written'))
  })
}
