// Markdown at the start of lines: headings, quotes, lists and tasks. Every command works on all lines that the selection
// touches and changes only their prefixes, so that others who write in these lines lose nothing.
import type { EditorState, Line, StateCommand } from '@codemirror/state'

const HEADING = /^(#{1,6})(?:\s+|$)/
const QUOTE = /^>\s?/
const LIST_ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(\s+|$)(\[[ xX]\](?:\s+|$))?/

/** A list item's marks. `content` is the column where its text starts. */
export interface ListItem {
  indent: number
  marker: string
  box: string
  content: number
}

export function readListItem(text: string): ListItem | null {
  const match = LIST_ITEM.exec(text)
  if (!match) return null
  const [whole, indent = '', marker = '', , box = ''] = match
  return { indent: indent.length, marker, box, content: whole.length - box.length }
}

export function selectedLines(state: EditorState): Line[] {
  const lines: Line[] = []
  for (const { from, to } of state.selection.ranges) {
    const last = state.doc.lineAt(to).number
    for (let number = state.doc.lineAt(from).number; number <= last; number++) {
      if (lines.at(-1)?.number !== number) lines.push(state.doc.line(number))
    }
  }
  return lines
}

/** The selected lines that have text, or the one empty line the caret is in. */
function writtenLines(state: EditorState): Line[] {
  const lines = selectedLines(state)
  return lines.length === 1 ? lines : lines.filter(({ text }) => text.trim() !== '')
}

interface Replacement {
  from: number
  to: number
  insert: string
}

function apply(
  target: Parameters<StateCommand>[0],
  edit: (line: Line, index: number) => Replacement | null,
): boolean {
  const { state, dispatch } = target
  if (state.readOnly) return false
  const changes = state.changes(
    // What stays the same is not written anew: to others that would be a change.
    writtenLines(state)
      .map(edit)
      .filter(change => change !== null)
      .filter(({ from, to, insert }) => state.sliceDoc(from, to) !== insert),
  )
  if (changes.empty) return false
  // A caret at the start of a line goes behind the new prefix.
  const selection = state.selection.map(changes, 1)
  dispatch(state.update({ changes, selection, userEvent: 'input.format', scrollIntoView: true }))
  return true
}

/** Makes headings of `level` 1 to 6 of the lines; lines that already are become plain text. */
export function toggleHeading(level: number): StateCommand {
  const wanted = `${'#'.repeat(level)} `
  return target => {
    const isSet = writtenLines(target.state).every(({ text }) => HEADING.exec(text)?.[1]?.length === level)
    return apply(target, ({ from, text }) => {
      const old = HEADING.exec(text)?.[0].length ?? 0
      return { from, to: from + old, insert: isSet ? '' : wanted }
    })
  }
}

export const toggleQuote: StateCommand = target => {
  const isSet = writtenLines(target.state).every(({ text }) => QUOTE.test(text))
  return apply(target, ({ from, text }) => ({
    from,
    to: from + (isSet ? (QUOTE.exec(text)?.[0].length ?? 0) : 0),
    insert: isSet ? '' : '> ',
  }))
}

export type ListKind = 'bullet' | 'number' | 'task'

function kindOf(item: ListItem): ListKind {
  if (item.box !== '') return 'task'
  return /\d/.test(item.marker) ? 'number' : 'bullet'
}

function prefixOf(kind: ListKind, index: number): string {
  if (kind === 'number') return `${index + 1}. `
  return kind === 'task' ? '- [ ] ' : '- '
}

/** Makes list items of the lines; lines that already are of this kind become plain text. */
export function toggleList(kind: ListKind): StateCommand {
  return target => {
    const isSet = writtenLines(target.state).every(({ text }) => {
      const item = readListItem(text)
      return item !== null && kindOf(item) === kind
    })
    return apply(target, ({ from, text }, index) => {
      const item = readListItem(text)
      const indent = item?.indent ?? /^\s*/.exec(text)?.[0].length ?? 0
      const end = item ? item.content + item.box.length : indent
      return { from: from + indent, to: from + end, insert: isSet ? '' : prefixOf(kind, index) }
    })
  }
}

/** Ticks or clears the tasks among the lines, and makes tasks of list items that are none. False outside lists. */
export const toggleTask: StateCommand = target => {
  const items = writtenLines(target.state).map(({ text }) => readListItem(text))
  if (!items.some(item => item !== null)) return false
  const done = items.every(item => item === null || /x/i.test(item.box))
  return apply(target, ({ from, text }) => {
    const item = readListItem(text)
    if (!item) return null
    const box = from + item.content
    if (item.box === '') return { from: box, to: box, insert: '[ ] ' }
    return { from: box + 1, to: box + 2, insert: done ? ' ' : 'x' }
  })
}
