import { Text } from '@codemirror/state'
import { expect, test } from 'vitest'
import { countDocument, countText } from '../src/editor/count'
import { titleOf } from '../src/editor/title'

const doc = (text: string): Text => Text.of(text.split('\n'))

test.each([
  ['', ''],
  ['\n\n  \n', ''],
  ['plain first\n# Heading', 'Heading'],
  ['## Second level ##\n# First', 'Second level'],
  ['\n- a **bold** [link](https://a.example) `code`', 'a bold link code'],
  ['#hashtag only', 'hashtag only'],
  ['# \n\nfirst words', 'first words'],
  ['# a\u202eb\u0007c', 'abc'],
  [`${'x'.repeat(5_000)}\n# Too far down`, 'x'.repeat(200)],
])('the title of %j', (text, title) => {
  expect(titleOf(doc(text))).toBe(title)
})

test.each([
  ['', 0, 0],
  ['two words', 2, 9],
  ['- [ ] **one** _two_', 2, 19],
  ["don't e-mail 3.5 a_b", 4, 20],
  ['日本語 text', 4, 8],
  ['día 😀 naïve', 2, 11],
])('%j has %i words and %i characters', (text, words, characters) => {
  expect(countText(text)).toEqual({ words, characters })
})

test('a document is counted with its line breaks, and not to the end when it changed', async () => {
  const text = doc('one two\n\nthree 😀')
  expect(await countDocument(text, new AbortController().signal)).toEqual({ words: 3, characters: 16 })
  const big = doc(Array.from({ length: 50_000 }, () => 'some more words é').join('\n'))
  expect(await countDocument(big, AbortSignal.abort())).toBeNull()
})
