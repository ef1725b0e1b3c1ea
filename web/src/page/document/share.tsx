import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Access, api, type Doc, told } from '../../api'
import { Dialog } from '../dialog'
import { Icon } from '../icons'
import { copy } from '../take-away'
import { addressOf, doc, isOwner, title } from './desk'
import { Links } from './links'

const accessWords: Record<Access, { label: string; means: string }> = {
  restricted: {
    label: 'Restricted',
    means: 'Only you, and people with a secret link, can open this document.',
  },
  viewer: { label: 'Anyone with the link can view', means: 'Whoever has the link can read along, live.' },
  commenter: {
    label: 'Anyone with the link can comment',
    means: 'Whoever has the link can read and comment.',
  },
  editor: { label: 'Anyone with the link can edit', means: 'Whoever has the link can read and write here.' },
}

const GeneralAccess = ({ known }: { known: Doc }): JSX.Element => {
  const [problem, setProblem] = useState('')
  const change = async (access: Access): Promise<void> => {
    setProblem('')
    try {
      doc.value = await api.change(known.id, { access })
    } catch (error) {
      setProblem(told(error))
    }
  }
  return (
    <div class="share-access">
      <label for="general-access">
        <h3>General access</h3>
      </label>
      {isOwner.value ? (
        <select
          class="field"
          id="general-access"
          value={known.access}
          onChange={event => void change(event.currentTarget.value as Access)}
        >
          {Object.entries(accessWords).map(([access, { label }]) => (
            <option key={access} value={access}>
              {label}
            </option>
          ))}
        </select>
      ) : (
        <output id="general-access">{accessWords[known.access].label}</output>
      )}
      <p class="quiet">{accessWords[known.access].means}</p>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  )
}

/** Who may come in, the address to send them, and the secret links. */
export const ShareDialog = ({ onClose }: { onClose: () => void }): JSX.Element | null => {
  const known = doc.value
  const copyButton = useRef<HTMLButtonElement>(null)
  // What most people open this for is one Enter away.
  useEffect(() => copyButton.current?.focus(), [])
  if (!known) return null
  return (
    <Dialog title={`Share “${title.value || 'Untitled'}”`} onClose={onClose}>
      <GeneralAccess known={known} />
      <div class="share-copy">
        <button
          class="button filled"
          type="button"
          ref={copyButton}
          onClick={() => void copy(addressOf(known.id), 'Link copied')}
        >
          <Icon name="link" />
          Copy link
        </button>
      </div>
      {isOwner.value && <Links id={known.id} />}
    </Dialog>
  )
}
