import { EditorSelection, EditorState, type StateCommand } from '@codemirror/state'
import { EditorView } from '@codemirror/view'
import * as Y from 'yjs'
import { TextBinding, visibleText } from '../../src/editor/binding'
import { markdown } from '../../src/editor/language'
import { HoldGate } from '../../src/sync/hold'

/** One person with an editor and a replica; what she writes is collected in `sent`. */
export class Writer {
  readonly doc = new Y.Doc()
  readonly text = this.doc.getText('content')
  readonly binding: TextBinding
  readonly view: EditorView
  readonly sent: Uint8Array[] = []
  readonly gate = new HoldGate(updates => {
    this.doc.transact(() => {
      for (const update of updates) Y.applyUpdate(this.doc, update, this)
    }, this)
  })

  constructor(clientId: number, state?: Uint8Array) {
    this.doc.clientID = clientId
    if (state) Y.applyUpdate(this.doc, state, this)
    this.doc.on('update', (update: Uint8Array, origin: unknown) => origin === this || this.sent.push(update))
    this.binding = new TextBinding(this.text)
    this.view = new EditorView({
      parent: document.body,
      state: EditorState.create({ doc: visibleText(this.text), extensions: [this.binding.extension] }),
      dispatchTransactions: this.binding.dispatch,
    })
    this.binding.attach(this.view)
  }

  get shown(): string {
    return this.view.state.doc.sliceString(0)
  }

  /** Types over the selection, as the browser would report it. */
  type(insert: string, userEvent = 'input.type'): void {
    const { from, to } = this.view.state.selection.main
    this.replace(from, to, insert, userEvent)
  }

  replace(from: number, to: number, insert: string, userEvent = 'input.type'): void {
    const selection = { anchor: from + insert.length }
    this.view.dispatch({ changes: { from, to, insert }, selection, userEvent })
  }

  select(anchor: number, head = anchor): void {
    this.view.dispatch({ selection: { anchor, head } })
  }

  destroy(): void {
    this.gate.close()
    this.binding.destroy()
    this.view.destroy()
  }
}

/** Gives everything that was sent to everybody else, in order, until nobody has anything new. */
export function exchange(writers: readonly Writer[]): void {
  for (const from of writers) {
    const updates = from.sent.splice(0)
    for (const to of writers) if (to !== from) for (const update of updates) to.gate.push(update)
  }
}

/**
 * A Markdown state from a text in which `|` marks the caret, or `‹` and `›` the ends of the selection.
 */
export function stateOf(marked: string): EditorState {
  const caret = marked.indexOf('|')
  const start = marked.indexOf('‹')
  const end = marked.indexOf('›')
  const selection =
    start >= 0 ? EditorSelection.single(start, end - 1) : EditorSelection.single(Math.max(0, caret))
  return EditorState.create({ doc: marked.replace(/[|‹›]/g, ''), selection, extensions: [markdown] })
}

/** The text after a command, with the caret or selection marked as in `stateOf`; null when it did not apply. */
export function applied(marked: string, command: StateCommand): string | null {
  let state = stateOf(marked)
  const ran = command({
    state,
    dispatch: transaction => {
      state = transaction.state
    },
  })
  if (!ran) return null
  const text = state.doc.sliceString(0)
  const { from, to } = state.selection.main
  if (from === to) return `${text.slice(0, from)}|${text.slice(from)}`
  return `${text.slice(0, from)}‹${text.slice(from, to)}›${text.slice(to)}`
}

// jsdom lays nothing out; CodeMirror asks all the same when it scrolls.
if (typeof Range !== 'undefined') Range.prototype.getClientRects = () => [] as unknown as DOMRectList
