// The title that a text gives itself, by the server's rule: the first heading near the top, else the first line with words.
import type { Text } from '@codemirror/state'

const SEARCHED = 4_000 // a heading further down names a chapter
const LONGEST = 200
const HEADING = /^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$/
const MARKS = /[*_`~]+|!?\[([^\]]*)\]\([^)]*\)/g
const INVISIBLE = /[\p{Cf}\p{Cs}\p{Co}]|(?!\s)\p{Cc}/gu

/** The title of a text, '' when it has none. */
export function titleOf(doc: Text): string {
  const lines = doc.sliceString(0, SEARCHED).split('\n')
  for (const line of lines) {
    const heading = HEADING.exec(line)
    if (heading) {
      const title = plain(heading[1] ?? '')
      if (title !== '') return title
      break
    }
  }
  for (const line of lines) {
    const title = plain(line.replace(/^[ \t#>\-+*]+/, ''))
    if (title !== '') return title
  }
  return ''
}

function plain(line: string): string {
  const shown = line.replace(MARKS, (_mark, label: string | undefined) => label ?? '').replace(INVISIBLE, '')
  return Array.from(shown.replace(/\s+/g, ' ').trim()).slice(0, LONGEST).join('')
}
