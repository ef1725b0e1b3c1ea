import type { JSX } from 'preact'
import { Icon } from '../icons'
import { Bar, Unsaved } from './bars'
import { mayWrite, session } from './desk'
import { rebuild } from './renewal'
import { drop, LASTING, type Lasting, standing } from './standing'

const whereItIs = (): string =>
  session.value?.onDevice.value ? 'It is kept on this device.' : 'It is in this window only.'

const Close = ({ kind }: { kind: Lasting }): JSX.Element => (
  <button class="glyph" type="button" aria-label="Close this notice" onClick={() => drop(kind)}>
    <Icon name="close" />
  </button>
)

/** A replica that was refused for good starts again from the server's text; else the same is offered once more. */
const again = (reapply: boolean, reason: string): void => {
  const opened = session.value
  if (reapply && !opened?.blocked.value) opened?.retryNow()
  else {
    drop('refused')
    rebuild(reapply, { kind: 'refused', reason })
  }
}

const Refused = ({ reason }: { reason: string }): JSX.Element => (
  <Bar tone="warn">
    <span>
      A change of yours was not accepted: {reason} {whereItIs()}
      {session.value?.blocked.value &&
        mayWrite.value &&
        ' Nothing else is saved until it is out of the text.'}
    </span>
    {mayWrite.value && (
      <button class="button plain" type="button" onClick={() => again(true, reason)}>
        Try again
      </button>
    )}
    <button class="button plain" type="button" onClick={() => again(false, reason)}>
      Take it out
    </button>
    <Unsaved />
    <Close kind="refused" />
  </Bar>
)

const Said = ({ kind, reason }: { kind: Lasting; reason: string }): JSX.Element | null => {
  switch (kind) {
    case 'refused':
      return <Refused reason={reason} />
    case 'degraded':
      return (
        <Bar tone="warn">
          <span>
            The server cannot save right now. Keep this page open; your changes are stored as soon as it can.
          </span>
          <Unsaved />
        </Bar>
      )
    case 'read-only':
      return (
        <Bar tone="warn">
          <span>The server takes no changes for now: {reason} What you write waits here.</span>
          <Unsaved />
        </Bar>
      )
    case 'draining':
      return <Bar tone="quiet">The server restarts. This page reconnects by itself.</Bar>
    case 'damaged':
      return <Bar tone="warn">{reason} What you see may be incomplete.</Bar>
    case 'differs':
      return (
        <Bar tone="quiet">
          <span>Your text was not the server’s any more and was made anew. What differed is kept here.</span>
          <Unsaved />
          <Close kind="differs" />
        </Bar>
      )
    case 'replaced':
      return (
        <Bar tone="quiet">
          <span>
            This document was replaced since you were here. What you had of it is kept on this device.
          </span>
          <Unsaved />
          <Close kind="replaced" />
        </Bar>
      )
  }
}

/** The bars of what stands. */
export const StandingBars = (): JSX.Element => (
  <>
    {LASTING.map(kind => {
      const reason = standing.value[kind]
      // What takes no changes cannot save either: one bar is enough.
      const isSaid = kind === 'degraded' && standing.value['read-only'] !== undefined
      return reason !== undefined && !isSaid && <Said key={kind} kind={kind} reason={reason} />
    })}
  </>
)
