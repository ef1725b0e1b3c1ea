import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { api, told } from '../../api'
import { say } from '../toasts'
import { Detour } from './carrier'
import { doc, editor, ending, mayRename, mayWrite, session, sheet, title } from './desk'
import { Overflow } from './overflow'
import { Presence } from './presence'
import { Status } from './status'

const rename = async (text: string): Promise<void> => {
  const known = doc.value
  if (!known) return
  try {
    doc.value = await api.change(known.id, { title: text })
  } catch (error) {
    say(`The title is not changed. ${told(error)}`)
  }
}

/** Back to the text; leaving the field is what ends the change. */
const leave = (): void => editor.value?.focus()

const TitleField = (): JSX.Element => {
  const [draft, setDraft] = useState<string | null>(null)
  const cancelled = useRef(false)
  // Others may change the title while it is looked at here: only what was typed counts as a wish.
  const before = useRef('')
  const finish = (): void => {
    if (draft !== null && draft !== before.current && !cancelled.current) void rename(draft.trim())
    cancelled.current = false
    setDraft(null)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing || (event.key !== 'Enter' && event.key !== 'Escape')) return
    // The key has done its work here: it must not go on into the text.
    event.preventDefault()
    cancelled.current = event.key === 'Escape'
    leave()
  }
  return (
    <input
      class="title-field"
      aria-label="Title"
      title="Change the title; empty follows the text"
      placeholder="Untitled"
      maxLength={200}
      spellcheck={false}
      value={draft ?? title.value}
      onFocus={event => {
        before.current = title.value
        setDraft(title.value)
        event.currentTarget.select()
      }}
      onInput={event => setDraft(event.currentTarget.value)}
      onKeyDown={onKeyDown}
      onBlur={finish}
    />
  )
}

const Title = (): JSX.Element | null => {
  if (!(doc.value || session.value) || ending.value?.kind === 'missing') return null
  const name = title.value || 'Untitled'
  if (!mayRename.value) return <h1 class="title-field">{name}</h1>
  return (
    <>
      <h1 class="unseen">{name}</h1>
      <TitleField />
    </>
  )
}

/** The top bar: home, title, how it stands with saving, who is here, Share, the rest. */
export const Bar = (): JSX.Element => (
  <>
    <a class="glyph home-mark" href="/" title="All documents">
      <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
        <path d="M5 19V5" />
        <path d="M10 8h9M10 12h6M10 16h8" />
      </svg>
      <span class="unseen">All documents</span>
    </a>
    <div class="naming">
      <Title />
      <Status />
    </div>
    <Detour />
    {session.value && !mayWrite.value && !ending.value && <span class="pill">View only</span>}
    <Presence />
    {doc.value && !ending.value && (
      <button class="button filled" type="button" onClick={() => (sheet.value = 'share')}>
        Share
      </button>
    )}
    <Overflow />
  </>
)
