// Enter and Backspace at list items and quotes. Items that follow are not renumbered: Markdown numbers by itself, and two
// people who renumber the same line at once would leave "33." behind.
import { syntaxTree } from '@codemirror/language'
import { EditorSelection, type EditorState, type Line, type StateCommand } from '@codemirror/state'
import { readListItem } from './blocks'
import { outdentItem } from './indent'

const QUOTES = /^(?:\s{0,3}>\s?)+/

interface Prefix {
  /** Quote marks and indentation. */
  lead: string
  /** List marks and task box; '' for a plain quote. */
  marks: string
  /** Marks of an item that follows. */
  next: string
}

function readPrefix(text: string): Prefix | null {
  const quotes = QUOTES.exec(text)?.[0] ?? ''
  const item = readListItem(text.slice(quotes.length))
  if (!item) return quotes === '' ? null : { lead: quotes, marks: '', next: '' }
  const rest = text.slice(quotes.length)
  const lead = quotes + rest.slice(0, item.indent)
  const marks = rest.slice(item.indent, item.content + item.box.length)
  const digits = /^\d+/.exec(item.marker)?.[0]
  const marker = digits ? `${Number(digits) + 1}${item.marker.slice(digits.length)}` : item.marker
  return { lead, marks, next: `${marker} ${item.box === '' ? '' : '[ ] '}` }
}

function inCode(state: EditorState, at: number): boolean {
  for (let node = syntaxTree(state).resolveInner(at, -1); ; ) {
    if (/Code(?:Block|Text)$|FencedCode/.test(node.name)) return true
    if (!node.parent) return false
    node = node.parent
  }
}

/** The line of a lone caret and its prefix, when it has one that Markdown reads as such. */
function prefixAtCaret(state: EditorState): { line: Line; prefix: Prefix; end: number } | null {
  const { main, ranges } = state.selection
  if (state.readOnly || ranges.length !== 1) return null
  const line = state.doc.lineAt(main.head)
  const prefix = main.from >= line.from ? readPrefix(line.text) : null
  if (!prefix || inCode(state, main.head)) return null
  return { line, prefix, end: line.from + prefix.lead.length + prefix.marks.length }
}

/** Goes on with the list or quote. In an empty item it goes one level up, and out of the list at the margin. */
export const continueMarkup: StateCommand = target => {
  const { state, dispatch } = target
  const found = prefixAtCaret(state)
  const { from, to } = state.selection.main
  if (!found || from < found.end) return false
  const { line, prefix, end } = found
  if (from === to && line.text.slice(end - line.from).trim() === '') return endMarkup(target, line, prefix)
  const insert = `\n${prefix.lead}${prefix.next}`
  dispatch(
    state.update({
      changes: { from, to, insert },
      selection: EditorSelection.cursor(from + insert.length),
      userEvent: 'input.type',
      scrollIntoView: true,
    }),
  )
  return true
}

function endMarkup(target: Parameters<StateCommand>[0], line: Line, { lead, marks }: Prefix): boolean {
  const nested = marks !== '' && /^\s+$/.test(lead)
  if (nested && readListItem(line.text)?.indent !== 0) return outdentItem(target)
  const keep = marks === '' ? 0 : lead.length
  target.dispatch(
    target.state.update({
      changes: { from: line.from + keep, to: line.to },
      userEvent: 'delete',
      scrollIntoView: true,
    }),
  )
  return true
}

/** Right behind the marks of an item or a quote, Backspace takes the marks away at once. */
export const deleteMarkup: StateCommand = ({ state, dispatch }) => {
  const found = prefixAtCaret(state)
  const { main } = state.selection
  if (!found || !main.empty || main.head !== found.end) return false
  const { line, prefix, end } = found
  const size = prefix.marks === '' ? (/>\s?$/.exec(prefix.lead)?.[0].length ?? 0) : prefix.marks.length
  if (size === 0 || end === line.from) return false
  dispatch(
    state.update({
      changes: { from: end - size, to: end },
      userEvent: 'delete.backward',
      scrollIntoView: true,
    }),
  )
  return true
}
