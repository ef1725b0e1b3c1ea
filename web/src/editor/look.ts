// How the text looks: Markdown with its marks dimmed and its headings sized in the source. Colours are the page's tokens.
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import type { Extension } from '@codemirror/state'
import { EditorView } from '@codemirror/view'
import { tags } from '@lezer/highlight'

const headingSizes = [
  [tags.heading1, '1.7em'],
  [tags.heading2, '1.4em'],
  [tags.heading3, '1.2em'],
  [tags.heading4, '1.08em'],
] as const

const markdown = HighlightStyle.define([
  { tag: tags.heading, fontWeight: '700', lineHeight: '1.35' },
  ...headingSizes.map(([tag, fontSize]) => ({ tag, fontSize, fontWeight: '700', lineHeight: '1.35' })),
  { tag: tags.strong, fontWeight: '700' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: tags.strikethrough, textDecoration: 'line-through' },
  { tag: tags.monospace, fontFamily: 'var(--code-face, monospace)', fontSize: '0.9em' },
  { tag: tags.quote, color: 'var(--muted)', fontStyle: 'italic' },
  { tag: tags.link, color: 'var(--accent)' },
  { tag: tags.url, color: 'var(--muted)', textDecoration: 'underline', textDecorationThickness: '1px' },
  { tag: tags.labelName, color: 'var(--muted)' },
  { tag: tags.atom, color: 'var(--accent)', fontFamily: 'var(--code-face, monospace)', fontSize: '0.9em' },
  { tag: [tags.processingInstruction, tags.contentSeparator, tags.escape], color: 'var(--muted)' },
])

const surface = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    overflow: 'auto',
    fontFamily: 'var(--text-face, system-ui, sans-serif)',
    fontSize: 'var(--text-size, 17px)',
    lineHeight: 'var(--text-leading, 1.6)',
    scrollbarGutter: 'stable',
  },
  '.cm-content': {
    boxSizing: 'border-box',
    width: '100%',
    maxWidth: 'calc(var(--measure, 72ch) + 48px)',
    margin: '0 auto',
    padding: '32px 24px 40vh',
    caretColor: 'var(--ink)',
  },
  '.cm-line': { padding: '0' },
  '.cm-placeholder': { color: 'var(--muted)' },
  '.cm-content ::selection, .cm-content::selection': { backgroundColor: 'var(--selection, Highlight)' },
  '@media print': { '&, .cm-scroller': { height: 'auto', overflow: 'visible' } },
})

/** Highlighting and layout of the editor. */
export const look: Extension = [syntaxHighlighting(markdown), surface]
