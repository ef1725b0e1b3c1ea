// Tells the others where our caret is. Leaving the editor takes the caret away but not the person, nor the line they were in.
import type { EditorView, PluginValue, ViewUpdate } from '@codemirror/view'
import { ViewPlugin } from '@codemirror/view'
import type { DocumentSession } from '../sync/types'
import { writeCursor } from './positions'
import { fromReplica } from './well-formed'

const THROTTLE_MS = 40 // writing a relative position walks the text: not more often than it is sent

class CaretSharer implements PluginValue {
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly view: EditorView,
    private readonly session: DocumentSession,
  ) {}

  update(update: ViewUpdate): void {
    const edited = update.transactions.some(
      transaction => transaction.docChanged && !transaction.annotation(fromReplica),
    )
    // Not on the others' edits: a relative position moves by itself, and everyone would answer every line break.
    if (update.selectionSet || update.focusChanged || edited) this.#soon()
  }

  destroy(): void {
    clearTimeout(this.#timer)
    this.session.awareness.setLocal({ cursor: null })
  }

  /** Never at once: the text does not hold yet what the view is just being given. */
  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#share()
    }, THROTTLE_MS)
  }

  #share(): void {
    if (!this.view.hasFocus) {
      this.session.awareness.setLocal({ cursor: null })
      return
    }
    const { doc, selection } = this.view.state
    this.session.awareness.setLocal({
      cursor: writeCursor(selection.main, this.session.text),
      line: doc.lineAt(selection.main.head).number,
    })
  }
}

/** Keeps our own awareness state at the view's selection. */
export function shareCaret(session: DocumentSession) {
  return ViewPlugin.define(view => new CaretSharer(view, session))
}
