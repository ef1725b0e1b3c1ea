// The browser's database, as promises: what this device holds of documents, and what of it the server does not have.
const NAME = 'coscribe'
const VERSION = 2

/** The updates of every replica on this device. */
export const UPDATES = 'updates'
/** Changes made here that the server has not acknowledged; they stand in `updates` too. */
export const UNSAVED = 'unsaved'
/** One record for each lineage that was opened here. */
export const COPIES = 'copies'
/** Texts that were taken out of a document because the server does not take them. */
export const TEXTS = 'texts'
const STORES = [UPDATES, UNSAVED, COPIES, TEXTS]

/** Index of `updates` and `unsaved`: [document, generation]. */
export const LINEAGE = 'lineage'
/** Index of `updates` and `unsaved`: document, all generations. */
export const DOCUMENT = 'document'

export interface StoredUpdate {
  document: string
  generation: number
  update: Uint8Array
}

/** `changes`: how many changes it holds; `at`: when the last of them was made, in milliseconds since 1970. */
export interface UnsavedUpdate extends StoredUpdate {
  changes: number
  at: number
}

/** Why something is on this device and not in the document. */
export interface Why {
  kind: 'refused' | 'fork' | 'differs' | 'removed' | 'missing' | 'trashed' | 'replaced' | 'too-large'
  reason: string
}

/** `opened`: when this lineage was last open here, in milliseconds since 1970. */
export interface CopyRecord {
  document: string
  generation: number
  opened: number
  why: Why | null
}

/** `parts`: what of the text was in no other place; empty when only deletions were. */
export interface KeptText {
  id: string
  document: string
  at: number
  why: Why
  text: string
  parts: string[]
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
  for (const name of [UPDATES, UNSAVED]) {
    if (database.objectStoreNames.contains(name)) continue
    const updates = database.createObjectStore(name, { autoIncrement: true })
    updates.createIndex(LINEAGE, ['document', 'generation'])
    updates.createIndex(DOCUMENT, 'document')
  }
  database.createObjectStore(COPIES, { keyPath: ['document', 'generation'] })
  database.createObjectStore(TEXTS, { keyPath: 'id' })
}

/** Runs `work` on an open database and closes it. */
export async function withDatabase<T>(work: (database: IDBDatabase) => Promise<T>): Promise<T> {
  const database = await openDatabase()
  try {
    return await work(database)
  } finally {
    database.close()
  }
}

/** All generations of a document. */
const generationsOf = (document: string): IDBKeyRange =>
  IDBKeyRange.bound([document, 0], [document, Number.MAX_SAFE_INTEGER])

/** The records of a document's lineages. */
export function recordsOf(transaction: IDBTransaction, document: string): Promise<CopyRecord[]> {
  return asPromise(transaction.objectStore(COPIES).getAll(generationsOf(document)))
}

/** Removes what a database holds of a document, in every generation; texts that were taken out of it stay. */
export async function removeFrom(database: IDBDatabase, document: string): Promise<void> {
  const transaction = database.transaction(STORES, 'readwrite')
  await removeRows(transaction, DOCUMENT, document)
  transaction.objectStore(COPIES).delete(generationsOf(document))
  await committed(transaction)
}

/** Deletes the updates that an index names, saved or not. */
export async function removeRows(
  transaction: IDBTransaction,
  index: typeof LINEAGE | typeof DOCUMENT,
  key: IDBValidKey,
): Promise<void> {
  for (const name of [UPDATES, UNSAVED]) {
    const store = transaction.objectStore(name)
    for (const row of await asPromise(store.index(index).getAllKeys(key))) store.delete(row)
  }
}

/** Removes this device's copy of a document that no page here has open, unless it holds what the server does not. */
export async function removeSavedCopy(document: string): Promise<void> {
  await withDatabase(async database => {
    const transaction = database.transaction(STORES)
    const unsaved = await asPromise(transaction.objectStore(UNSAVED).index(DOCUMENT).count(document))
    const records = await recordsOf(transaction, document)
    if (unsaved === 0 && !records.some(holdsUnsaved)) await removeFrom(database, document)
  })
}

/** A lineage that was replaced on the server may hold what no newer one has, even if all of it was saved once. */
export function holdsUnsaved({ why }: CopyRecord): boolean {
  return why?.kind === 'replaced'
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
