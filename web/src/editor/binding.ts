// Ties a CodeMirror view to a Y.Text. A local transaction is written to the text right after the view has taken it, never
// from inside its update; a change of the text by anybody else becomes one transaction of the view. Both are synchronous,
// so positions on the two sides always mean the same place.
import { type ChangeSpec, EditorState, type Extension, type Text, type Transaction } from '@codemirror/state'
import { EditorView } from '@codemirror/view'
import type * as Y from 'yjs'
import { altered, type Change } from './replaced'
import { held, placeToHold } from './stillness'
import { UndoHistory } from './undo'
import { cutsCharacter, fromReplica, keepWellFormed, wellFormed } from './well-formed'

/** Stands for an embedded object of another client's editor: one unit long in Yjs, so it must be one in the view. */
const EMBED = '\ufffc'

type Delta = { insert?: string | object; delete?: number; retain?: number }[]

/** The text as the view shows it: as many UTF-16 units as Yjs counts. */
export function visibleText(text: Y.Text): string {
  const plain = text.toString()
  if (plain.length === text.length) return plain
  return (text.toDelta() as Delta).map(({ insert }) => (typeof insert === 'string' ? insert : EMBED)).join('')
}

/** A delta of Yjs as changes of the text before it. */
export function deltaToChanges(delta: Delta): Change[] {
  const changes: Change[] = []
  let at = 0
  for (const { retain, insert, delete: removed } of delta) {
    if (insert !== undefined) {
      changes.push({ from: at, to: at, insert: typeof insert === 'string' ? insert : EMBED })
    } else if (removed !== undefined) {
      changes.push({ from: at, to: at + removed, insert: '' })
      at += removed
    } else {
      at += retain ?? 0
    }
  }
  return changes
}

export class TextBinding {
  readonly history: UndoHistory
  readonly extension: Extension
  #view: EditorView | undefined
  readonly #observe = (event: Y.YTextEvent, transaction: Y.Transaction): void => {
    if (transaction.origin !== this) this.#show(event.delta as Delta)
  }

  constructor(private readonly text: Y.Text) {
    this.history = new UndoHistory(text, this)
    this.extension = [
      // Without it CodeMirror would count CR LF as one unit where Yjs counts two.
      EditorState.lineSeparator.of('\n'),
      EditorView.clipboardInputFilter.of(wellFormed),
      keepWellFormed,
    ]
  }

  /** Pass as `dispatchTransactions` of the view. */
  readonly dispatch = (transactions: readonly Transaction[], view: EditorView): void => {
    try {
      view.update(transactions)
    } finally {
      // Even when a listener of the page throws: what the view shows, the text holds.
      if (view.state === transactions.at(-1)?.state) this.#write(transactions)
    }
  }

  /** Starts following the text; the view must show it as it is now. */
  attach(view: EditorView): void {
    this.#view = view
    this.text.observe(this.#observe)
  }

  destroy(): void {
    this.text.unobserve(this.#observe)
    this.#view = undefined
    this.history.destroy()
  }

  #write(transactions: readonly Transaction[]): void {
    for (const transaction of transactions) {
      if (!transaction.docChanged) continue
      if (transaction.annotation(fromReplica)) this.history.mapThrough(transaction)
      else this.#writeOne(transaction)
    }
  }

  #writeOne(transaction: Transaction): void {
    this.history.beforeWrite(transaction)
    this.text.doc?.transact(() => {
      let shift = 0
      transaction.changes.iterChanges((from, to, _from, _to, inserted) => {
        const at = from + shift
        if (to > from) this.text.delete(at, to - from)
        if (inserted.length > 0) this.text.insert(at, inserted.sliceString(0))
        shift += inserted.length - (to - from)
      })
    }, this)
  }

  #show(delta: Delta): void {
    const view = this.#view
    if (!view) return
    const changes = altered(deltaToChanges(delta), view.state.doc)
    if (changes.length === 0) return
    const place = placeToHold(view, changes[0]?.from ?? 0)
    const set = view.state.changes(changes)
    const effects = place ? held(place, set) : []
    // `filter: false`: no extension may alter what the others have written.
    view.dispatch({ changes: set, effects, annotations: fromReplica.of(true), filter: false })
    // Now and not with the next frame: by then the person may have scrolled.
    if (place) view.coordsAtPos(set.mapPos(place.at, -1))
    const repairs = this.#cutCharacters(view.state.doc, changes)
    if (repairs.length > 0) {
      view.dispatch({ changes: repairs, annotations: fromReplica.of(true), filter: false })
    }
  }

  /** Yjs silently shows U+FFFD for each half of a character that a careless client has cut; so does the view. */
  #cutCharacters(doc: Text, changes: readonly Change[]): ChangeSpec[] {
    const halves = new Set<number>()
    let shift = 0
    for (const { from, to, insert } of changes) {
      const start = from + shift
      for (const edge of [start, start + insert.length]) {
        for (const unit of [edge - 1, edge]) if (isHalf(doc, unit)) halves.add(unit)
      }
      shift += insert.length - (to - from)
    }
    return [...halves].sort((a, b) => a - b).map(from => ({ from, to: from + 1, insert: '\ufffd' }))
  }
}

function isHalf(doc: Text, at: number): boolean {
  if (at < 0 || at >= doc.length) return false
  const unit = doc.sliceString(at, at + 1)
  return /[\ud800-\udfff]/.test(unit) && !cutsCharacter(doc, at) && !cutsCharacter(doc, at + 1)
}
