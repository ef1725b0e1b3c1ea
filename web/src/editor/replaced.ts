// The server may write a text anew that not everybody read alike (docs/adr/0025-written-anew.md): all of it goes and
// comes again. To whoever is in it only what differs may change, or every caret would be at the end of the text.
import type { Text } from '@codemirror/state'

export interface Change {
  from: number
  to: number
  insert: string
}

/** The changes, or where they replace all of the text, the least that does the same. */
export function altered(changes: readonly Change[], doc: Text): readonly Change[] {
  const insert = changes.map(change => change.insert).join('')
  const isAll = changes.some(({ from, to }) => from === 0 && to === doc.length)
  return isAll && changes.length > 1 ? least(doc.sliceString(0), insert) : changes
}

/** The one change from a text to another, in whole characters; none where they are the same. */
function least(before: string, after: string): Change[] {
  if (before === after) return []
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before[start] === after[start]) start += 1
  if (isHigh(before, start - 1)) start -= 1
  let end = 0
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end += 1
  if (isHigh(before, before.length - end - 1)) end = Math.max(0, end - 1)
  return [{ from: start, to: before.length - end, insert: after.slice(start, after.length - end) }]
}

/** Whether the first half of a character stands here. */
function isHigh(text: string, at: number): boolean {
  return /[\ud800-\udbff]/.test(text[at] ?? '')
}
