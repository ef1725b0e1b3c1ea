import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Doc } from '../../api'
import { Confirm } from '../dialog'
import { Icon } from '../icons'
import { ago, exactly } from '../time'
import { deleteForever, moveToTrash, nameOf, restore } from './actions'

const roleWords = {
  owner: 'Yours',
  editor: 'Can edit',
  commenter: 'Can comment',
  viewer: 'Can view',
} as const

const whose = (doc: Doc): string =>
  doc.role === 'owner' || !doc.owner ? roleWords[doc.role] : `${roleWords[doc.role]} · ${doc.owner.name}`

const When = ({ prefix, iso }: { prefix: string; iso: string }): JSX.Element => (
  <time dateTime={iso} title={exactly(iso)}>
    {prefix} {ago(iso)}
  </time>
)

const TrashedRow = ({ doc }: { doc: Doc }): JSX.Element => {
  const [asking, setAsking] = useState(false)
  const name = nameOf(doc)
  return (
    <li class="row">
      <span class="row-main">
        <span class="row-title">{name}</span>
        <span class="row-facts">
          <When prefix="Moved to trash" iso={doc.trashed_at ?? doc.updated_at} />
        </span>
      </span>
      <button class="button" type="button" aria-label={`Restore ${name}`} onClick={() => restore(doc)}>
        <Icon name="restore" />
        Restore
      </button>
      <button
        class="glyph"
        type="button"
        title="Delete forever"
        aria-label={`Delete ${name} forever`}
        onClick={() => setAsking(true)}
      >
        <Icon name="trash" />
      </button>
      {asking && (
        <Confirm
          title={`Delete “${name}” forever?`}
          loss={`The text of “${name}”, its whole history and its links are lost for everyone. This cannot be undone.`}
          verb="Delete forever"
          onConfirm={() => void deleteForever(doc)}
          onClose={() => setAsking(false)}
        />
      )}
    </li>
  )
}

const LivingRow = ({ doc }: { doc: Doc }): JSX.Element => (
  <li class="row">
    <a class="row-main" href={`/d/${doc.id}`}>
      <span class="row-title">{nameOf(doc)}</span>
      <span class="row-facts">
        <When prefix="Changed" iso={doc.updated_at} />
        <span>{whose(doc)}</span>
      </span>
    </a>
    {doc.role === 'owner' && (
      <button
        class="glyph"
        type="button"
        title="Move to trash"
        aria-label={`Move ${nameOf(doc)} to trash`}
        onClick={() => moveToTrash(doc)}
      >
        <Icon name="trash" />
      </button>
    )}
  </li>
)

export const Row = ({ doc, trash }: { doc: Doc; trash: boolean }): JSX.Element =>
  trash ? <TrashedRow doc={doc} /> : <LivingRow doc={doc} />
