// What the page shows about the text: words, title, and where the caret is. All of it waits for a pause in typing.

import type { EditorView, ViewUpdate } from '@codemirror/view'
import { ViewPlugin } from '@codemirror/view'
import { signal } from '@preact/signals-core'
import { countDocument, countText } from './count'
import { titleOf } from './title'
import type { SelectionInfo, TextCount } from './types'

const PAUSE_MS = 200
const COUNT_PAUSE_MS = 500

export class TextInfo {
  readonly wordCount = signal<TextCount>({ words: 0, characters: 0 })
  readonly selection = signal<SelectionInfo>({ line: 1, column: 1, characters: 0, words: 0 })
  readonly title = signal('')
  #counting = new AbortController()
  #countTimer: ReturnType<typeof setTimeout> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Follows a view and its text. */
  readonly extension = ViewPlugin.define(view => {
    this.#read(view)
    this.#count(view)
    return {
      update: (update: ViewUpdate) => this.#changed(update),
      destroy: () => this.#stop(),
    }
  })

  #changed({ docChanged, selectionSet, view }: ViewUpdate): void {
    if (docChanged || selectionSet) this.#timer ??= setTimeout(() => this.#read(view), PAUSE_MS)
    if (!docChanged) return
    this.#counting.abort()
    clearTimeout(this.#countTimer)
    this.#countTimer = setTimeout(() => this.#count(view), COUNT_PAUSE_MS)
  }

  #read({ state }: EditorView): void {
    this.#timer = undefined
    const { from, to, head } = state.selection.main
    const line = state.doc.lineAt(head)
    const before = countText(state.sliceDoc(line.from, head)).characters
    this.title.value = titleOf(state.doc)
    this.selection.value = {
      line: line.number,
      column: before + 1,
      ...(from === to ? { characters: 0, words: 0 } : countText(state.sliceDoc(from, to))),
    }
  }

  async #count({ state }: EditorView): Promise<void> {
    const counting = new AbortController()
    this.#counting = counting
    const count = await countDocument(state.doc, counting.signal)
    if (count && !counting.signal.aborted) this.wordCount.value = count
  }

  #stop(): void {
    this.#counting.abort()
    clearTimeout(this.#countTimer)
    clearTimeout(this.#timer)
  }
}
