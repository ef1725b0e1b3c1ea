import { computed, effect, signal } from '@preact/signals'
import type { JSX } from 'preact'
import type { DocumentSession } from '../../sync/types'
import { exactly } from '../time'
import { ending, mayWrite, session } from './desk'
import { standing } from './standing'

/** "Saved" is news for this long, then it is the normal state of things. */
const NEWS_MS = 3_000

/** Acks come milliseconds after each key: said at once, it would flicker and be read out key by key. */
const PAUSE_MS = 400

const settled = signal(false)
const fresh = signal(false)
let ageing: ReturnType<typeof setTimeout> | undefined

effect(() => {
  settled.value = false
  if (session.value?.save.value !== 'saved') return undefined
  const pause = setTimeout(() => {
    settled.value = true
  }, PAUSE_MS)
  return () => clearTimeout(pause)
})

effect(() => {
  if (!settled.value || session.value?.savedAt.value === null) return
  fresh.value = true
  clearTimeout(ageing)
  ageing = setTimeout(() => {
    fresh.value = false
  }, NEWS_MS)
})

const wordsOf = (opened: DocumentSession): string => {
  switch (opened.save.value) {
    case 'loading':
      return ''
    case 'saving':
      return 'Saving…'
    case 'saved':
      if (!settled.value) return opened.savedAt.value === null ? '' : 'Saving…'
      // The text has others' changes too, and theirs wait: the bar says so.
      if (standing.value.degraded !== undefined) return ''
      return fresh.value ? 'Saved' : 'All changes saved'
    case 'offline':
      return opened.onDevice.value
        ? 'Offline — changes are kept on this device'
        : 'Offline — changes are in this window only'
    case 'unsaved':
      return 'Not saved'
  }
}

const words = computed(() => {
  const opened = session.value
  if (!opened || ending.value) return ''
  // A reader has nothing to save, but for what was written before the role changed.
  return mayWrite.value || opened.save.value === 'unsaved' ? wordsOf(opened) : ''
})

const pulse = signal(0)

/** Ctrl+S: sends what waits and shows where the truth about saving stands. */
export const pulseStatus = (): void => {
  session.value?.flush()
  pulse.value += 1
}

/** Says only what the server acknowledged. */
export const Status = (): JSX.Element => {
  const savedAt = session.value?.savedAt.value ?? null
  return (
    <span
      class="status"
      role="status"
      data-state={session.value?.save.value ?? 'loading'}
      data-pulse={pulse.value === 0 ? undefined : pulse.value % 2 === 0 ? 'even' : 'odd'}
      title={
        savedAt === null ? undefined : `Stored by the server ${exactly(new Date(savedAt).toISOString())}`
      }
    >
      {words.value}
    </span>
  )
}
