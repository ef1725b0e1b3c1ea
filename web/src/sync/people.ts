import type { Awareness, AwarenessState } from './awareness'
import type { Identity, Person } from './types'
import { isRecord } from './wire'

const NAME_LIMIT = 100
const FALLBACK_COLOR = '#6b7280'
const FALLBACK_COLOR_LIGHT = '#6b728033'

/** A colour from the wire goes into style properties: anything but `#rrggbb` or `#rrggbbaa` is replaced. */
export function safeColor(value: unknown, fallback: string): string {
  return typeof value === 'string' && /^#(?:[0-9a-f]{6}|[0-9a-f]{8})$/i.test(value) ? value : fallback
}

function asText(value: unknown, fallback: string): string {
  return typeof value === 'string' && value.trim() !== '' ? value.slice(0, NAME_LIMIT) : fallback
}

/** Reads the `user` of an awareness state; whatever is missing or of the wrong kind gets a neutral value. */
export function readIdentity(user: unknown, clientId: number): Identity {
  const fields = isRecord(user) ? user : {}
  return {
    id: asText(fields.id, String(clientId)),
    name: asText(fields.name, 'Someone'),
    color: safeColor(fields.color, FALLBACK_COLOR),
    colorLight: safeColor(fields.colorLight, FALLBACK_COLOR_LIGHT),
    kind: asText(fields.kind, 'anyone'),
  }
}

function readPerson(clientId: number, state: AwarenessState): Person {
  const { line } = state
  return {
    ...readIdentity(state.user, clientId),
    clientId,
    me: false,
    state: state.state === 'idle' ? 'idle' : 'active',
    line: typeof line === 'number' && Number.isSafeInteger(line) && line > 0 ? line : null,
  }
}

/** Everyone who has the document open: this client first, the others by client id. */
export function listPeople(awareness: Awareness, me: Identity | undefined): Person[] {
  const identity = me ?? readIdentity(awareness.stampedUser, awareness.clientId)
  const { line, state } = awareness.local
  const others = [...awareness.states]
    .sort(([a], [b]) => a - b)
    .map(([clientId, other]) => readPerson(clientId, other))
  return [{ ...identity, clientId: awareness.clientId, me: true, line, state }, ...others]
}
