import type { JSX } from 'preact'
import type { CarrierKind } from '../../sync/carrier'
import { Icon } from '../icons'
import { ending, session, sheet } from './desk'

/** What the ways to the server are called. */
export const ways: Record<CarrierKind, string> = {
  socket: 'WebSocket',
  stream: 'Requests and an event stream',
  poll: 'Requests',
}

/** A small mark in the bar where the text takes another way than a WebSocket. */
export const Detour = (): JSX.Element | null => {
  const carrier = ending.value ? null : (session.value?.connection.value.carrier ?? null)
  if (!carrier) return null
  return (
    <button
      class="glyph detour"
      type="button"
      data-carrier={carrier}
      hidden={carrier === 'socket'}
      title={`Connected by ${ways[carrier].toLowerCase()}`}
      onClick={() => (sheet.value = 'connection')}
    >
      <Icon name="detour" />
      <span class="unseen">How this page is connected</span>
    </button>
  )
}
