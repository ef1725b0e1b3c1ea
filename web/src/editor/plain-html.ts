// Stands in for @codemirror/lang-html (see the alias in vite.config.ts): HTML inside Markdown is shown as plain text
// instead of loading the HTML, CSS and JavaScript parsers, which are 66 KB gzip.
import { defineLanguageFacet, Language, LanguageSupport } from '@codemirror/language'
import { type Input, NodeType, Parser, type PartialParse, Tree, type TreeFragment } from '@lezer/common'

const plain = NodeType.define({ id: 0, name: 'PlainHtml', top: true })

class PlainParser extends Parser {
  createParse(
    _input: Input,
    _fragments: readonly TreeFragment[],
    ranges: readonly { from: number; to: number }[],
  ): PartialParse {
    const end = ranges.at(-1)?.to ?? 0
    const length = end - (ranges[0]?.from ?? 0)
    return {
      parsedPos: end,
      stoppedAt: null,
      stopAt: () => undefined,
      advance: () => new Tree(plain, [], [], length),
    }
  }
}

/** The part of lang-html's `html()` that lang-markdown uses; its parser makes one node without children. */
export function html(): LanguageSupport {
  return new LanguageSupport(new Language(defineLanguageFacet(), new PlainParser(), [], 'plain-html'))
}

/** lang-markdown asks this for HTML tags to complete; there are none. */
export function htmlCompletionSource(): null {
  return null
}
