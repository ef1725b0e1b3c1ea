import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { api, told } from '../../api'
import { Confirm } from '../dialog'
import { copy } from '../take-away'
import { say } from '../toasts'
import { doc, downloadText, type Ending, ending, isOwner, session, textNow } from './desk'
import { forget } from './known'

const words: Record<Ending['kind'], { title: string; text: string }> = {
  missing: {
    title: 'This document doesn’t exist or you don’t have access',
    text: 'Check the address, or ask whoever sent it to share the document with you.',
  },
  removed: {
    title: 'Your access to this document was removed',
    text: 'You can keep a copy of the text as it stands here. Ask its owner if you still need to write in it.',
  },
  trashed: {
    title: 'This document was moved to the trash',
    text: 'Its owner can restore it. You can keep a copy of the text as it stands here.',
  },
  'too-large': {
    title: 'This document is too large',
    text: 'The server takes no more text for it. Keep a copy of what stands here and go on in a new document.',
  },
  replaced: {
    title: 'This document was replaced by another state of it',
    text: 'What you have here belongs to the earlier one and is not merged by itself. It stays on this device; open the document as it is now.',
  },
  'signed-out': {
    title: 'You are not signed in any more',
    text: 'Reload the page to go on.',
  },
  protocol: {
    title: 'This page and the server do not understand each other',
    text: 'The server was probably updated. Reload the page to go on.',
  },
  failed: {
    title: 'This document cannot be opened right now',
    text: 'Nothing of it is lost.',
  },
  unreachable: {
    title: 'The server cannot be reached',
    text: 'This device has no copy of the document. Check your connection and try again.',
  },
}

const reloads: readonly Ending['kind'][] = ['signed-out', 'protocol', 'unreachable', 'failed']

/** Where the copy on this device is all that is left to this person; it stays until he removes it. */
const withdrawn: readonly Ending['kind'][] = ['missing', 'removed', 'trashed']

/** Where what was written comes back with the page. */
const comesBack: readonly Ending['kind'][] = ['signed-out', 'protocol']

/** Where the server's own words say more. */
const explained: readonly Ending['kind'][] = ['too-large', 'failed']

/** Only after the person chose so: the copy on this device goes. */
const removeCopy = async (): Promise<void> => {
  const opened = session.value
  await opened?.forgetLocalCopy()
  if (opened) forget(opened.id)
}

/** The copy of the earlier state stays for /recover; only what is known of the document is asked for anew. */
const openCurrent = (): void => {
  if (session.value) forget(session.value.id)
  location.reload()
}

const removeAndLeave = async (): Promise<void> => {
  await removeCopy()
  location.assign('/')
}

const whereItIs = (): string =>
  session.value?.onDevice.value
    ? 'What you wrote is kept on this device.'
    : 'What you wrote is in this window only: copy it before you reload.'

const restoreHere = async (): Promise<void> => {
  const known = doc.value
  if (!known) return
  try {
    await api.restore(known.id)
    location.reload()
  } catch (error) {
    say(told(error))
  }
}

const Actions = ({ kind }: { kind: Ending['kind'] }): JSX.Element => {
  if (kind === 'trashed' && isOwner.value) {
    return (
      <button class="button filled" type="button" onClick={() => void restoreHere()}>
        Restore it
      </button>
    )
  }
  if (kind === 'replaced') {
    return (
      <button class="button filled" type="button" onClick={openCurrent}>
        Open the document as it is now
      </button>
    )
  }
  if (reloads.includes(kind)) {
    return (
      <button class="button filled" type="button" onClick={() => location.reload()}>
        {kind === 'unreachable' || kind === 'failed' ? 'Try again' : 'Reload'}
      </button>
    )
  }
  return (
    <a class="button filled" href="/new">
      New document
    </a>
  )
}

/** The one way to lose what the server never had: it is asked about. */
const Remove = (): JSX.Element => {
  const [asking, setAsking] = useState(false)
  return (
    <>
      <button class="button plain" type="button" onClick={() => setAsking(true)}>
        Remove from this device
      </button>
      {asking && (
        <Confirm
          title="Remove this text from this device?"
          loss="What you wrote here and the server does not have is lost. This cannot be undone."
          verb="Remove"
          onConfirm={() => void removeAndLeave()}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  )
}

const Copy = ({ text, removable }: { text: string; removable: boolean }): JSX.Element => (
  <section class="kept" aria-label="Your copy of the text">
    <div class="kept-actions">
      <button class="button" type="button" onClick={() => void copy(text, 'Text copied')}>
        Copy the text
      </button>
      <button class="button" type="button" onClick={downloadText}>
        Download .md
      </button>
      {removable && <Remove />}
    </div>
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a text that scrolls must be reachable by keyboard */}
    <pre tabIndex={0}>{text}</pre>
  </section>
)

/** Shown in place of the editor once nothing more can be written here. */
export const Ended = (): JSX.Element | null => {
  const end = ending.value
  if (!end) return null
  const text = session.value?.synced.value ? textNow() : ''
  return (
    <div class="ended">
      <h1>{words[end.kind].title}</h1>
      {!(end.kind === 'trashed' && isOwner.value) && <p class="quiet">{words[end.kind].text}</p>}
      {comesBack.includes(end.kind) && <p class="quiet">{whereItIs()}</p>}
      {explained.includes(end.kind) && end.reason && <p class="quiet">{end.reason}</p>}
      <div class="ended-actions">
        <Actions kind={end.kind} />
        <a class="button" href="/">
          Home
        </a>
      </div>
      {(session.value?.unsavedCount.value ?? 0) > 0 && (
        <p class="quiet">
          Not all of it had reached the server. It stays under <a href="/recover">Not on the server</a> too.
        </p>
      )}
      {text && <Copy text={text} removable={withdrawn.includes(end.kind)} />}
    </div>
  )
}
