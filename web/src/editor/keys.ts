// The keys of the editor and the commands behind them. Tab is bound in lists only: elsewhere it leaves the editor.
import { moveLineDown, moveLineUp, standardKeymap } from '@codemirror/commands'
import type { Command, EditorView, KeyBinding } from '@codemirror/view'
import { toggleHeading, toggleList, toggleQuote, toggleTask } from './blocks'
import { continueMarkup, deleteMarkup } from './continue'
import { indentItem, outdentItem } from './indent'
import { insertLink, toggleMark } from './marks'
import type { CommandName } from './types'
import type { UndoHistory } from './undo'

export type Commands = Record<CommandName, Command>

export function commandsFor(history: UndoHistory): Commands {
  return {
    bold: toggleMark('**'),
    italic: toggleMark('*'),
    strikethrough: toggleMark('~~'),
    code: toggleMark('`'),
    link: insertLink,
    heading1: toggleHeading(1),
    heading2: toggleHeading(2),
    heading3: toggleHeading(3),
    heading4: toggleHeading(4),
    heading5: toggleHeading(5),
    heading6: toggleHeading(6),
    bulletList: toggleList('bullet'),
    numberList: toggleList('number'),
    taskList: toggleList('task'),
    toggleTask,
    quote: toggleQuote,
    moveLineUp,
    moveLineDown,
    undo: view => history.undo(view),
    redo: view => history.redo(view),
  }
}

const shortcuts: readonly [string, CommandName][] = [
  ['Mod-b', 'bold'],
  ['Mod-i', 'italic'],
  ['Mod-e', 'code'],
  ['Mod-Shift-x', 'strikethrough'],
  ['Mod-k', 'link'],
  ['Mod-Alt-1', 'heading1'],
  ['Mod-Alt-2', 'heading2'],
  ['Mod-Alt-3', 'heading3'],
  ['Mod-Alt-4', 'heading4'],
  ['Mod-Alt-5', 'heading5'],
  ['Mod-Alt-6', 'heading6'],
  ['Mod-Shift-7', 'numberList'],
  ['Mod-Shift-8', 'bulletList'],
  ['Mod-Shift-9', 'taskList'],
  ['Mod-Shift-.', 'quote'],
  ['Mod-Enter', 'toggleTask'],
  ['Alt-ArrowUp', 'moveLineUp'],
  ['Alt-ArrowDown', 'moveLineDown'],
  ['Mod-z', 'undo'],
  ['Mod-Shift-z', 'redo'],
  ['Mod-y', 'redo'],
]

/** All key bindings; `find` opens the search panel. */
export function keysFor(
  commands: Commands,
  find: (view: EditorView, replace: boolean) => void,
): KeyBinding[] {
  const open = (replace: boolean): Command => {
    return view => {
      find(view, replace)
      return true
    }
  }
  return [
    // Taken even when there is nothing to do: the browser's own undo, bookmarks and downloads must not answer.
    ...shortcuts.map(([key, name]) => ({ key, run: commands[name], preventDefault: true })),
    { key: 'Mod-f', run: open(false), scope: 'editor search-panel' },
    { key: 'Mod-h', mac: 'Mod-Alt-f', run: open(true), scope: 'editor search-panel' },
    { key: 'Alt-f', run: open(true), scope: 'editor search-panel' },
    { key: 'Tab', run: indentItem, shift: outdentItem },
    { key: 'Enter', run: continueMarkup },
    { key: 'Backspace', run: deleteMarkup },
    ...standardKeymap,
  ]
}
