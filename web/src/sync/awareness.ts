// Who is here: one small state by client id. Unlike y-protocols' class it never forgets people on its own clock: hidden
// tabs renew only once a minute, so the server, which knows whose socket is open, says who has left.
import type { AwarenessEntry } from './wire'

/** What this client tells the others; the server adds `user`. */
export interface LocalState {
  cursor: { anchor: unknown; head: unknown } | null
  line: number | null
  state: 'active' | 'idle'
}

export type AwarenessState = Record<string, unknown>

interface Known {
  clock: number
  state: AwarenessState
  /** Heard on the present connection. */
  fresh: boolean
}

export class Awareness {
  readonly #known = new Map<number, Known>()
  readonly #listeners = new Set<() => void>()
  readonly #localListeners = new Set<() => void>()
  #clock = 0
  #local: LocalState = { cursor: null, line: null, state: 'active' }
  /** What the server stamped on our own state, once it told us. */
  stampedUser: unknown = null

  constructor(readonly clientId: number) {}

  /** States of the other clients, by client id. */
  get states(): ReadonlyMap<number, AwarenessState> {
    return new Map([...this.#known].map(([clientId, { state }]) => [clientId, state]))
  }

  get local(): LocalState {
    return this.#local
  }

  /** Changes our own state; nothing happens when nothing differs. */
  setLocal(change: Partial<LocalState>): void {
    const next = { ...this.#local, ...change }
    if (JSON.stringify(next) === JSON.stringify(this.#local)) return
    this.#local = next
    for (const callback of this.#localListeners) callback()
    this.#changed()
  }

  /** The entry that tells our state to the server, with the next clock. */
  nextEntry(): AwarenessEntry {
    this.#clock += 1
    return { clientId: this.clientId, clock: this.#clock, state: { ...this.#local } }
  }

  /** Takes the server's word: a higher clock wins, and at an equal one leaving wins over being here. */
  apply(entries: readonly AwarenessEntry[]): void {
    let changed = false
    for (const entry of entries) changed = this.#applyOne(entry) || changed
    if (changed) this.#changed()
  }

  #applyOne({ clientId, clock, state }: AwarenessEntry): boolean {
    if (clientId === this.clientId) return this.#hearOfMyself(clock, state)
    const known = this.#known.get(clientId)
    if (known?.fresh && (clock < known.clock || (clock === known.clock && state !== null))) return false
    if (state === null) return this.#known.delete(clientId)
    this.#known.set(clientId, { clock, state, fresh: true })
    return true
  }

  #hearOfMyself(clock: number, state: AwarenessState | null): boolean {
    // An older window of ours may have left the id with a higher clock: stay above it.
    this.#clock = Math.max(this.#clock, clock)
    if (state?.user === undefined) return false
    this.stampedUser = state.user
    return true
  }

  /** The connection is gone: whoever is not heard of again after the next one is opened will be dropped. */
  markStale(): void {
    for (const known of this.#known.values()) known.fresh = false
  }

  /** Drops those who have not been heard of since `markStale`. */
  dropStale(): void {
    let changed = false
    for (const [clientId, { fresh }] of this.#known) {
      if (!fresh) changed = this.#known.delete(clientId) || changed
    }
    if (changed) this.#changed()
  }

  /** Calls back after every change, ours included; returns how to stop. */
  onChange(callback: () => void): () => void {
    this.#listeners.add(callback)
    return () => this.#listeners.delete(callback)
  }

  /** Calls back after our own state changed; returns how to stop. */
  onLocalChange(callback: () => void): () => void {
    this.#localListeners.add(callback)
    return () => this.#localListeners.delete(callback)
  }

  #changed(): void {
    for (const callback of this.#listeners) callback()
  }
}
