// Where the others are in the text. Positions are resolved when a peer moves and mapped through edits in between, so a
// keystroke costs nothing per peer; a place whose text is not here yet is tried again after the next edit.
import { StateEffect, StateField } from '@codemirror/state'
import { type EditorView, type PluginValue, ViewPlugin, type ViewUpdate } from '@codemirror/view'
import type { AwarenessState } from '../sync/awareness'
import { readIdentity } from '../sync/people'
import type { DocumentSession } from '../sync/types'
import { readCursor, type Span } from './positions'

const FLAG_MS = 5_000

export interface Caret extends Span {
  clientId: number
  name: string
  color: string
  /** The name is shown until then, milliseconds since 1970. */
  flagUntil: number
}

export const setCarets = StateEffect.define<readonly Caret[]>()
/** Names have been shown long enough: draw again. */
export const hideFlags = StateEffect.define<null>()

export const caretField = StateField.define<readonly Caret[]>({
  create: () => [],
  update(carets, transaction) {
    for (const effect of transaction.effects) if (effect.is(setCarets)) return effect.value
    if (!transaction.docChanged) return carets
    return carets.map(caret => ({
      ...caret,
      anchor: transaction.changes.mapPos(caret.anchor),
      head: transaction.changes.mapPos(caret.head),
    }))
  },
})

/** Follows the awareness of a session into `caretField`. */
export function followCarets(session: DocumentSession) {
  return ViewPlugin.define(view => new CaretFollower(view, session))
}

class CaretFollower implements PluginValue {
  readonly #stop: () => void
  /** The cursor that a caret was resolved from: the same object means that the peer has not moved. */
  readonly #resolved = new Map<number, unknown>()
  #frame = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #missing = false

  constructor(
    private readonly view: EditorView,
    private readonly session: DocumentSession,
  ) {
    this.#stop = session.awareness.onChange(() => this.#soon())
    this.#soon()
  }

  update(update: ViewUpdate): void {
    if (update.docChanged && this.#missing) this.#soon()
    const moved = update.transactions.some(({ effects }) => effects.some(effect => effect.is(setCarets)))
    if (moved) this.#hideLater()
  }

  destroy(): void {
    this.#stop()
    cancelAnimationFrame(this.#frame)
    clearTimeout(this.#timer)
  }

  #soon(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#follow())
  }

  #follow(): void {
    this.#frame = 0
    this.#missing = false
    const before = new Map(this.view.state.field(caretField).map(caret => [caret.clientId, caret]))
    const carets: Caret[] = []
    for (const [clientId, state] of this.session.awareness.states) {
      const caret = this.#caret(clientId, state, before.get(clientId))
      if (caret) carets.push(caret)
    }
    if (sameCarets(carets, [...before.values()])) return
    this.view.dispatch({ effects: setCarets.of(carets) })
  }

  #caret(clientId: number, state: AwarenessState, before: Caret | undefined): Caret | null {
    const span = this.#span(clientId, state.cursor, before)
    if (!span) return null
    const { name, color } = readIdentity(state.user, clientId)
    const still = before && before.head === span.head && before.anchor === span.anchor && before.name === name
    const flagUntil = still ? before.flagUntil : Date.now() + FLAG_MS
    return { clientId, name, color, anchor: span.anchor, head: span.head, flagUntil }
  }

  #span(clientId: number, cursor: unknown, before: Caret | undefined): Span | null {
    if (cursor === null || cursor === undefined) return null
    if (before && this.#resolved.get(clientId) === cursor) return before
    const span = readCursor(cursor, this.session.text)
    if (span) this.#resolved.set(clientId, cursor)
    else this.#missing = true
    return span ?? before ?? null
  }

  #hideLater(): void {
    clearTimeout(this.#timer)
    const now = Date.now()
    const ends = this.view.state
      .field(caretField)
      .flatMap(({ flagUntil }) => (flagUntil > now ? flagUntil : []))
    if (ends.length === 0) return
    this.#timer = setTimeout(
      () => {
        this.view.dispatch({ effects: hideFlags.of(null) })
        this.#hideLater()
      },
      Math.min(...ends) - now + 1,
    )
  }
}

function sameCarets(a: readonly Caret[], b: readonly Caret[]): boolean {
  return a.length === b.length && JSON.stringify(a) === JSON.stringify(b)
}

/** The same carets, with the flag of one of them up again. */
export function raiseFlag(carets: readonly Caret[], clientId: number): readonly Caret[] {
  const flagUntil = Date.now() + FLAG_MS
  return carets.map(caret => (caret.clientId === clientId ? { ...caret, flagUntil } : caret))
}
