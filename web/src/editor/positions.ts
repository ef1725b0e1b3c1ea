// Places in the text that survive edits: Yjs relative positions, as they travel in awareness states.
import * as Y from 'yjs'
import type { SharedCursor } from '../sync/types'

/** A selection in UTF-16 units of the present text. */
export interface Span {
  anchor: number
  head: number
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isItem(value: unknown): boolean {
  return (
    value === null ||
    value === undefined ||
    (isRecord(value) && isCount(value.client) && isCount(value.clock))
  )
}

/** The JSON has the shape that Yjs writes for a place in the root `text`. */
function isPosition(json: unknown, text: Y.Text): boolean {
  if (!isRecord(json) || !isItem(json.item) || (json.type ?? null) !== null) return false
  if (json.assoc !== undefined && !Number.isSafeInteger(json.assoc)) return false
  const root = json.tname ?? null
  return root === null
    ? isRecord(json.item)
    : typeof root === 'string' && text.doc?.share.get(root) === (text as unknown)
}

/**
 * The index that a peer's JSON points at, null when it is no position in this text or not here yet. Peers may send
 * anything; an unknown root name would even create that root in our replica, so all is checked before Yjs sees it.
 */
export function readPosition(json: unknown, text: Y.Text): number | null {
  if (text.doc === null || !isPosition(json, text)) return null
  try {
    const relative = Y.createRelativePositionFromJSON(json)
    const absolute = Y.createAbsolutePositionFromRelativePosition(relative, text.doc)
    return absolute !== null && absolute.type === text && absolute.index <= text.length
      ? absolute.index
      : null
  } catch {
    // A place that Yjs can not make sense of is no place.
    return null
  }
}

export function readCursor(cursor: unknown, text: Y.Text): Span | null {
  if (!isRecord(cursor)) return null
  const anchor = readPosition(cursor.anchor, text)
  const head = readPosition(cursor.head, text)
  return anchor === null || head === null ? null : { anchor, head }
}

/** Bound to the character before it, so that it stays put when somebody types right there, as CodeMirror's caret does. */
export function writeCursor({ anchor, head }: Span, text: Y.Text): SharedCursor {
  const start = Y.createRelativePositionFromTypeIndex(text, anchor, -1)
  const end = anchor === head ? start : Y.createRelativePositionFromTypeIndex(text, head, -1)
  return { anchor: Y.relativePositionToJSON(start), head: Y.relativePositionToJSON(end) }
}
