import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Kept } from '../../sync/kept'
import { Confirm } from '../dialog'
import { copy, download } from '../take-away'
import { ago, exactly } from '../time'

export interface Found {
  kept: Kept
  title: string
  text: string
  /** What of the text was in no other place. */
  parts: string[]
}

const number = new Intl.NumberFormat()

const reasons: Record<NonNullable<Kept['why']>['kind'], string> = {
  refused: 'The server did not accept it.',
  fork: 'It was written under a name tag that another window had.',
  differs: 'It was not the same as on the server.',
  removed: 'Your access to the document was removed.',
  missing: 'The document is gone, or not shared with you any more.',
  trashed: 'The document was moved to the trash.',
  replaced: 'The document was replaced by another state of it.',
  'too-large': 'The document is too large.',
}

const reasonOf = ({ why, changes }: Kept): string => {
  if (!why) return 'It was not sent yet. Open the document while you are online to send it.'
  const words = [reasons[why.kind]]
  if (why.reason && why.kind === 'refused') words.push(why.reason)
  if (changes === 0 && why.kind === 'missing') words.push('All you wrote had been saved in it.')
  return words.join(' ')
}

const sizeOf = ({ kept, text }: Found): string => {
  const characters = `${number.format(text.length)} ${text.length === 1 ? 'character' : 'characters'}`
  if (kept.changes === 0) return characters
  return `${characters}, ${number.format(kept.changes)} ${kept.changes === 1 ? 'change' : 'changes'} not sent`
}

const Shown = ({ label, text }: { label: string; text: string }): JSX.Element => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a text that scrolls must be reachable by keyboard
  <section aria-label={label} tabIndex={0}>
    <pre>{text}</pre>
  </section>
)

const Texts = ({ text, parts }: Found): JSX.Element => {
  const isWhole = parts.length === 0 || parts.join('') === text
  if (isWhole) return <Shown label="The text" text={text} />
  return (
    <>
      <h3>What is not saved</h3>
      <Shown label="What is not saved" text={parts.join('\n…\n')} />
      <details>
        <summary>The whole text as it stood here</summary>
        <Shown label="The whole text" text={text} />
      </details>
    </>
  )
}

/** One thing that is only in this browser. */
export const Entry = ({ found, onRemove }: { found: Found; onRemove: () => void }): JSX.Element => {
  const [asking, setAsking] = useState(false)
  const { kept, title, text, parts } = found
  const iso = new Date(kept.at).toISOString()
  return (
    <li class="kept-entry">
      <h2>{title}</h2>
      <p class="quiet">
        <time dateTime={iso} title={exactly(iso)}>
          {ago(iso)}
        </time>
        {` · ${sizeOf(found)}`}
      </p>
      <p>{reasonOf(kept)}</p>
      <Texts {...found} />
      <div class="kept-actions">
        <button class="button" type="button" onClick={() => void copy(text, 'Text copied')}>
          Copy the text
        </button>
        {parts.length > 0 && parts.join('') !== text && (
          <button class="button" type="button" onClick={() => void copy(parts.join('\n'), 'Copied')}>
            Copy what is not saved
          </button>
        )}
        <button class="button" type="button" onClick={() => download(text, title)}>
          Download .md
        </button>
        <a class="button" href={`/d/${encodeURIComponent(kept.document)}`}>
          Open the document
        </a>
        <button class="button plain" type="button" onClick={() => setAsking(true)}>
          Remove
        </button>
      </div>
      {asking && (
        <Confirm
          title={`Remove “${title}” from this browser?`}
          loss="This text is nowhere else, as far as this browser knows. It is lost when you remove it."
          verb="Remove"
          onConfirm={onRemove}
          onClose={() => setAsking(false)}
        />
      )}
    </li>
  )
}
