// Undo of one's own changes only, by Yjs. Steps are cut as people expect: a pause, another place, another kind of change
// or a new line starts a new one.
import { EditorSelection, type Transaction } from '@codemirror/state'
import type { EditorView } from '@codemirror/view'
import * as Y from 'yjs'
import type { SharedCursor } from '../sync/types'
import { readCursor, writeCursor } from './positions'

const PAUSE_MS = 500
const NEVER_MS = Number.MAX_SAFE_INTEGER // Yjs must not cut steps by itself; `#startsStep` does
const SELECTION = 'selection'

type Kind = 'type' | 'delete' | 'other'

interface StackEvent {
  stackItem: { meta: Map<unknown, unknown> }
  type: 'undo' | 'redo'
}

export class UndoHistory {
  readonly #manager: Y.UndoManager
  #kind: Kind = 'other'
  #at = 0
  /** Where the last change of mine ended. */
  #end = 0
  #selection: SharedCursor | null = null

  constructor(
    private readonly text: Y.Text,
    origin: unknown,
  ) {
    this.#manager = new Y.UndoManager(text, { trackedOrigins: new Set([origin]), captureTimeout: NEVER_MS })
    this.#manager.on('stack-item-added', (event: StackEvent) => {
      event.stackItem.meta.set(SELECTION, this.#selection)
    })
  }

  /** Must be called before a local transaction is written to the text. */
  beforeWrite(transaction: Transaction): void {
    const kind = kindOf(transaction)
    if (this.#startsStep(transaction, kind)) {
      this.#manager.stopCapturing()
      this.#remember(transaction.startState.selection.main)
    }
    this.#kind = kind
    this.#at = Date.now()
    transaction.changes.iterChangedRanges((_from, _to, _fromNew, toNew) => {
      this.#end = toNew
    })
  }

  /** Others' changes move the place where my last one ended. */
  mapThrough(transaction: Transaction): void {
    this.#end = transaction.changes.mapPos(this.#end, 1)
  }

  undo(view: EditorView): boolean {
    return this.#step(view, () => this.#manager.undo())
  }

  redo(view: EditorView): boolean {
    return this.#step(view, () => this.#manager.redo())
  }

  destroy(): void {
    this.#manager.destroy()
  }

  #step(view: EditorView, step: () => StackEvent['stackItem'] | null): boolean {
    if (view.state.readOnly) return false
    this.#remember(view.state.selection.main)
    const item = step()
    if (!item) return false
    this.#kind = 'other'
    const span = readCursor(item.meta.get(SELECTION), this.text)
    view.dispatch({
      ...(span && { selection: EditorSelection.single(span.anchor, span.head) }),
      scrollIntoView: true,
      userEvent: 'undo',
    })
    return true
  }

  #remember(selection: { anchor: number; head: number }): void {
    this.#selection = writeCursor(selection, this.text)
  }

  #startsStep(transaction: Transaction, kind: Kind): boolean {
    if (kind === 'other' || kind !== this.#kind || Date.now() - this.#at > PAUSE_MS) return true
    let ranges = 0
    let touches = true
    let breaksLine = false
    transaction.changes.iterChanges((from, to, _from, _to, inserted) => {
      ranges += 1
      touches &&= from <= this.#end && this.#end <= to
      breaksLine ||= inserted.lines > 1
    })
    return ranges > 1 || !touches || breaksLine
  }
}

function kindOf(transaction: Transaction): Kind {
  if (transaction.isUserEvent('input.type')) return 'type'
  return transaction.isUserEvent('delete') && !transaction.isUserEvent('delete.cut') ? 'delete' : 'other'
}

/** A command that needs the view, written as the key map wants it. Always true: the browser's own undo must not run. */
export function undoCommand(history: UndoHistory, direction: 'undo' | 'redo') {
  return (view: EditorView): boolean => {
    history[direction](view)
    return true
  }
}
