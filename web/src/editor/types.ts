import type { EditorView } from '@codemirror/view'
import type { ReadonlySignal } from '@preact/signals-core'
import type { DocumentSession } from '../sync/types'

export type CommandName =
  | 'bold'
  | 'italic'
  | 'strikethrough'
  | 'code'
  | 'link'
  | 'heading1'
  | 'heading2'
  | 'heading3'
  | 'heading4'
  | 'heading5'
  | 'heading6'
  | 'bulletList'
  | 'numberList'
  | 'taskList'
  | 'toggleTask'
  | 'quote'
  | 'moveLineUp'
  | 'moveLineDown'
  | 'undo'
  | 'redo'

export interface EditorOptions {
  parent: HTMLElement
  session: DocumentSession
  /** The page's CSP nonce; CodeMirror puts it on its style elements. */
  nonce: string
  readOnly: boolean
  /** Shown while the document is empty. */
  placeholder?: string
}

/** The main selection. Lines and columns are 1-based, columns and `characters` count code points. */
export interface SelectionInfo {
  line: number
  column: number
  /** Selected code points and words, 0 when there is only a caret. */
  characters: number
  words: number
}

export interface TextCount {
  words: number
  characters: number
}

export interface EditorHandle {
  readonly view: EditorView
  /** Words and code points of the whole text, counted when typing pauses. */
  readonly wordCount: ReadonlySignal<TextCount>
  readonly selection: ReadonlySignal<SelectionInfo>
  /** The title as the text gives it: first `# heading`, else first line with text, else ''. */
  readonly title: ReadonlySignal<string>
  focus(): void
  setReadOnly(readOnly: boolean): void
  /** Scrolls to a person's caret and shows its flag; false when it is not known where they are. */
  goTo(clientId: number): boolean
  /** Runs a command on the selection; false when it did not apply. */
  run(command: CommandName): boolean
  /** Opens the find panel; `replace` puts the focus into its second field. */
  openSearch(replace?: boolean): Promise<void>
  destroy(): void
}
