import { effect, signal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import type { Notice } from '../../sync/types'
import { Icon } from '../icons'
import { say } from '../toast'
import { backOnline, lost, secondsLeft } from './connection'
import { downloadText } from './copies'
import { ending, role, session } from './desk'

type Lasting = 'refused' | 'degraded' | 'read-only' | 'draining'

/** What the server said and still holds. */
const standing = signal<Partial<Record<Lasting, string>>>({})

const drop = (kind: Lasting): void => {
  const { [kind]: _, ...rest } = standing.peek()
  standing.value = rest
}

const changedRole = (notice: Notice): void => {
  const writes = ['editor', 'owner'].includes(notice.role ?? role.peek())
  say(writes ? 'You can now edit this document' : 'You can now only view this document')
}

/** Takes one notice of the server: a passing word or a bar that stays while it holds. */
export const hear = (notice: Notice): void => {
  const { kind, reason } = notice
  if (kind === 'role') changedRole(notice)
  else if (kind === 'refused' || kind === 'degraded' || kind === 'read-only' || kind === 'draining') {
    standing.value = { ...standing.peek(), [kind]: reason }
  }
}

// A state of the server ends when it stores our changes again, or when a new connection starts without it.
effect(() => {
  if (session.value?.save.value !== 'saved') return
  drop('degraded')
  drop('refused')
})
effect(() => {
  if (session.value?.connection.value.phase !== 'open') return
  for (const kind of ['draining', 'read-only', 'degraded'] as const) drop(kind)
})

const Bar = ({
  tone,
  children,
}: {
  tone: 'quiet' | 'warn' | 'good'
  children: ComponentChildren
}): JSX.Element => <div class={`notice ${tone}`}>{children}</div>

const lostWords = (): string => {
  if (!session.value?.synced.value) return 'The server cannot be reached.'
  return session.value.onDevice.value
    ? 'Connection lost. You can keep typing; changes will sync.'
    : 'Connection lost. Keep this window open: this browser does not keep your changes.'
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
  if (!lost.value) return null
  const seconds = secondsLeft.value
  return (
    <Bar tone="warn">
      <span>{lostWords()}</span>
      <span class="countdown" aria-hidden="true">
        {seconds === null ? 'Reconnecting…' : `Reconnecting in ${seconds} s`}
      </span>
      <button class="button plain" type="button" onClick={() => session.value?.retryNow()}>
        Try now
      </button>
    </Bar>
  )
}

const Refused = ({ reason }: { reason: string }): JSX.Element => (
  <Bar tone="warn">
    <span>
      A change of yours was not accepted: {reason}{' '}
      {session.value?.onDevice.value ? 'It is kept on this device.' : 'It is in this window only.'}
    </span>
    <button class="button plain" type="button" onClick={() => session.value?.retryNow()}>
      Try again
    </button>
    <button class="button plain" type="button" onClick={downloadText}>
      Download the text
    </button>
    <button class="glyph" type="button" aria-label="Close this notice" onClick={() => drop('refused')}>
      <Icon name="close" />
    </button>
  </Bar>
)

/** The bars under the top bar. Polite: they are read out when there is a pause, and never take the focus. */
export const Notices = (): JSX.Element => {
  const { refused, degraded, draining, 'read-only': readOnly } = ending.value ? {} : standing.value
  return (
    <div role="status">
      <Connection />
      {refused !== undefined && <Refused reason={refused} />}
      {degraded !== undefined && (
        <Bar tone="warn">
          The server cannot save right now. Keep this page open; your changes are stored as soon as it can.
        </Bar>
      )}
      {readOnly !== undefined && <Bar tone="warn">Nothing can be changed for now: {readOnly}</Bar>}
      {draining !== undefined && <Bar tone="quiet">The server restarts. This page reconnects by itself.</Bar>}
    </div>
  )
}
