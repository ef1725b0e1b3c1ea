// The copy of a document on this device. Local changes are written at once, and stand as unsaved until the server has
// them; what came from the server is written a little later but never after a local change that may build on it.
import { type ReadonlySignal, signal } from '@preact/signals-core'
import * as Y from 'yjs'
import { type Bundle, joined, localChange, merged, remoteChange } from './bundle'
import { type KeptText, openDatabase, removeFrom, type Why } from './database'
import { Rows, type Unsaved, type Writing } from './rows'

const REMOTE_DELAY_MS = 500
const RETRY_MS = 5_000 // a full disk is not empty by the next key; merging all that waits costs time
const COMPACT_READ_ABOVE = 200 // rows; loading them one by one stays below some 50 ms
const COMPACT_WRITTEN_ABOVE = 1_000 // rows of a page that stays open: two minutes of typing for one large write
const TOUCH_MS = 86_400_000 // a window that stays open for weeks must not have its copy aged out
const KEEP_WITHIN_MS = 100 // others wait for a letter while it is written here: no longer than they would not notice
/** A database that has not opened by then, as in damaged profiles, may never do so. */
export const OPEN_WITHIN_MS = 5_000

/** `kept`: every local change is on this device. `failed`: it is not, and the next attempt follows where there can be one. */
export type CopyState = 'kept' | 'writing' | 'failed'

/** What a load found: any text at all, how many changes the server may lack, and whether an older lineage was replaced. */
export interface Loaded {
  found: boolean
  unsaved: number
  replaced: boolean
}

const NOTHING: Loaded = { found: false, unsaved: 0, replaced: false }

interface Waiter {
  upTo: number
  done: () => void
}

