// Markdown with GitHub's tables, task lists and strikethrough. Wired by hand: @codemirror/lang-markdown would bring the
// HTML, CSS and JavaScript parsers along, 76 KB gzip that the text never needs.
import { defineLanguageFacet, indentNodeProp, Language, languageDataProp } from '@codemirror/language'
import { GFM, parser } from '@lezer/markdown'

const data = defineLanguageFacet()

/** Code inside fences and HTML are left plain. */
export const markdown = new Language(
  data,
  parser.configure([
    GFM,
    {
      props: [
        // No rule of its own: a new line keeps the indentation of the one before.
        indentNodeProp.add({ Document: () => null }),
        languageDataProp.add({ Document: data }),
      ],
    },
  ]),
  [],
  'markdown',
)
