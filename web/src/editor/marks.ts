// Inline Markdown: bold, italic, strikethrough, code and links. Marks are set per line, since they do not reach across
// paragraphs, and hug the words, since `** bold **` is not bold.
import {
  type ChangeSet,
  type ChangeSpec,
  EditorSelection,
  type EditorState,
  type SelectionRange,
  type StateCommand,
} from '@codemirror/state'
import { EditorView } from '@codemirror/view'

/** Indentation, quote, list, task and heading marks at a line's start; inline marks come after them. */
const LINE_PREFIX = /^\s*(?:>\s?)*\s*(?:(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?|#{1,6}\s+)?/

interface Piece {
  from: number
  to: number
}

/** The parts of a range that can carry a mark: on each line what lies between prefix and trailing blanks. */
function pieces(state: EditorState, from: number, to: number): Piece[] {
  const found: Piece[] = []
  for (let at = from; at <= to; ) {
    const line = state.doc.lineAt(at)
    const prefix = LINE_PREFIX.exec(line.text)?.[0].length ?? 0
    const start = Math.max(from, line.from + prefix)
    const text = state.sliceDoc(start, Math.max(start, Math.min(to, line.to)))
    const trimmed = text.trim()
    const offset = start + text.indexOf(trimmed)
    if (trimmed !== '') found.push({ from: offset, to: offset + trimmed.length })
    at = line.to + 1
  }
  return found
}

/** How many of `character` stand directly on both sides of a piece. */
function runAround(state: EditorState, { from, to }: Piece, character: string): number {
  const before = state.sliceDoc(Math.max(0, from - 3), from)
  const after = state.sliceDoc(to, Math.min(state.doc.length, to + 3))
  let run = 0
  while (before.at(-1 - run) === character && after.at(run) === character) run += 1
  return run
}

/** How many of `character` a piece itself starts and ends with. */
function runInside(state: EditorState, { from, to }: Piece, character: string): number {
  const text = state.sliceDoc(from, to)
  let run = 0
  while (
    run < 3 &&
    text.length > 2 * run + 2 &&
    text.at(run) === character &&
    text.at(-1 - run) === character
  )
    run += 1
  return run
}

/** A run of three is bold and italic; so one is in 1 and 3, two in 2 and 3. */
function holdsMark(run: number, mark: string): boolean {
  return mark.length === 1 ? run % 2 === 1 : run >= mark.length
}

function removal(state: EditorState, piece: Piece, mark: string): ChangeSpec[] | null {
  const [character = ''] = mark
  const size = mark.length
  const { from, to } = piece
  if (holdsMark(runAround(state, piece, character), mark)) {
    return [
      { from: from - size, to: from },
      { from: to, to: to + size },
    ]
  }
  if (holdsMark(runInside(state, piece, character), mark)) {
    return [
      { from, to: from + size },
      { from: to - size, to },
    ]
  }
  return null
}

/** Sets a mark around the selection or the word at the caret, or takes it away when it is there on all of it. */
export function toggleMark(mark: string): StateCommand {
  return ({ state, dispatch }) => {
    if (state.readOnly) return false
    const change = state.changeByRange(range => markRange(state, range, mark))
    dispatch(state.update(change, { userEvent: 'input.format', scrollIntoView: true }))
    return true
  }
}

function markRange(state: EditorState, range: SelectionRange, mark: string) {
  const word = range.empty ? state.wordAt(range.head) : null
  const found = pieces(state, word?.from ?? range.from, word?.to ?? range.to)
  if (found.length === 0) return emptyMark(state, range.head, mark)
  const removals = found.map(piece => removal(state, piece, mark))
  const changes = state.changes(
    removals.includes(null) ? additions(found, removals, mark) : removals.flatMap(specs => specs ?? []),
  )
  // The caret and the ends of the selection stay inside the marks.
  const start = changes.mapPos(range.from, 1)
  const end = Math.max(start, changes.mapPos(range.to, -1))
  if (range.empty) return { changes, range: EditorSelection.cursor(caretIn(changes, range.head, word)) }
  const backwards = range.anchor > range.head
  return { changes, range: EditorSelection.range(backwards ? end : start, backwards ? start : end) }
}

/** A caret at the end of its word stays before the closing mark, elsewhere it stays behind the opening one. */
function caretIn(changes: ChangeSet, at: number, word: SelectionRange | null): number {
  return changes.mapPos(at, at === word?.to ? -1 : 1)
}

function additions(found: Piece[], removals: (ChangeSpec[] | null)[], mark: string): ChangeSpec[] {
  return found.flatMap(({ from, to }, index) =>
    removals[index] === null
      ? [
          { from, insert: mark },
          { from: to, insert: mark },
        ]
      : [],
  )
}

/** At a caret without a word: a pair of marks to type into, or the pair that stands there taken away. */
function emptyMark(state: EditorState, at: number, mark: string) {
  const [character = ''] = mark
  const size = mark.length
  if (holdsMark(runAround(state, { from: at, to: at }, character), mark)) {
    return { changes: [{ from: at - size, to: at + size }], range: EditorSelection.cursor(at - size) }
  }
  return { changes: [{ from: at, insert: mark + mark }], range: EditorSelection.cursor(at + size) }
}

const ADDRESS = /^(?:https?:\/\/|mailto:)\S+$/
const PLACEHOLDER = 'https://'

/** Makes a link of the selection: a selected address waits for its text, a selected text for its address. */
export const insertLink: StateCommand = ({ state, dispatch }) => {
  if (state.readOnly) return false
  const change = state.changeByRange(({ from, to }) => {
    const selected = state.sliceDoc(from, to)
    if (ADDRESS.test(selected)) {
      return { changes: { from, to, insert: `[](${selected})` }, range: EditorSelection.cursor(from + 1) }
    }
    const address = from + selected.length + 3
    return {
      changes: { from, to, insert: `[${selected}](${PLACEHOLDER})` },
      range:
        selected === ''
          ? EditorSelection.cursor(from + 1)
          : EditorSelection.range(address, address + PLACEHOLDER.length),
    }
  })
  dispatch(state.update(change, { userEvent: 'input.format', scrollIntoView: true }))
  return true
}

/** An address pasted over selected words becomes their link. */
export const pasteAddress = EditorView.domEventHandlers({
  paste(event, view) {
    const { state } = view
    const { from, to } = state.selection.main
    const address = event.clipboardData?.getData('text/plain').trim() ?? ''
    const selected = state.sliceDoc(from, to)
    if (state.readOnly || !ADDRESS.test(address) || !isLinkText(selected)) return false
    const insert = `[${selected}](${address})`
    view.dispatch({
      changes: { from, to, insert },
      selection: EditorSelection.cursor(from + insert.length),
      userEvent: 'input.paste',
      scrollIntoView: true,
    })
    return true
  },
})

function isLinkText(selected: string): boolean {
  return selected.trim() !== '' && !/[\n[\]]/.test(selected) && !ADDRESS.test(selected)
}
