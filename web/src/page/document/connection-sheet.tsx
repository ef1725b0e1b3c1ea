import type { JSX } from 'preact'
import type { CarrierKind, Detour } from '../../sync/carrier'
import type { ConnectionState } from '../../sync/types'
import { Dialog } from '../dialog'
import { ways } from './carrier'
import { session } from './desk'

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

const Again = ({ at }: { at: number }): JSX.Element => (
  <>
    <p role="status">
      {at ? `A WebSocket is tried again at ${time.format(at)}.` : 'A WebSocket is being tried.'}
    </p>
    <div class="sheet-foot">
      <button class="button" type="button" onClick={() => session.value?.trySocket()}>
        Try now
      </button>
    </div>
  </>
)

const Broken = ({ phase, reason, retryAt }: ConnectionState): JSX.Element => (
  <p role="status">
    {phase === 'closed'
      ? 'The connection has ended.'
      : retryAt
        ? `${reason ? `${reason.replace(/\.$/, '')}. ` : ''}The page tries again at ${time.format(retryAt)}.`
        : 'The page is trying to reach the server.'}
  </p>
)

/** The connection as it is now. */
export const ConnectionSheet = ({ onClose }: { onClose: () => void }): JSX.Element | null => {
  const state = session.value?.connection.value
  if (!state) return null
  const { carrier, detour, since } = state
  return (
    <Dialog title="Connection" onClose={onClose}>
      <dl class="facts">
        <dt>Way</dt>
        <dd>{carrier ? ways[carrier] : 'None at the moment'}</dd>
        <dt>Since</dt>
        <dd>{dayAndTime.format(since)}</dd>
      </dl>
      {carrier && detour && <p>{reasons[detour.why]}</p>}
      {carrier ? <p>{means[carrier]}</p> : <Broken {...state} />}
      {carrier && detour && <Again at={detour.triedAgainAt} />}
    </Dialog>
  )
}
