// Reads out of replicas what only this device has.
import * as Y from 'yjs'
import { TEXT_NAME } from './text-name'

export type Delta = { insert?: string; delete?: number; retain?: number }[]

/** The text of a replica, or of a state of one. */
export function textOf(state: Y.Doc | Uint8Array): string {
  if (state instanceof Y.Doc) return state.getText(TEXT_NAME).toString()
  const doc = new Y.Doc()
  Y.applyUpdate(doc, state)
  return doc.getText(TEXT_NAME).toString()
}

/** What `ours` has beyond `theirs`, as a delta of their text. Afterwards `ours` holds all of `theirs` too. */
export function newsOf(theirs: Y.Doc, ours: Y.Doc): Delta {
  const state = Y.encodeStateAsUpdate(theirs)
  Y.applyUpdate(ours, state)
  const both = new Y.Doc()
  Y.applyUpdate(both, state)
  let delta: Delta = []
  both.getText(TEXT_NAME).observe(event => {
    delta = event.delta as Delta
  })
  Y.applyUpdate(both, Y.encodeStateAsUpdate(ours, Y.encodeStateVector(both)))
  return delta
}

/** The texts that a delta inserts. */
export function insertedIn(delta: Delta): string[] {
  return delta.flatMap(({ insert }) => (typeof insert === 'string' && insert.trim() !== '' ? insert : []))
}

/** What of these updates is still to be seen in the text of `state`, in its order; neighbours are one part. */
export function partsOf(state: Uint8Array, updates: readonly Uint8Array[]): string[] {
  const parts: string[] = []
  let isOpen = false
  for (const [isMine, text] of visiblePieces(state, rangesOf(updates))) {
    if (isMine) parts.push(isOpen ? (parts.pop() ?? '') + text : text)
    isOpen = isMine
  }
  return parts.filter(part => part.trim() !== '')
}

function* visiblePieces(state: Uint8Array, ranges: ReadonlyMap<number, Range[]>): Iterable<Piece> {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, state)
  for (let item = doc.getText(TEXT_NAME)._start; item; item = item.right) {
    if (item.deleted || !(item.content instanceof Y.ContentString)) continue
    yield* piecesOf(item.id, item.content.str, ranges.get(item.id.client) ?? [])
  }
}

type Range = [from: number, to: number]
type Piece = [isMine: boolean, text: string]

/** The clocks of each client that updates bring, in order and without overlaps. */
function rangesOf(updates: readonly Uint8Array[]): Map<number, Range[]> {
  const ranges = new Map<number, Range[]>()
  const [first, ...rest] = updates
  if (!first) return ranges
  for (const { id, length } of Y.decodeUpdate(Y.mergeUpdates([first, ...rest])).structs) {
    ranges.set(id.client, [...(ranges.get(id.client) ?? []), [id.clock, id.clock + length]])
  }
  return ranges
}

/** One item's text cut where it goes into or out of the ranges. */
function piecesOf(
  { clock }: Y.ID,
  text: string,
  ranges: readonly Range[],
): [isMine: boolean, text: string][] {
  const pieces: [boolean, string][] = []
  let at = 0
  for (const [from, to] of ranges) {
    const start = Math.max(at, from - clock)
    const end = Math.min(text.length, to - clock)
    if (end <= start) continue
    if (start > at) pieces.push([false, text.slice(at, start)])
    pieces.push([true, text.slice(start, end)])
    at = end
  }
  if (at < text.length) pieces.push([false, text.slice(at)])
  return pieces
}
