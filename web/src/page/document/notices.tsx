import type { JSX } from 'preact'
import type { DocumentSession } from '../../sync/types'
import { lazily } from '../lazy'
import { Bar, Unsaved } from './bars'
import { backOnline, lost, secondsLeft } from './connection'
import { session } from './desk'
import { standing } from './standing'

/** The server lets nobody in for now. */
const TRY_LATER = 1013

const lostWords = (opened: DocumentSession): string => {
  const { code, reason } = opened.connection.value
  const what = code === TRY_LATER ? reason || 'The server asks to wait.' : 'Connection lost.'
  if (!opened.synced.value) return code === TRY_LATER ? what : 'The server cannot be reached.'
  return opened.onDevice.value
    ? `${what} You can keep typing; changes will sync.`
    : `${what} Keep this window open: this browser does not keep your changes.`
}

const Connection = (): JSX.Element | null => {
  if (backOnline.value !== null) {
    const count = backOnline.value
    return (
      <Bar tone="good">
        Back online{count > 0 && ` — ${count} ${count === 1 ? 'change' : 'changes'} synced`}
      </Bar>
    )
  }
  const opened = session.value
  if (!lost.value || !opened) return null
  const seconds = secondsLeft.value
  return (
    <Bar tone="warn">
      <span>{lostWords(opened)}</span>
      <span class="countdown" aria-hidden="true">
        {seconds === null ? 'Reconnecting…' : `Reconnecting in ${seconds} s`}
      </span>
      <button class="button plain" type="button" onClick={() => opened.retryNow()}>
        Try now
      </button>
      {opened.unsavedCount.value > 0 && opened.onDevice.value && <Unsaved />}
    </Bar>
  )
}

export const loadStandingBars = () => import('./standing-bars').then(part => part.StandingBars)

const Standing = lazily(() => Object.keys(standing.value).length > 0, loadStandingBars)

/** The bars under the top bar. Polite: they are read out when there is a pause, and never take the focus. */
export const Notices = (): JSX.Element => (
  <div role="status">
    <Connection />
    <Standing />
  </div>
)
