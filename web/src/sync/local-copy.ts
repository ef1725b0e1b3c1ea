// The copy of a document on this device. Local changes are written at once, what came from the server a little later but
// never after a local change that may build on it.
import { type ReadonlySignal, signal } from '@preact/signals'
import * as Y from 'yjs'
import {
  asPromise,
  committed,
  LINEAGE,
  openDatabase,
  removeFrom,
  type StoredUpdate,
  UPDATES,
} from './database'

const REMOTE_DELAY_MS = 500
const RETRY_MS = 5_000 // a full disk is not empty by the next key; merging all that waits costs time
const COMPACT_READ_ABOVE = 200 // rows; loading them one by one stays below some 50 ms
const COMPACT_WRITTEN_ABOVE = 1_000 // rows of a page that stays open: two minutes of typing for one large write
/** A database that has not opened by then, as in damaged profiles, may never do so. */
export const OPEN_WITHIN_MS = 5_000

/** `kept`: every local change is on this device. `failed`: it is not, and the next attempt follows where there can be one. */
export type CopyState = 'kept' | 'writing' | 'failed'

export class LocalCopy {
  readonly #state = signal<CopyState>('kept')
  readonly #database: Promise<IDBDatabase>
  #doc: Y.Doc | undefined
  #queue: Uint8Array[] = []
  /** Rows whose changes the replica holds: what was read, and what this window wrote. */
  #held: IDBValidKey[] = []
  #writing = false
  #hasLocal = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(
    private readonly document: string,
    private readonly generation: number,
  ) {
    this.#database = openDatabase()
    const overdue = setTimeout(() => {
      this.#state.value = 'failed'
    }, OPEN_WITHIN_MS)
    this.#database
      .then(
        () => this.#opened(),
        () => this.#refused(),
      )
      .finally(() => clearTimeout(overdue))
  }

  get state(): ReadonlySignal<CopyState> {
    return this.#state
  }

  /** Applies what is stored to `doc` with this object as the origin; returns whether there was anything. */
  async load(doc: Y.Doc): Promise<boolean> {
    try {
      const { keys, rows } = await this.#read(await this.#database)
      if (this.#closed) return false
      doc.transact(() => {
        for (const { update } of rows) Y.applyUpdate(doc, update, this)
      }, this)
      this.#doc = doc
      this.#held = [...keys, ...this.#held]
      await this.#compact(COMPACT_READ_ABOVE)
      return rows.length > 0
    } catch (error) {
      console.warn('The copy on this device could not be read', error)
      return false
    }
  }

  /** Stores a change made here, now. */
  keepLocal(update: Uint8Array): void {
    if (this.#closed) return
    this.#queue.push(update)
    this.#hasLocal = true
    if (this.#state.peek() === 'failed') {
      this.#later(RETRY_MS)
      return
    }
    this.#state.value = 'writing'
    void this.#write()
  }

  /** Stores a change of somebody else, soon. */
  keepRemote(update: Uint8Array): void {
    if (this.#closed) return
    this.#queue.push(update)
    this.#later(REMOTE_DELAY_MS)
  }

  /** Writes what still waits. */
  flush(): void {
    void this.#write()
  }

  /** Removes every generation of this document from this device and stores nothing more. */
  async forget(): Promise<void> {
    this.#closed = true
    this.#queue = []
    clearTimeout(this.#timer)
    const database = await this.#database.catch(() => null)
    if (!database) return // no database, no copy
    await removeFrom(database, this.document)
    this.#state.value = 'kept'
  }

  close(): void {
    this.flush()
    this.#closed = true
    clearTimeout(this.#timer)
    this.#database.then(
      database => database.close(),
      () => undefined,
    )
  }

  async #read(database: IDBDatabase): Promise<{ keys: IDBValidKey[]; rows: StoredUpdate[] }> {
    const index = database.transaction(UPDATES).objectStore(UPDATES).index(LINEAGE)
    const lineage = [this.document, this.generation]
    const [keys, rows] = await Promise.all([
      asPromise(index.getAllKeys(lineage)),
      asPromise(index.getAll(lineage)),
    ])
    return { keys, rows }
  }

  #opened(): void {
    // What was asked of it meanwhile is being written and will say so itself.
    if (!this.#writing && this.#queue.length === 0) this.#state.value = 'kept'
  }

  /** There will be no copy: nothing is collected for it either. */
  #refused(): void {
    this.#closed = true
    this.#queue = []
    this.#state.value = 'failed'
  }

  #later(delayMs: number): void {
    this.#timer ??= setTimeout(() => void this.#write(), delayMs)
  }

  /** One row for more than `most` of them, with all that the replica holds; rows that another window adds stay. */
  async #compact(most: number): Promise<void> {
    if (!this.#doc || this.#held.length <= most) return
    const keys = this.#held
    this.#held = []
    try {
      this.#held.push(await this.#add(Y.encodeStateAsUpdate(this.#doc), keys))
    } catch (error) {
      // The rows are as they were; the next visit tries again.
      if (!this.#closed) console.warn('The copy on this device could not be made smaller', error)
    }
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#writing || this.#queue.length === 0) return
    this.#writing = true
    let updates = this.#queue
    this.#queue = []
    const hadLocal = this.#hasLocal
    this.#hasLocal = false
    try {
      if (updates.length > 1) updates = [Y.mergeUpdates(updates)]
      for (const update of updates) this.#held.push(await this.#add(update))
      this.#written()
    } catch (error) {
      // Kept in memory, as one: the next attempt writes all of it.
      this.#queue = [...updates, ...this.#queue]
      this.#hasLocal ||= hadLocal
      this.#failed(error)
    }
  }

  /** Adds a row in place of the `stale` ones, all or nothing; gives its key. */
  async #add(update: Uint8Array, stale: readonly IDBValidKey[] = []): Promise<IDBValidKey> {
    const transaction = (await this.#database).transaction(UPDATES, 'readwrite')
    const updates = transaction.objectStore(UPDATES)
    for (const key of stale) updates.delete(key)
    const { document, generation } = this
    const added = updates.add({ document, generation, update } satisfies StoredUpdate)
    await committed(transaction)
    return added.result
  }

  #written(): void {
    this.#writing = false
    this.#state.value = this.#hasLocal ? 'writing' : 'kept'
    if (this.#hasLocal) void this.#write()
    void this.#compact(COMPACT_WRITTEN_ABOVE)
  }

  #failed(error: unknown): void {
    this.#writing = false
    if (this.#closed) return
    if (this.#state.peek() !== 'failed') console.warn('The copy on this device could not be written', error)
    this.#state.value = 'failed'
    this.#later(RETRY_MS)
  }
}
