import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import type { CarrierKind, Detour } from '../../sync/carrier'
import type { ConnectionState } from '../../sync/types'
import { Dialog } from '../dialog'
import { ways } from './carrier'
import { editor, session } from './desk'

const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })
const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** What is different from a WebSocket, which is one line in both directions. */
const means: Record<CarrierKind, string> = {
  socket: 'One line in both directions: what is typed here is everywhere at once.',
  stream: 'What you type leaves by requests, what others type comes as a stream. “Saved” still means saved.',
  poll: 'Event streams are kept back on the way, too, or this browser has too many documents open for them: the page asks again and again for what others type, which may take a moment longer. “Saved” still means saved.',
}

const reasons: Record<Detour['why'], string> = {
  refused: 'A WebSocket was refused on its way to the server, as some firewalls and proxies do.',
  silent: 'Nothing came through a WebSocket in time, as behind some firewalls and proxies.',
}

const broken = ({ phase, reason, retryAt }: ConnectionState): string => {
  if (phase === 'closed') return 'The connection has ended.'
  if (!retryAt) return 'The page is trying to reach the server.'
  return `${reason ? `${reason.replace(/\.$/, '')}. ` : ''}The page tries again at ${time.format(retryAt)}.`
}

const standing = (state: ConnectionState): string => {
  if (!state.carrier) return broken(state)
  if (!state.detour) return `Connected by ${ways[state.carrier]}.`
  const at = state.detour.triedAgainAt
  return at ? `A WebSocket is tried again at ${time.format(at)}.` : 'A WebSocket is being tried.'
}

/** The connection as it is now. */
export const ConnectionSheet = ({ onClose }: { onClose: () => void }): JSX.Element | null => {
  const state = session.value?.connection.value
  // The button stays while the sheet is open: what has the focus must not go away by its own success.
  const wasDetoured = useRef(false)
  if (!state) return null
  const { carrier, detour, since } = state
  wasDetoured.current ||= detour !== null
  return (
    <Dialog title="Connection" onClose={onClose} rest={() => editor.value?.focus()}>
      <dl class="facts">
        <dt>Way</dt>
        <dd>{carrier ? ways[carrier] : 'None at the moment'}</dd>
        <dt>Since</dt>
        <dd>{dayAndTime.format(since)}</dd>
      </dl>
      {carrier && detour && <p>{reasons[detour.why]}</p>}
      {carrier && <p>{means[carrier]}</p>}
      <p role="status">{standing(state)}</p>
      {wasDetoured.current && (
        <div class="sheet-foot">
          <button
            class="button"
            type="button"
            aria-disabled={!detour?.triedAgainAt}
            onClick={() => detour?.triedAgainAt && session.value?.trySocket()}
          >
            Try now
          </button>
        </div>
      )}
    </Dialog>
  )
}
