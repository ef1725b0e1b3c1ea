import { computed, effect, signal } from '@preact/signals-core'
import type { Notice } from '../../sync/types'
import { say } from '../toasts'
import { ending, role, session } from './desk'

/** What lasts: said by the server, or found by ourselves; in the order in which it is shown. */
export const LASTING = [
  'refused',
  'degraded',
  'read-only',
  'draining',
  'damaged',
  'differs',
  'replaced',
] as const
export type Lasting = (typeof LASTING)[number]

const said = signal<Partial<Record<Lasting, string>>>({})

/** What stands at the moment; what ended the page says more than that. */
export const standing = computed(() => (ending.value ? {} : said.value))

export const drop = (kind: Lasting): void => {
  const { [kind]: _, ...rest } = said.peek()
  said.value = rest
}

const stand = (kind: Lasting, reason: string): void => {
  said.value = { ...said.peek(), [kind]: reason }
}

const changedRole = (given: string | undefined): void => {
  const writes = ['editor', 'owner'].includes(given ?? role.peek())
  say(writes ? 'You can now edit this document' : 'You can now only view this document')
}

/** Takes one notice of the server: a passing word or a bar that stays while it holds. */
export const hear = ({ kind, reason, role: given, recovered }: Notice): void => {
  const lasting = LASTING.find(each => each === kind)
  if (kind === 'role') changedRole(given)
  else if (kind === 'fork') say('Your unsaved text was written anew.')
  else if (recovered) for (const over of ['degraded', 'read-only'] as const) drop(over)
  else if (lasting) stand(lasting, reason)
}

// A state of the server ends when it stores our changes again, or when a new connection starts without it.
effect(() => {
  if (session.value?.save.value !== 'saved') return
  drop('degraded')
  drop('refused')
})
effect(() => {
  if (session.value?.connection.value.phase !== 'open') return
  for (const kind of ['draining', 'read-only', 'degraded', 'damaged'] as const) drop(kind)
})
effect(() => {
  if (session.value?.replaced.value) stand('replaced', '')
})
