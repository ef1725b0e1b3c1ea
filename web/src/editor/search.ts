// Find and replace, loaded when it is first wanted. The browser's own search can not see lines that are not drawn.
import { openSearchPanel, search, searchKeymap } from '@codemirror/search'
import type { Extension } from '@codemirror/state'
import { EditorView, keymap } from '@codemirror/view'

const look = EditorView.theme({
  '.cm-panels': {
    backgroundColor: 'var(--raised, var(--paper))',
    color: 'var(--ink)',
    font: '14px/1.5 system-ui, sans-serif',
  },
  '.cm-panels-top': { borderBottom: '1px solid var(--hair, var(--line))' },
  '.cm-panel.cm-search': { padding: '6px 48px 6px 12px' },
  '.cm-panel.cm-search label': {
    display: 'inline-flex',
    alignItems: 'center',
    gap: '4px',
    margin: '2px 12px 2px 0',
    fontSize: '13px',
  },
  // One selection is all there is.
  '.cm-panel.cm-search [name=select]': { display: 'none' },
  '.cm-panel.cm-search .cm-textfield': {
    width: '240px',
    maxWidth: '100%',
    boxSizing: 'border-box',
    minHeight: '32px',
    margin: '2px 6px 2px 0',
    padding: '0 8px',
    border: '1px solid var(--line)',
    borderRadius: 'var(--corner, 6px)',
    backgroundColor: 'var(--paper)',
    color: 'var(--ink)',
    fontSize: '14px',
  },
  '.cm-panel.cm-search .cm-button': {
    minHeight: '32px',
    margin: '2px 6px 2px 0',
    padding: '0 10px',
    border: '1px solid transparent',
    borderRadius: 'var(--corner, 6px)',
    background: 'transparent',
    color: 'var(--ink)',
    fontSize: '14px',
    cursor: 'pointer',
  },
  '.cm-panel.cm-search .cm-button:hover': { backgroundColor: 'var(--sunken, var(--hair))' },
  '.cm-panel.cm-search .cm-dialog-close, .cm-panel.cm-search [name=close]': {
    position: 'absolute',
    top: '8px',
    right: '8px',
    width: '32px',
    height: '32px',
    color: 'var(--ink)',
    fontSize: '18px',
    cursor: 'pointer',
  },
  '.cm-searchMatch': { backgroundColor: 'var(--match, #ffe49a)', borderRadius: '2px' },
  '.cm-searchMatch-selected': { outline: '2px solid var(--accent)' },
  // A field to a line, its buttons below it.
  '@media (max-width: 640px)': { '.cm-panel.cm-search .cm-textfield': { width: '100%' } },
  '@media (pointer: coarse)': {
    '.cm-panel.cm-search .cm-button, .cm-panel.cm-search .cm-textfield': { minHeight: '40px' },
  },
})

const keys = searchKeymap.filter(({ key }) => key === 'F3' || key === 'Mod-g' || key === 'Escape')

export const searchExtension: Extension = [search({ top: true }), keymap.of(keys), look]

/** Opens the panel, or goes to it; `replace` goes to its second field. */
export function showSearch(view: EditorView, replace: boolean): void {
  openSearchPanel(view)
  if (!replace) return
  const field = view.dom.querySelector<HTMLInputElement>('.cm-search [name=replace]')
  field?.focus()
  field?.select()
}
