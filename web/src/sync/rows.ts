// One lineage of a document in the browser's database: its updates, which of them the server lacks, and its record.
import {
  asPromise,
  COPIES,
  type CopyRecord,
  committed,
  type KeptText,
  LINEAGE,
  recordsOf,
  type StoredUpdate,
  TEXTS,
  UNSAVED,
  type UnsavedUpdate,
  UPDATES,
  type Why,
} from './database'

/** A row of `unsaved`. `upTo`: the count of changes made in this window up to its last one; 0 for earlier windows' rows. */
export interface Unsaved {
  key: IDBValidKey
  upTo: number
  update: Uint8Array
  changes: number
}

export interface Found {
  keys: IDBValidKey[]
  updates: Uint8Array[]
  unsaved: Unsaved[]
}

/** One transaction: what goes, and what comes in its place. */
export interface Writing {
  stale?: readonly IDBValidKey[]
  update?: Uint8Array | undefined
  staleUnsaved?: readonly IDBValidKey[]
  unsaved?: { update: Uint8Array; changes: number } | undefined
  text?: KeptText | undefined
}

export interface Written {
  key: IDBValidKey | undefined
  unsaved: IDBValidKey | undefined
}

export class Rows {
  constructor(
    private readonly database: IDBDatabase,
    private readonly document: string,
    private readonly generation: number,
  ) {}

  async read(): Promise<Found> {
    const transaction = this.database.transaction([UPDATES, UNSAVED])
    const [updates, unsaved] = [UPDATES, UNSAVED].map(name => transaction.objectStore(name).index(LINEAGE))
    const lineage = [this.document, this.generation]
    const [keys, rows, unsavedKeys, unsavedRows] = await Promise.all([
      asPromise((updates as IDBIndex).getAllKeys(lineage)),
      asPromise((updates as IDBIndex).getAll(lineage) as IDBRequest<StoredUpdate[]>),
      asPromise((unsaved as IDBIndex).getAllKeys(lineage)),
      asPromise((unsaved as IDBIndex).getAll(lineage) as IDBRequest<UnsavedUpdate[]>),
    ])
    return {
      keys,
      updates: rows.map(({ update }) => update),
      unsaved: unsavedRows.map(({ update, changes }, index) => ({
        key: unsavedKeys[index] as IDBValidKey,
        upTo: 0,
        update,
        changes,
      })),
    }
  }

  /** All or nothing. */
  async write({ stale = [], update, staleUnsaved = [], unsaved, text }: Writing): Promise<Written> {
    const transaction = this.database.transaction([UPDATES, UNSAVED, TEXTS], 'readwrite')
    const updates = transaction.objectStore(UPDATES)
    const open = transaction.objectStore(UNSAVED)
    for (const key of stale) updates.delete(key)
    for (const key of staleUnsaved) open.delete(key)
    const { document, generation } = this
    const added = update && updates.add({ document, generation, update } satisfies StoredUpdate)
    const addedOpen =
      unsaved && open.add({ document, generation, ...unsaved, at: Date.now() } satisfies UnsavedUpdate)
    if (text) transaction.objectStore(TEXTS).put(text)
    // Not left to the browser: a page that goes away now takes along what was not committed.
    transaction.commit()
    await committed(transaction)
    return { key: added?.result, unsaved: addedOpen?.result }
  }

  /** Notes that this lineage is open now, and that older ones were replaced; gives whether that is news. */
  async opened(): Promise<boolean> {
    const transaction = this.database.transaction(COPIES, 'readwrite')
    const copies = transaction.objectStore(COPIES)
    const records = await recordsOf(transaction, this.document)
    const mine = records.find(({ generation }) => generation === this.generation)
    copies.put({ ...this.#record(mine?.why ?? null), opened: Date.now() })
    const older = records.filter(
      ({ generation, why }) => generation < this.generation && why?.kind !== 'replaced',
    )
    for (const record of older) {
      copies.put({ ...record, why: { kind: 'replaced', reason: '' } } satisfies CopyRecord)
    }
    await committed(transaction)
    return older.length > 0
  }

  /** Notes why the server does not have what is here; null when it has. */
  async explain(why: Why | null): Promise<void> {
    const transaction = this.database.transaction(COPIES, 'readwrite')
    transaction.objectStore(COPIES).put(this.#record(why))
    await committed(transaction)
  }

  #record(why: Why | null): CopyRecord {
    return { document: this.document, generation: this.generation, opened: Date.now(), why }
  }
}
