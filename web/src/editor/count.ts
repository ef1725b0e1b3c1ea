// Words and characters as people count them. Scripts without spaces between words count by character, as word processors do.
import type { Text } from '@codemirror/state'
import type { TextCount } from './types'

const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]/gu
const WORD = /[\p{L}\p{N}\p{M}]+(?:['’._-][\p{L}\p{N}\p{M}]+)*/gu
const PAIR = /[\ud800-\udbff][\udc00-\udfff]/g
const ASCII = /^[\0-\x7f]*$/
const SLICE_MS = 8 // half a frame, so that counting 5 MB never holds up a key

const matches = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0

/** Counts one piece of text; `characters` are code points. */
export function countText(text: string): TextCount {
  if (ASCII.test(text)) return { words: matches(text, WORD), characters: text.length }
  const unspaced = matches(text, UNSPACED)
  const spaced = unspaced > 0 ? text.replace(UNSPACED, ' ') : text
  return { words: unspaced + matches(spaced, WORD), characters: text.length - matches(text, PAIR) }
}

/** Counts a whole document in slices of 8 ms; null when `signal` was aborted meanwhile. */
export async function countDocument(doc: Text, signal: AbortSignal): Promise<TextCount | null> {
  const total = { words: 0, characters: doc.lines - 1 }
  let pause = performance.now() + SLICE_MS
  for (const line of doc.iterLines()) {
    const { words, characters } = countText(line)
    total.words += words
    total.characters += characters
    if (performance.now() < pause) continue
    await new Promise(resolve => setTimeout(resolve, 0))
    if (signal.aborted) return null
    pause = performance.now() + SLICE_MS
  }
  return signal.aborted ? null : total
}
