// The copy of a document on this device. Local changes are written at once, what came from the server a little later but
// never after a local change that may build on it.
import { type ReadonlySignal, signal } from '@preact/signals'
import * as Y from 'yjs'
import { asPromise, committed, DOCUMENT, LINEAGE, openDatabase, type StoredUpdate, UPDATES } from './database'

const REMOTE_DELAY_MS = 500
const COMPACT_ABOVE = 200 // rows; loading them one by one stays below some 50 ms

/** `kept`: every local change is on this device. `failed`: the last write did not work; the next one tries again. */
export type CopyState = 'kept' | 'writing' | 'failed'

export class LocalCopy {
  readonly #state = signal<CopyState>('kept')
  readonly #database: Promise<IDBDatabase>
  #queue: Uint8Array[] = []
  #writing = false
  #hasLocal = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(
    private readonly document: string,
    private readonly generation: number,
  ) {
    this.#database = openDatabase()
    this.#database.catch(() => {
      this.#state.value = 'failed'
    })
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
      if (rows.length > COMPACT_ABOVE) await this.#replace(keys, Y.encodeStateAsUpdate(doc))
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
    if (this.#state.peek() === 'kept') this.#state.value = 'writing'
    void this.#write()
  }

  /** Stores a change of somebody else, soon. */
  keepRemote(update: Uint8Array): void {
    if (this.#closed) return
    this.#queue.push(update)
    this.#timer ??= setTimeout(() => void this.#write(), REMOTE_DELAY_MS)
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
    const transaction = (await this.#database).transaction(UPDATES, 'readwrite')
    const updates = transaction.objectStore(UPDATES)
    const keys = await asPromise(updates.index(DOCUMENT).getAllKeys(this.document))
    for (const key of keys) updates.delete(key)
    await committed(transaction)
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

  /** One row for those that were read; rows that another window adds meanwhile stay. */
  async #replace(keys: IDBValidKey[], update: Uint8Array): Promise<void> {
    const transaction = (await this.#database).transaction(UPDATES, 'readwrite')
    const updates = transaction.objectStore(UPDATES)
    for (const key of keys) updates.delete(key)
    updates.add(this.#row(update))
    await committed(transaction)
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#writing || this.#queue.length === 0) return
    this.#writing = true
    const updates = this.#queue
    this.#queue = []
    const hadLocal = this.#hasLocal
    this.#hasLocal = false
    try {
      await this.#add(updates.length === 1 && updates[0] ? updates[0] : Y.mergeUpdates(updates))
      this.#written()
    } catch (error) {
      // Kept in memory: the next change tries again with all of it.
      this.#queue = [...updates, ...this.#queue]
      this.#hasLocal ||= hadLocal
      this.#failed(error)
    }
  }

  async #add(update: Uint8Array): Promise<void> {
    const transaction = (await this.#database).transaction(UPDATES, 'readwrite')
    transaction.objectStore(UPDATES).add(this.#row(update))
    await committed(transaction)
  }

  #written(): void {
    this.#writing = false
    this.#state.value = this.#hasLocal ? 'writing' : 'kept'
    if (this.#hasLocal) void this.#write()
  }

  #failed(error: unknown): void {
    this.#writing = false
    if (this.#closed) return
    if (this.#state.peek() !== 'failed') console.warn('The copy on this device could not be written', error)
    this.#state.value = 'failed'
  }

  #row(update: Uint8Array): StoredUpdate {
    return { document: this.document, generation: this.generation, update }
  }
}
