import type { Token } from 'markdown-it'
import MarkdownIt from 'markdown-it'
import footnote from 'markdown-it-footnote'
import taskLists from 'markdown-it-task-lists'

/**
 * Markdown as the server reads it too (services/rendering.py): CommonMark with tables, strikethrough, bare links, task
 * lists and footnotes; raw HTML is text. The nesting limit of 20 is CommonMark's preset in both.
 */
const parser = new MarkdownIt({ html: false, linkify: true, maxNesting: 20 })
  .use(footnote)
  .use(taskLists, { label: true })

/** Columns are aligned by attribute: the CSP refuses the parser's inline styles. */
const align = (tokens: readonly Token[]): void => {
  for (const token of tokens) {
    const style = token.attrGet('style')
    if (style === null) continue
    token.attrs = (token.attrs ?? []).filter(([name]) => name !== 'style')
    token.attrSet('align', String(style).replace('text-align:', ''))
  }
}

/** Tokens of one top-level block stand together: nesting comes back to 0 after each. */
const blocksOf = (tokens: readonly Token[]): Token[][] => {
  const blocks: Token[][] = []
  let depth = 0
  let block: Token[] = []
  for (const token of tokens) {
    block.push(token)
    depth += token.nesting
    if (depth === 0) {
      blocks.push(block)
      block = []
    }
  }
  return blocks
}

/** The HTML of each top-level block of a text, not sanitised yet. */
export const renderBlocks = (text: string): string[] => {
  const env = {}
  const tokens = parser.parse(text, env)
  align(tokens)
  return blocksOf(tokens)
    .map(block => parser.renderer.render(block, parser.options, env))
    .filter(html => html !== '')
}