export class LocalCopy {
  readonly #state = signal<CopyState>('kept')
  readonly #database: Promise<IDBDatabase>
  readonly #rows: Promise<Rows>
  #doc: Y.Doc | undefined
  #queue: Bundle[] = []
  /** Rows whose changes the replica holds: what was read, and what this window wrote. */
  #held: IDBValidKey[] = []
  #unsaved: Unsaved[] = []
  /** Local changes: given to us, written, and stored by the server. */
  #made = 0
  #kept = 0
  /** Below what earlier windows made, which counts as 0, until the server has stored that too. */
  #stored = -1
  #waiters: Waiter[] = []
  /** The next write replaces all rows by the replica's state, and sets this text aside. */
  #startsOver: { text: KeptText | undefined } | null = null
  #why: Why | null = null
  #touched = Date.now()
  #writing = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(
    private readonly document: string,
    generation: number,
  ) {
    this.#database = openDatabase()
    this.#rows = this.#database.then(database => new Rows(database, document, generation))
    const overdue = setTimeout(() => this.#enter('failed'), OPEN_WITHIN_MS)
    this.#rows
      .then(
        () => this.#opened(),
        () => this.#refused(),
      )
      .finally(() => clearTimeout(overdue))
  }

  get state(): ReadonlySignal<CopyState> {
    return this.#state
  }

  /** What was made here, was written, and is not known to be stored by the server. */
  get unsaved(): Uint8Array[] {
    return this.#unsaved.filter(({ upTo }) => upTo > this.#stored).map(({ update }) => update)
  }

  /** Applies what is stored to `doc` with this object as the origin; `isReplica`: it is the one that goes on from here. */
  async load(doc: Y.Doc, isReplica = true): Promise<Loaded> {
    try {
      const rows = await this.#rows
      const { keys, updates, unsaved } = await rows.read()
      if (this.#closed) return NOTHING
      doc.transact(() => {
        for (const update of updates) Y.applyUpdate(doc, update, this)
      }, this)
      if (isReplica) this.#doc = doc
      this.#held = [...keys, ...this.#held]
      this.#unsaved = [...unsaved, ...this.#unsaved]
      const replaced = await rows.opened()
      await this.#compact(COMPACT_READ_ABOVE)
      return {
        found: updates.length > 0,
        unsaved: unsaved.reduce((sum, { changes }) => sum + changes, 0),
        replaced,
      }
    } catch (error) {
      if (!this.#closed || this.#state.peek() === 'failed') {
        console.warn('The copy on this device could not be read', error)
      }
      return NOTHING
    }
  }

  /** Stores a change made here, now. */
  keepLocal(update: Uint8Array): void {
    if (this.#closed) return
    this.#queue.push(localChange(update))
    this.#made += 1
    if (this.#state.peek() === 'failed') {
      this.#later(RETRY_MS)
      return
    }
    this.#enter('writing')
    void this.#write()
  }

  /** Stores a change of somebody else, soon. */
  keepRemote(update: Uint8Array): void {
    if (this.#closed) return
    this.#queue.push(remoteChange(update))
    this.#later(REMOTE_DELAY_MS)
  }

  /** Resolves when all that was made here so far is on this device, or can not be in time. */
  written(): Promise<void> {
    if (this.#state.peek() !== 'writing') return Promise.resolve()
    return new Promise(done => {
      const late = setTimeout(done, KEEP_WITHIN_MS)
      this.#waiters.push({
        upTo: this.#made,
        done: () => {
          clearTimeout(late)
          done()
        },
      })
    })
  }

  /** The server has stored everything that was made here. */
  stored(): void {
    this.#stored = this.#made
    if (this.#closed) return
    if (this.#why) void this.explain(null)
    if (this.#unsaved.length > 0) this.#later(REMOTE_DELAY_MS)
  }

  /** Notes for /recover why the server does not have what is here. */
  async explain(why: Why | null): Promise<void> {
    this.#why = why
    this.#touched = Date.now()
    try {
      await (await this.#rows).explain(why)
    } catch (error) {
      // Where there is no copy there is nothing to explain.
      if (this.#state.peek() !== 'failed')
        console.warn('The copy on this device could not be described', error)
    }
  }

  /** Replaces all rows by what `doc` holds with the next write; `text` is set aside in the same transaction. */
  startOver(doc: Y.Doc, text: KeptText | undefined): void {
    this.#doc = doc
    this.#stored = this.#made
    this.#startsOver = { text }
    this.#later(0)
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
    this.#enter('kept')
  }

  close(): void {
    this.flush()
    this.#closed = true
    clearTimeout(this.#timer)
    if (!this.#writing) this.#closeDatabase()
  }

  #closeDatabase(): void {
    this.#database.then(
      database => database.close(),
      () => undefined,
    )
  }

  #enter(state: CopyState): void {
    this.#state.value = state
    if (state !== 'writing') this.#release(Number.POSITIVE_INFINITY)
  }

  #release(upTo: number): void {
    const waiting = this.#waiters
    this.#waiters = waiting.filter(waiter => waiter.upTo > upTo)
    for (const waiter of waiting) if (waiter.upTo <= upTo) waiter.done()
  }

  #opened(): void {
    // What was asked of it meanwhile is being written and will say so itself.
    if (!this.#writing && this.#queue.length === 0) this.#enter('kept')
  }

  /** There will be no copy: nothing is collected for it either. */
  #refused(): void {
    this.#closed = true
    this.#queue = []
    this.#enter('failed')
  }

  #later(delayMs: number): void {
    this.#timer ??= setTimeout(() => void this.#write(), delayMs)
  }

  get #saved(): Unsaved[] {
    return this.#unsaved.filter(({ upTo }) => upTo <= this.#stored)
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const nothing = this.#queue.length === 0 && this.#saved.length === 0 && !this.#startsOver
    if (this.#writing || nothing) return
    this.#writing = true
    const bundle = joined(this.#queue)
    this.#queue = []
    const over = this.#startsOver
    this.#startsOver = null
    try {
      await this.#put(bundle, over)
      this.#kept += bundle?.changes ?? 0
      this.#written()
    } catch (error) {
      // Kept in memory, as one: the next attempt writes all of it.
      if (bundle) this.#queue.unshift(bundle)
      this.#startsOver ??= over
      this.#failed(error)
    }
  }

  async #put(bundle: Bundle | null, over: { text: KeptText | undefined } | null): Promise<void> {
    const upTo = this.#kept + (bundle?.changes ?? 0)
    const saved = this.#saved
    const mine = bundle?.mine && upTo > this.#stored ? bundle.mine : null
    const writing: Writing = { update: bundle?.update, staleUnsaved: saved.map(({ key }) => key) }
    if (mine) writing.unsaved = { update: mine, changes: bundle?.changes ?? 0 }
    if (over && this.#doc) {
      Object.assign(writing, { stale: this.#held, update: Y.encodeStateAsUpdate(this.#doc), text: over.text })
    }
    const { key, unsaved } = await (await this.#rows).write(writing)
    this.#unsaved = this.#unsaved.filter(row => !saved.includes(row))
    if (over) this.#held = []
    if (key !== undefined) this.#held.push(key)
    if (mine && unsaved !== undefined) {
      this.#unsaved.push({ key: unsaved, upTo, update: mine, changes: bundle?.changes ?? 0 })
    }
  }

  #written(): void {
    this.#writing = false
    const hasLocal = this.#queue.some(({ changes }) => changes > 0)
    this.#release(this.#kept)
    this.#enter(hasLocal ? 'writing' : 'kept')
    if (hasLocal || this.#closed) void this.#write()
    if (!this.#closed) void this.#tidy()
    else if (!this.#writing) this.#closeDatabase()
  }

  async #tidy(): Promise<void> {
    if (Date.now() - this.#touched > TOUCH_MS) await this.explain(this.#why)
    await this.#compact(COMPACT_WRITTEN_ABOVE)
  }

  #failed(error: unknown): void {
    this.#writing = false
    if (this.#closed) {
      this.#closeDatabase()
      return
    }
    if (this.#state.peek() !== 'failed') console.warn('The copy on this device could not be written', error)
    this.#enter('failed')
    this.#later(RETRY_MS)
  }

  /** One row for more than `most` of them, with all that the replica holds; rows that another window adds stay. */
  async #compact(most: number): Promise<void> {
    const isLong = this.#held.length > most || this.#unsaved.length > most
    if (!this.#doc || !isLong) return
    const stale = this.#held
    const open = this.#unsaved
    this.#held = []
    this.#unsaved = []
    const upTo = Math.max(...open.map(row => row.upTo), 0)
    const changes = open.reduce((sum, row) => sum + row.changes, 0)
    const update = merged(open.map(row => row.update))
    try {
      const written = await (await this.#rows).write({
        stale,
        update: Y.encodeStateAsUpdate(this.#doc),
        staleUnsaved: open.map(({ key }) => key),
        ...(update ? { unsaved: { update, changes } } : {}),
      })
      if (written.key !== undefined) this.#held.push(written.key)
      if (update && written.unsaved !== undefined)
        this.#unsaved.push({ key: written.unsaved, upTo, update, changes })
    } catch (error) {
      // The rows are as they were; the next visit tries again.
      this.#unsaved = [...open, ...this.#unsaved]
      if (!this.#closed) console.warn('The copy on this device could not be made smaller', error)
    }
  }
}
