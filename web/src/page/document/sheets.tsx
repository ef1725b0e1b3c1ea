import type { JSX } from 'preact'
import { Dialog } from '../dialog'
import { keyName } from '../keys'
import { ConnectionSheet } from './connection-sheet'
import { editor, sheet } from './desk'
import { ShareDialog } from './share'

const close = (): void => {
  sheet.value = null
}

/** A quiet reader reads about this many words a minute. */
const WORDS_A_MINUTE = 220

const number = new Intl.NumberFormat()

const Count = (): JSX.Element => {
  const { words, characters } = editor.value?.wordCount.value ?? { words: 0, characters: 0 }
  const chosen = editor.value?.selection.value
  const facts: [string, string][] = [
    ['Words', number.format(words)],
    ['Characters', number.format(characters)],
    ['Time to read', `${Math.max(1, Math.round(words / WORDS_A_MINUTE))} min`],
  ]
  if (chosen && chosen.characters > 0) {
    facts.push(['Selected words', number.format(chosen.words)])
    facts.push(['Selected characters', number.format(chosen.characters)])
  }
  return (
    <Dialog title="Word count" onClose={close}>
      <dl class="facts">
        {facts.map(([label, value]) => (
          <>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  )
}

const keys: readonly { title: string; lines: readonly [string, string][] }[] = [
  {
    title: 'Text',
    lines: [
      ['Bold', 'Mod+B'],
      ['Italic', 'Mod+I'],
      ['Link', 'Mod+K'],
      ['Headings 1 to 6', 'Mod+Alt+1…6'],
    ],
  },
  {
    title: 'Lists',
    lines: [
      ['Numbered list', 'Mod+Shift+7'],
      ['Bulleted list', 'Mod+Shift+8'],
      ['Task list', 'Mod+Shift+9'],
      ['Tick a task', 'Mod+Enter'],
      ['Move the line', 'Alt+↑ / Alt+↓'],
    ],
  },
  {
    title: 'Document',
    lines: [
      ['Undo', 'Mod+Z'],
      ['Redo', 'Mod+Shift+Z'],
      ['Find and replace', 'Mod+F'],
      ['How it stands with saving', 'Mod+S'],
      ['Go around the page', 'F6'],
      ['Leave the editor', 'Esc, then Tab'],
      ['This list', 'Mod+/'],
    ],
  },
]

const Keys = (): JSX.Element => (
  <Dialog title="Keyboard shortcuts" onClose={close}>
    <div class="keys">
      {keys.map(({ title, lines }) => (
        <section key={title}>
          <h3>{title}</h3>
          <ul>
            {lines.map(([label, combination]) => (
              <li key={label}>
                {label}
                <kbd>{keyName(combination)}</kbd>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  </Dialog>
)

/** The sheet that is open, if any. */
export const Sheets = (): JSX.Element | null => {
  switch (sheet.value) {
    case 'share':
      return <ShareDialog onClose={close} />
    case 'count':
      return <Count />
    case 'keys':
      return <Keys />
    case 'connection':
      return <ConnectionSheet onClose={close} />
    case null:
      return null
  }
}
