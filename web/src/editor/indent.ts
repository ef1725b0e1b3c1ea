// Tab and Shift-Tab inside lists. Everywhere else Tab leaves the editor, as keyboard users need (WCAG 2.1.2).
import type { ChangeSpec, EditorState, Line, StateCommand } from '@codemirror/state'
import { type ListItem, readListItem, selectedLines } from './blocks'

interface Found {
  line: Line
  item: ListItem
}

function itemsAbove(state: EditorState, line: Line): (ListItem | null)[] {
  const items: (ListItem | null)[] = []
  for (let number = line.number - 1; number >= 1; number--) {
    const { text } = state.doc.line(number)
    const item = readListItem(text)
    // A line at the margin that is no item ends the list.
    if (!item && /^\S/.test(text)) break
    items.push(item)
    if (item?.indent === 0) break
  }
  return items
}

/** The column of the text of the item above that this one may become a child of; its own column when there is none. */
function deeper(state: EditorState, { line, item }: Found): number {
  for (const above of itemsAbove(state, line)) {
    if (above && above.indent <= item.indent)
      return above.indent === item.indent ? above.content : item.indent
  }
  return item.indent
}

/** The column of the item above that this one is a child of; 0 when there is none. */
function shallower(state: EditorState, { line, item }: Found): number {
  for (const above of itemsAbove(state, line)) if (above && above.indent < item.indent) return above.indent
  return 0
}

function shift(by: (state: EditorState, first: Found) => number): StateCommand {
  return ({ state, dispatch }) => {
    const lines = selectedLines(state)
    const [line] = lines
    const item = line ? readListItem(line.text) : null
    if (!line || !item || state.readOnly) return false
    const delta = by(state, { line, item }) - item.indent
    const changes = state.changes(lines.map(each => indentBy(each, delta)))
    if (!changes.empty) dispatch(state.update({ changes, userEvent: 'input.indent', scrollIntoView: true }))
    // Also when there is nothing to shift: in a list Tab never jumps away.
    return true
  }
}

function indentBy({ from, text }: Line, delta: number): ChangeSpec {
  if (text.trim() === '') return []
  if (delta >= 0) return { from, insert: ' '.repeat(delta) }
  const blanks = /^\s*/.exec(text)?.[0].length ?? 0
  return { from, to: from + Math.min(-delta, blanks) }
}

export const indentItem: StateCommand = shift(deeper)
export const outdentItem: StateCommand = shift(shallower)
