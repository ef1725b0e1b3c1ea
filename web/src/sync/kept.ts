// What this browser has of documents beyond what the server has, for /recover, and what may go because it is saved.
import {
  asPromise,
  COPIES,
  type CopyRecord,
  committed,
  holdsUnsaved,
  type KeptText,
  LINEAGE,
  removeRows,
  type StoredUpdate,
  TEXTS,
  UNSAVED,
  type UnsavedUpdate,
  UPDATES,
  type Why,
  withDatabase,
} from './database'

/** A saved copy that nobody opened for so long goes. */
const KEPT_DAYS = 30
const DAY_MS = 86_400_000

/** One thing to recover. `generation` is null for a text that was set aside; `why` null: it was not sent yet. */
export interface Kept {
  key: string
  document: string
  generation: number | null
  /** Milliseconds since 1970. */
  at: number
  why: Why | null
  /** Changes that no ack is known of. */
  changes: number
  /** The updates of a lineage, and those among them that the server may lack. */
  updates: Uint8Array[]
  unsaved: Uint8Array[]
  /** A text that was set aside, and what of it was nowhere else. */
  text: KeptText | null
}

interface Holding {
  records: CopyRecord[]
  unsaved: UnsavedUpdate[]
  texts: KeptText[]
}

async function holding(database: IDBDatabase): Promise<Holding> {
  const transaction = database.transaction([COPIES, UNSAVED, TEXTS])
  const all = <T>(store: string): Promise<T[]> => asPromise(transaction.objectStore(store).getAll())
  const [records, unsaved, texts] = await Promise.all([
    all<CopyRecord>(COPIES),
    all<UnsavedUpdate>(UNSAVED),
    all<KeptText>(TEXTS),
  ])
  return { records, unsaved, texts }
}

/** Copies of documents that are gone for this person, or that the server replaced, matter even if all was saved. */
const matters = ({ why }: CopyRecord): boolean => why !== null && why.kind !== 'trashed'

const keyOf = ({ document, generation }: { document: string; generation: number }): string =>
  `${document} ${generation}`

/** How many things there are that the server does not have. Rejects where the browser offers no database. */
export function countKept(): Promise<number> {
  return withDatabase(async database => {
    const { records, unsaved, texts } = await holding(database)
    return new Set([...unsaved, ...records.filter(holdsUnsaved)].map(keyOf)).size + texts.length
  })
}

/** Everything that can be recovered, latest first. Rejects where the browser offers no database. */
export function listKept(): Promise<Kept[]> {
  return withDatabase(async database => {
    const { records, unsaved, texts } = await holding(database)
    const open = byLineage(unsaved)
    const lineages = new Map(records.map(record => [keyOf(record), record]))
    const keys = new Set([...open.keys(), ...records.filter(matters).map(keyOf)])
    const found = [...keys].map(key => lineageOf(key, open.get(key) ?? [], lineages.get(key)))
    for (const kept of found) kept.updates = await updatesOf(database, kept)
    return [...found, ...texts.map(asideOf)].sort((a, b) => b.at - a.at)
  })
}

function byLineage(rows: readonly UnsavedUpdate[]): Map<string, UnsavedUpdate[]> {
  const lineages = new Map<string, UnsavedUpdate[]>()
  for (const row of rows) {
    const others = lineages.get(keyOf(row))
    if (others) others.push(row)
    else lineages.set(keyOf(row), [row])
  }
  return lineages
}

function lineageOf(key: string, rows: readonly UnsavedUpdate[], record: CopyRecord | undefined): Kept {
  const { document, generation } = record ?? (rows[0] as UnsavedUpdate)
  return {
    key,
    document,
    generation,
    at: Math.max(...rows.map(({ at }) => at), rows.length === 0 ? (record?.opened ?? 0) : 0),
    why: record?.why ?? null,
    changes: rows.reduce((sum, { changes }) => sum + changes, 0),
    updates: [],
    unsaved: rows.map(({ update }) => update),
    text: null,
  }
}

const asideOf = (text: KeptText): Kept => ({
  key: text.id,
  document: text.document,
  generation: null,
  at: text.at,
  why: text.why,
  changes: 0,
  updates: [],
  unsaved: [],
  text,
})

async function updatesOf(database: IDBDatabase, { document, generation }: Kept): Promise<Uint8Array[]> {
  const index = database.transaction(UPDATES).objectStore(UPDATES).index(LINEAGE)
  const rows: StoredUpdate[] = await asPromise(index.getAll([document, generation ?? 0]))
  return rows.map(({ update }) => update)
}

/** Removes one thing from this device, for good. */
export function removeKept({ key, document, generation }: Kept): Promise<void> {
  return withDatabase(async database => {
    const transaction = database.transaction([UPDATES, UNSAVED, COPIES, TEXTS], 'readwrite')
    if (generation === null) transaction.objectStore(TEXTS).delete(key)
    else await removeLineage(transaction, document, generation)
    await committed(transaction)
  })
}

async function removeLineage(transaction: IDBTransaction, document: string, generation: number) {
  await removeRows(transaction, LINEAGE, [document, generation])
  transaction.objectStore(COPIES).delete([document, generation])
}

/** Removes saved copies that were not opened for 30 days; gives their documents. What the server lacks never goes. */
export function ageOut(now = Date.now()): Promise<string[]> {
  return withDatabase(async database => {
    const transaction = database.transaction([UPDATES, UNSAVED, COPIES], 'readwrite')
    const records: CopyRecord[] = await asPromise(transaction.objectStore(COPIES).getAll())
    const gone: string[] = []
    for (const record of records) {
      const { document, generation, opened } = record
      if (opened > now - KEPT_DAYS * DAY_MS || holdsUnsaved(record)) continue
      const lineage = [document, generation]
      if ((await asPromise(transaction.objectStore(UNSAVED).index(LINEAGE).count(lineage))) > 0) continue
      await removeLineage(transaction, document, generation)
      gone.push(document)
    }
    await committed(transaction)
    return gone
  })
}
